package io.gatun.format;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * Opens a network as people have it, whatever its format: a model folder (see {@link ModelFolder}),
 * an ONNX file (see {@link OnnxModel}), or a model of Keras (HDF5, the zip file of Keras 3, or a
 * description in JSON beside its weights). What it is, is told by its content.
 *
 * <pre>{@code
 * try (Model model = NetworkFile.open(Path.of("model.keras"))) {
 *   Graph graph = model.network();
 * }
 * }</pre>
 *
 * <p>A file of weights alone (safetensors, npz, PyTorch) does not say what network they are of: it
 * goes into a model folder, whose {@code model.json} does.
 *
 * <p>Stateless and thread-safe.
 */
public final class NetworkFile {
  private static final String KERAS_CONFIG = "config.json";
  private static final String KERAS_WEIGHTS = "model.weights.h5";

  private NetworkFile() {}

  /**
   * Opens a network with the weights that it has or names.
   *
   * @param path a folder or a file
   * @return the network; the caller closes it
   * @throws IOException if there is no such file, or it cannot be read
   * @throws ModelFormatException if it is of no format that is known, damaged, or has something in
   *     it that is not supported, which the message names
   */
  public static Model open(Path path) throws IOException {
    return open(path, Optional.empty());
  }

  /**
   * Opens a network, with other weights if they are given.
   *
   * @param path a folder or a file
   * @param weights a file of weights, for a model folder or a description of Keras
   * @return the network; the caller closes it
   * @throws IOException if there is no such file, or it cannot be read
   * @throws ModelFormatException if it is of no format that is known, damaged, or has something in
   *     it that is not supported, which the message names
   */
  public static Model open(Path path, Optional<Path> weights) throws IOException {
    if (Files.isDirectory(path)) {
      Path config = path.resolve(KERAS_CONFIG);
      return Files.exists(config) && !Files.exists(path.resolve(ModelFolder.MODEL_FILE))
          ? description(config, weights)
          : ModelFolder.open(path, weights);
    }
    if (extension(path).equals("json")) {
      return description(path, weights);
    }
    String start = start(path);
    boolean keras = start.startsWith(TensorFile.HDF5_SIGNATURE) || isKeras(path, start);
    if (!keras && !isOnnx(path, start)) {
      throw ModelFormatException.in(path, foreign(path, start));
    }
    if (weights.isPresent()) {
      throw ModelFormatException.in(path, "has its weights in it, and takes no others");
    }
    return keras ? KerasModel.open(path) : onnx(path);
  }

  /** By its name; else by how the field of the version begins, which comes first. */
  private static boolean isOnnx(Path path, String start) {
    return extension(path).equals("onnx")
        || (start.length() > 2 && start.charAt(0) == 8 && start.charAt(1) < 32);
  }

  private static Model onnx(Path path) throws IOException {
    OnnxModel onnx = OnnxModel.open(path);
    StringBuilder text = new StringBuilder("ONNX");
    onnx.opsets().forEach((domain, version) -> text.append(' ').append(domain).append(version));
    if (!onnx.producer().isEmpty()) {
      text.append(", ").append(onnx.producer());
    }
    return Model.of(
        path,
        new Model.Description(stem(path), Model.Kind.NETWORK, text.toString(), null, null),
        onnx.graph(),
        null,
        onnx::close,
        Set.of());
  }

  /** The name of a file without what tells its kind. */
  static String stem(Path path) {
    String name = String.valueOf(path.getFileName());
    int dot = name.lastIndexOf('.');
    return dot > 0 ? name.substring(0, dot) : name;
  }

  private static Model description(Path path, Optional<Path> weights) throws IOException {
    Json json = Json.read(path);
    if (json.kind() != Json.Kind.OBJECT || !json.members().containsKey("class_name")) {
      return ModelFolder.open(path, weights);
    }
    return KerasModel.open(path, json, weights.isPresent() ? weights.get() : beside(path));
  }

  /** The weights that lie beside a description, under one of the names that people give them. */
  private static Path beside(Path description) {
    String name = String.valueOf(description.getFileName());
    String stem = name.substring(0, name.lastIndexOf('.'));
    for (String each :
        List.of(stem + ".weights.h5", stem + ".h5", stem + "_weights.h5", KERAS_WEIGHTS)) {
      Path weights = description.resolveSibling(each);
      if (Files.exists(weights)) {
        return weights;
      }
    }
    throw ModelFormatException.in(
        description,
        "describes a model of Keras, and there is no "
            + stem
            + ".weights.h5 beside it; give its weights");
  }

  private static String start(Path path) throws IOException {
    if (!Files.isRegularFile(path)) {
      MappedFile.open(path).close(); // says what is wrong
    }
    try (InputStream in = Files.newInputStream(path)) {
      return new String(in.readNBytes(16), StandardCharsets.ISO_8859_1);
    }
  }

  private static boolean isKeras(Path path, String start) throws IOException {
    if (!start.startsWith("PK")) {
      return false;
    }
    try (MappedFile file = MappedFile.open(path)) {
      return KerasFile.isKeras(ZipDirectory.read(file));
    }
  }

  /**
   * Whether a file has tensors, but nothing that says what network they are of: safetensors,
   * numpy's, PyTorch's. {@link TensorFile} opens those.
   *
   * @throws IOException if the file does not exist or cannot be read
   */
  public static boolean isWeightsAlone(Path path) throws IOException {
    if (Files.isDirectory(path) || extension(path).equals("json")) {
      return false;
    }
    String start = start(path);
    return looksLikeWeights(path, start) && !isKeras(path, start);
  }

  private static boolean looksLikeWeights(Path path, String start) {
    return start.startsWith("PK")
        || List.of("safetensors", "npz", "npy", "pt", "pth").contains(extension(path));
  }

  private static String foreign(Path path, String start) {
    if (start.startsWith("version https://")) {
      return "is a pointer to a file that Git LFS keeps elsewhere; fetch it with git lfs pull";
    }
    return looksLikeWeights(path, start)
        ? "has weights alone; a model.json beside it says what network they are of, see"
            + " docs/model-folder.md"
        : "is no network of a kind that is known: a model folder or a model.json, .onnx, or Keras'"
            + " .h5, .keras or JSON with weights beside it";
  }

  private static String extension(Path path) {
    String name = String.valueOf(path.getFileName());
    return name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
  }
}
