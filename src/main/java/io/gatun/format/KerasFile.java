package io.gatun.format;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * A file that Keras wrote: a whole model as HDF5 (Keras 2) or as a zip file (Keras 3, and 2 since
 * 2.12), or weights alone as HDF5. It says which tensors are in it and what the model is.
 *
 * @param model class and configuration of the model; empty where the file has weights alone
 * @param major the major version of Keras that wrote it, 2 or 3
 * @param version that version as it is written there
 * @param hdf the HDF5 file, or the one within the zip file
 * @param paths the datasets by the names of the weights
 */
record KerasFile(
    Optional<Json> model, int major, String version, Hdf5File hdf, Map<String, String> paths) {
  private static final String CONFIG = "config.json";
  private static final String METADATA = "metadata.json";
  private static final String WEIGHTS = "model.weights.h5";

  /** What to add where HDF5 cannot be read. */
  private static final String READER = "io.jhdf:jhdf";

  /** Whether the members of a zip file are those of a Keras model. */
  static boolean isKeras(Map<String, ZipDirectory.Member> members) {
    return members.containsKey(CONFIG) && members.containsKey(WEIGHTS);
  }

  /**
   * Reads what an HDF5 file has.
   *
   * @param description the model, where the file has weights alone
   * @throws ModelFormatException if it is damaged, or jHDF is not there
   */
  static KerasFile readHdf5(MappedFile file, Optional<Json> description) {
    Hdf5File hdf = open(file, 0, file.slice(0, file.size(), "HDF5"));
    String root = hdf.isGroup("model_weights") ? "model_weights" : "";
    String config = hdf.text("", "model_config");
    Optional<Json> model =
        config == null || description.isPresent()
            ? description
            : Optional.of(Json.parse(file.path() + ", model_config", config));
    String version = hdf.text(root, "keras_version");
    if (version == null) {
      version = hdf.text("", "keras_version");
    }
    return of(file, model, version == null ? stated(description) : version, hdf, root);
  }

  private static String stated(Optional<Json> description) {
    return description
        .flatMap(json -> json.fields().find("keras_version"))
        .map(Json::string)
        .orElse(null);
  }

  /** Reads a model that is a zip file of its description and its weights. */
  static KerasFile readZip(MappedFile file, Map<String, ZipDirectory.Member> members) {
    Json config = Json.parse(file.path() + ", " + CONFIG, text(file, members.get(CONFIG)));
    String version = "3";
    if (members.containsKey(METADATA)) {
      version =
          Json.parse(file.path() + ", " + METADATA, text(file, members.get(METADATA)))
              .fields()
              .string("keras_version", version);
    }
    ZipDirectory.Member weights = members.get(WEIGHTS);
    Hdf5File hdf = open(file, weights.dataOffset(), InflatedMember.bytes(file, weights));
    return of(file, Optional.of(config), version, hdf, "");
  }

  private static String text(MappedFile file, ZipDirectory.Member member) {
    if (member.bytes() > Json.MAX_BYTES) {
      throw file.error(
          member.headerOffset(), "member " + member.name() + " is of " + member.bytes() + " bytes");
    }
    return new String(
        InflatedMember.bytes(file, member).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
  }

  private static Hdf5File open(MappedFile file, long begin, MemorySegment bytes) {
    try {
      return Hdf5File.open(file, begin, bytes);
    } catch (NoClassDefFoundError e) {
      throw file.error(
          begin,
          "this is HDF5 (as Keras writes it), and the library that reads it is not there; add "
              + READER
              + " to the class path, or to the module path with --add-modules io.jhdf",
          e);
    }
  }

  private static KerasFile of(
      MappedFile file, Optional<Json> model, String version, Hdf5File hdf, String root) {
    int major = major(file, version, hdf);
    if (model.isPresent()) {
      if (!KerasJson.isModel(model.get())) {
        throw model
            .get()
            .error(
                "is a "
                    + KerasJson.className(model.get())
                    + ", expected a Sequential or functional model; layers of other classes are"
                    + " programs");
      }
      if (!KerasWeights.isRoot(hdf, root)) {
        throw file.error(0, "has no weights of a Keras model");
      }
      return new KerasFile(
          model, major, version, hdf, KerasWeights.paths(hdf, root, model.get(), major));
    }
    Map<String, String> paths = new LinkedHashMap<>();
    for (String path : hdf.datasets()) {
      paths.put(path, path);
    }
    return new KerasFile(model, major, version, hdf, paths);
  }

  /** Without a version, the layout tells. */
  private static int major(MappedFile file, String version, Hdf5File hdf) {
    if (version == null) {
      return hdf.isGroup("layers") ? 3 : 2;
    }
    int dot = version.indexOf('.');
    String first = dot < 0 ? version : version.substring(0, dot);
    if (!first.equals("2") && !first.equals("3")) {
      throw file.error(0, "was written by Keras " + version + ", expected version 2 or 3");
    }
    return Integer.parseInt(first);
  }
}
