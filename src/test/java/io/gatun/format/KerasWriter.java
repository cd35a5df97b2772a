package io.gatun.format;

import io.jhdf.HdfFile;
import io.jhdf.WritableHdfFile;
import io.jhdf.api.WritableGroup;
import java.io.IOException;
import java.lang.reflect.Array;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Writes files as Keras does, for tests. */
final class KerasWriter {
  /** A weight: its name in Keras 2, its numbers and their shape. */
  record Weight(String name, float[] numbers, int... shape) {}

  private KerasWriter() {}

  /** A whole model of Keras 2: weights by layer, in order. */
  static void hdf5(Path file, String version, String config, Map<String, List<Weight>> weights) {
    try (WritableHdfFile hdf = HdfFile.write(file)) {
      hdf.putAttribute("keras_version", version);
      hdf.putAttribute("backend", "tensorflow");
      hdf.putAttribute("model_config", config);
      WritableGroup all = hdf.putGroup("model_weights");
      all.putAttribute("layer_names", weights.keySet().toArray(new String[0]));
      Map<String, WritableGroup> groups = new HashMap<>();
      weights.forEach(
          (layer, own) -> {
            if (!own.isEmpty()) {
              group(groups, all, layer)
                  .putAttribute(
                      "weight_names", own.stream().map(Weight::name).toArray(String[]::new));
            }
            for (Weight weight : own) {
              put(groups, all, layer + "/" + weight.name(), weight);
            }
          });
    }
  }

  /** A whole model of Keras 3: weights by their paths in {@code model.weights.h5}. */
  static void zip(Path file, String version, String config, Map<String, Weight> weights)
      throws IOException {
    Path inner = file.resolveSibling(file.getFileName() + ".weights.h5");
    byPath(inner, weights);
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
      stored(
          zip,
          "metadata.json",
          ("{\"keras_version\": \"" + version + "\"}").getBytes(StandardCharsets.UTF_8));
      stored(zip, "config.json", config.getBytes(StandardCharsets.UTF_8));
      stored(zip, "model.weights.h5", Files.readAllBytes(inner));
    }
    Files.delete(inner);
  }

  /** Weights alone, by path. */
  static void byPath(Path file, Map<String, Weight> weights) {
    try (WritableHdfFile hdf = HdfFile.write(file)) {
      Map<String, WritableGroup> groups = new HashMap<>();
      new LinkedHashMap<>(weights).forEach((path, weight) -> put(groups, hdf, path, weight));
    }
  }

  static void stored(ZipOutputStream zip, String name, byte[] bytes) throws IOException {
    ZipEntry entry = new ZipEntry(name);
    CRC32 checksum = new CRC32();
    checksum.update(bytes);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(bytes.length);
    entry.setCrc(checksum.getValue());
    zip.putNextEntry(entry);
    zip.write(bytes);
    zip.closeEntry();
  }

  private static void put(
      Map<String, WritableGroup> groups, WritableGroup root, String path, Weight weight) {
    int slash = path.lastIndexOf('/');
    group(groups, root, path.substring(0, slash))
        .putDataset(path.substring(slash + 1), array(weight.numbers(), 0, 0, weight.shape()));
  }

  private static WritableGroup group(
      Map<String, WritableGroup> groups, WritableGroup root, String path) {
    WritableGroup known = groups.get(path);
    if (known == null) {
      int slash = path.lastIndexOf('/');
      WritableGroup above = slash < 0 ? root : group(groups, root, path.substring(0, slash));
      known = above.putGroup(path.substring(slash + 1));
      groups.put(path, known);
    }
    return known;
  }

  /** Numbers in an array of arrays, as jHDF takes them. */
  private static Object array(float[] numbers, int from, int axis, int[] shape) {
    int size = shape[axis];
    if (axis == shape.length - 1) {
      float[] row = new float[size];
      System.arraycopy(numbers, from, row, 0, size);
      return row;
    }
    int step = 1;
    for (int i = axis + 1; i < shape.length; i++) {
      step *= shape[i];
    }
    Object first = array(numbers, from, axis + 1, shape);
    Object all = Array.newInstance(first.getClass(), size);
    for (int i = 0; i < size; i++) {
      Array.set(all, i, array(numbers, from + i * step, axis + 1, shape));
    }
    return all;
  }
}
