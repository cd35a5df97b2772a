package io.gatun.format;

import io.gatun.graph.Graph;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Opens models that Keras wrote, for {@link NetworkFile}. */
final class KerasModel {
  private KerasModel() {}

  /**
   * Opens a whole model.
   *
   * @param path HDF5 or a zip file
   */
  static Model open(Path path) throws IOException {
    return open(path, Optional.empty(), path);
  }

  /**
   * Opens a model that is described by JSON beside its weights.
   *
   * @param path the description, as {@code model.to_json()} gives it
   * @param weights HDF5
   */
  static Model open(Path path, Json description, Path weights) throws IOException {
    return open(path, Optional.of(description), weights);
  }

  private static Model open(Path path, Optional<Json> description, Path weights)
      throws IOException {
    MappedFile file = MappedFile.open(weights);
    boolean opened = false;
    try {
      Model model = TensorFile.guarded(file, () -> read(path, file, description));
      opened = true;
      return model;
    } finally {
      if (!opened) {
        file.close();
      }
    }
  }

  private static Model read(Path path, MappedFile file, Optional<Json> description) {
    KerasFile keras;
    TensorFile.Format format;
    if (isZip(file)) {
      Map<String, ZipDirectory.Member> members = ZipDirectory.read(file);
      if (!KerasFile.isKeras(members)) {
        throw file.error(0, "is a zip file without the members of a Keras model");
      }
      keras = KerasFile.readZip(file, members);
      format = TensorFile.Format.KERAS;
    } else {
      keras = KerasFile.readHdf5(file, description);
      format = TensorFile.Format.HDF5;
    }
    if (keras.model().isEmpty()) {
      throw file.error(
          0,
          "has weights of Keras alone; give the model's description (model.to_json()) as the model"
              + " and this file as its weights, or name its parts in a model.json");
    }
    TensorFile tensors = TensorFile.of(file, format, keras);
    Set<String> used = new LinkedHashSet<>();
    Graph graph = KerasNetwork.read(keras, tensors, used, file.arena());
    Set<String> unused = new LinkedHashSet<>(tensors.names());
    unused.removeAll(used);
    Json config = keras.model().get().fields().require("config");
    String name =
        config.kind() == Json.Kind.OBJECT
            ? config.fields().string("name", NetworkFile.stem(path))
            : NetworkFile.stem(path);
    String text =
        "Keras"
            + (keras.version() == null ? "" : " " + keras.version())
            + ", "
            + KerasJson.className(keras.model().get());
    return Model.of(
        path,
        new Model.Description(name, Model.Kind.NETWORK, text, null, null),
        graph,
        tensors,
        tensors::close,
        unused);
  }

  private static boolean isZip(MappedFile file) {
    return file.size() >= 4 && file.integer(0, "start of the file") == ZipDirectory.LOCAL_SIGNATURE;
  }
}
