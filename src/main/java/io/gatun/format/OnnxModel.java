package io.gatun.format;

import io.gatun.graph.Graph;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * An opened ONNX file, read into a {@link Graph}: operator sets {@value #FIRST_OPSET} to {@value
 * #LAST_OPSET}, external data included. Older forms of an operator are rewritten into its newest
 * one; functions of the model are put in place of the nodes that call them.
 *
 * <p>The file is mapped, and weights that it has as raw bytes are used where they lie; only numbers
 * in typed fields are decoded into the same arena. Nothing is believed before it is checked: what
 * does not hold, and what this library does not have, is a {@link ModelFormatException} with the
 * offset, the node and the operator.
 *
 * <p><b>Inputs.</b> An input that has an initial value of the same name is a constant, and not
 * asked for. Sizes that have a name in the file are symbols of that name; a size without one is a
 * symbol of its own.
 *
 * <p><b>Ownership.</b> The model owns the memory of all its weights until it is closed. A plan that
 * uses weights in place holds a lease, and {@link #close()} refuses while one is out.
 *
 * <p><b>Thread safety.</b> All methods may be called from any thread; the graph is immutable.
 *
 * @see <a href="https://github.com/onnx/onnx/blob/main/onnx/onnx.proto">onnx.proto</a>
 */
public final class OnnxModel implements AutoCloseable {
  /** The oldest version of ONNX' operators that is read. */
  public static final int FIRST_OPSET = 7;

  /** The newest version of ONNX' operators that is read. */
  public static final int LAST_OPSET = 27;

  private static final int FIRST_IR = 3;
  private static final int LAST_IR = 14;

  private final MappedFile file;
  private final OnnxTensors tensors;
  private final Graph graph;
  private final String producer;
  private final long irVersion;
  private final Map<String, Long> opsets;
  private final Map<String, String> metadata;

  private OnnxModel(
      MappedFile file,
      OnnxTensors tensors,
      Graph graph,
      String producer,
      long irVersion,
      Map<String, Long> opsets,
      Map<String, String> metadata) {
    this.file = file;
    this.tensors = tensors;
    this.graph = graph;
    this.producer = producer;
    this.irVersion = irVersion;
    this.opsets = opsets;
    this.metadata = metadata;
  }

  /**
   * Opens a file.
   *
   * @param path the file
   * @return the open model; the caller closes it
   * @throws IOException if the file does not exist or cannot be read
   * @throws ModelFormatException if it is no ONNX model, is damaged, or needs what this library
   *     does not have
   */
  public static OnnxModel open(Path path) throws IOException {
    return open(path, Map.of());
  }

  /**
   * Opens a file for inputs of certain sizes: where they decide how a network is built, and where
   * more is known before there is input.
   *
   * @param path the file
   * @param sizes numbers for sizes that have a name in the file
   * @return the open model; the caller closes it
   * @throws IOException as {@link #open(Path)}
   * @throws ModelFormatException as {@link #open(Path)}
   */
  public static OnnxModel open(Path path, Map<String, Long> sizes) throws IOException {
    MappedFile file = MappedFile.open(path);
    OnnxTensors tensors = new OnnxTensors(file);
    boolean opened = false;
    try {
      OnnxModel model = TensorFile.guarded(file, () -> read(file, tensors, sizes));
      opened = true;
      return model;
    } finally {
      if (!opened) {
        tensors.close();
        file.close();
      }
    }
  }

  private static OnnxModel read(MappedFile file, OnnxTensors tensors, Map<String, Long> sizes) {
    String producer = "";
    String producerVersion = "";
    long irVersion = 0;
    Protobuf body = null;
    Map<String, Long> opsets = new LinkedHashMap<>();
    Map<String, String> metadata = new LinkedHashMap<>();
    List<OnnxFields.Function> functions = new ArrayList<>();
    Protobuf in = Protobuf.of(file, "the model");
    while (in.next()) {
      switch (in.field()) {
        case 1 -> irVersion = in.integer("the model's IR version");
        case 2 -> producer = in.text("the model's producer");
        case 3 -> producerVersion = in.text("the producer's version");
        case 7 -> {
          if (body != null) {
            throw in.error("a second graph, expected one");
          }
          body = in.message("the graph");
        }
        case 8 -> OnnxFields.opset(in.message("an operator set"), opsets);
        case 14 -> OnnxFields.entry(in.message("the model's metadata"), metadata);
        case 25 -> functions.add(OnnxFields.function(in.message("a function")));
        default -> in.skip();
      }
    }
    if (body == null) {
      throw file.error(0, "is no ONNX model: it has no graph");
    }
    if (irVersion < FIRST_IR || irVersion > LAST_IR) {
      throw file.error(
          0, "has IR version " + irVersion + ", read are " + FIRST_IR + " to " + LAST_IR);
    }
    checkOpset(file, opsets);
    Graph graph = new OnnxGraphReader(file, tensors, opsets, functions, sizes).read(body);
    return new OnnxModel(
        file,
        tensors,
        graph,
        (producer + " " + producerVersion).strip(),
        irVersion,
        Collections.unmodifiableMap(opsets),
        Collections.unmodifiableMap(metadata));
  }

  private static void checkOpset(MappedFile file, Map<String, Long> opsets) {
    long version = opsets.getOrDefault("", 0L);
    if (version == 0) {
      throw file.error(0, "names no version of ONNX' operators");
    }
    if (version < FIRST_OPSET || version > LAST_OPSET) {
      throw file.error(
          0,
          "needs version "
              + version
              + " of ONNX' operators, read are "
              + FIRST_OPSET
              + " to "
              + LAST_OPSET
              + "; onnx.version_converter converts");
    }
  }

  /**
   * The definitions of one of ONNX' own operators that are read: the versions of ONNX in which they
   * were laid down, oldest first, each of which holds until the next. A file of an older version
   * than the first has no such operator, or one that is refused.
   *
   * @param operator its name, such as {@code GRU}
   * @return none if it is no operator of ONNX, or none that is read
   */
  public static List<Integer> versions(String operator) {
    return OnnxDefinitions.read(operator);
  }

  /**
   * Reads one tensor of the kind that ONNX' test data consist of (a serialized {@code
   * TensorProto}).
   *
   * @param path the file
   * @return a copy on the garbage-collected heap's side of memory: nobody needs to close it
   * @throws IOException if the file does not exist or cannot be read
   * @throws ModelFormatException if it is no such tensor, or of a type that is not read
   */
  public static Tensor tensor(Path path) throws IOException {
    try (MappedFile file = MappedFile.open(path)) {
      OnnxTensors tensors = new OnnxTensors(file);
      try {
        Tensor tensor = tensors.read(Protobuf.of(file, "the tensor"), "the tensor").tensor();
        java.nio.ByteBuffer bytes =
            java.nio.ByteBuffer.allocateDirect(Math.toIntExact(Math.max(8, tensor.byteSize())))
                .order(java.nio.ByteOrder.LITTLE_ENDIAN);
        return Tensor.wrap(bytes, tensor.dtype(), tensor.shape().dims()).copyFrom(tensor);
      } finally {
        tensors.close();
      }
    }
  }

  /** Returns the file as it was opened. */
  public Path file() {
    return file.path();
  }

  /** Returns the network; it cannot be used once the model is closed. */
  public Graph graph() {
    return graph;
  }

  /** Returns the program that wrote the file, with its version; empty if it does not say. */
  public String producer() {
    return producer;
  }

  /** Returns the version of the file format. */
  public long irVersion() {
    return irVersion;
  }

  /** Returns the versions of operators that the file asks for, by domain; ONNX' own is "". */
  public Map<String, Long> opsets() {
    return opsets;
  }

  /** Returns what the file says about itself. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /** Returns the arena of the file's own weights. */
  public SharedArena arena() {
    return file.arena();
  }

  /**
   * Unmaps the file and its external data; the graph cannot be used any more.
   *
   * @throws IllegalStateException if a plan still uses them, or this is closed already
   */
  @Override
  public void close() {
    tensors.close();
    file.close();
  }

  /** Returns the path, as error messages show it. */
  @Override
  public String toString() {
    return file.path().toString();
  }
}
