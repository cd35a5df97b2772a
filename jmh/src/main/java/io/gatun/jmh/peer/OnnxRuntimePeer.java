package io.gatun.jmh.peer;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.gatun.graph.Graph;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** ONNX Runtime on a graph of ours. Not thread-safe; whoever made it closes it. */
public final class OnnxRuntimePeer implements AutoCloseable {
  private final OrtSession session;
  private final Map<String, OnnxTensor> inputs = new HashMap<>();

  /**
   * Loads the graph.
   *
   * @param threads how many threads it may use
   * @throws OrtException if ONNX Runtime does not support the graph
   */
  public OnnxRuntimePeer(Graph graph, int threads, String... outputs) throws OrtException {
    this(OnnxWriter.write(graph, outputs), threads);
  }

  /** Loads an ONNX model. */
  public OnnxRuntimePeer(byte[] model, int threads) throws OrtException {
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setIntraOpNumThreads(threads);
      options.setInterOpNumThreads(1);
      options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
      session = OrtEnvironment.getEnvironment().createSession(model, options);
    }
  }

  /** Gives an input; it is copied now and kept. */
  public OnnxRuntimePeer input(String name, Tensor tensor) throws OrtException {
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    long[] dims = tensor.shape().dims();
    OnnxTensor value =
        switch (tensor.dtype()) {
          case FLOAT32 ->
              OnnxTensor.createTensor(environment, direct(tensor).asFloatBuffer(), dims);
          case INT32 -> OnnxTensor.createTensor(environment, direct(tensor).asIntBuffer(), dims);
          case INT64 -> OnnxTensor.createTensor(environment, direct(tensor).asLongBuffer(), dims);
          default -> throw new IllegalArgumentException(name + " is " + tensor);
        };
    OnnxTensor before = inputs.put(name, value);
    if (before != null) {
      before.close();
    }
    return this;
  }

  private static java.nio.ByteBuffer direct(Tensor tensor) {
    java.nio.ByteBuffer bytes =
        java.nio.ByteBuffer.allocateDirect(Math.toIntExact(Math.max(1, tensor.byteSize())))
            .order(java.nio.ByteOrder.nativeOrder());
    bytes.limit(Math.toIntExact(tensor.byteSize()));
    if (tensor.elements() > 0) {
      Tensor.wrap(bytes, tensor.dtype(), tensor.shape().dims()).copyFrom(tensor);
    }
    return bytes;
  }

  /** Runs it and throws the outputs away, as a benchmark does. */
  public void run() throws OrtException {
    session.run(inputs).close();
  }

  /** Runs it and copies float32 outputs into new tensors. */
  public Map<String, Tensor> run(Arena arena) throws OrtException {
    Map<String, Tensor> outputs = new HashMap<>();
    try (OrtSession.Result result = session.run(inputs)) {
      for (Map.Entry<String, OnnxValue> entry : result) {
        OnnxTensor value = (OnnxTensor) entry.getValue();
        long[] dims = value.getInfo().getShape();
        Tensor copy = Tensor.allocate(arena, DType.FLOAT32, dims);
        if (Shape.of(dims).elements() > 0) {
          float[] numbers = new float[Math.toIntExact(copy.elements())];
          value.getFloatBuffer().get(numbers);
          copy = Tensor.ofFloats(arena, numbers, dims);
        }
        outputs.put(entry.getKey(), copy);
      }
    }
    return outputs;
  }

  /** The inputs the model asks for. */
  public Set<String> inputNames() {
    return session.getInputNames();
  }

  @Override
  public void close() throws OrtException {
    inputs.values().forEach(OnnxTensor::close);
    session.close();
  }
}
