package io.gatun.jmh.peer;

import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Adam;
import org.bytedeco.pytorch.AdamOptions;
import org.bytedeco.pytorch.T_TensorTensorTensor_T;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * The same step in libtorch: its own recurrent layers, autograd, {@code clip_grad_norm_} and {@code
 * Adam}. What the calls from Java cost is a matter of microseconds; memory is given back at the end
 * of each step, as a program in C++ does.
 */
final class LibtorchTraining implements Peer<TrainingProblem> {
  /** Where a gate of libtorch's order stands in ONNX': r, z, n of z, r, n. */
  private static final int[] GRU = {1, 0, 2};

  /** i, f, g, o of i, o, f, c. */
  private static final int[] LSTM = {0, 2, 3, 1};

  private final Map<String, org.bytedeco.pytorch.Tensor> parameters = new LinkedHashMap<>();
  private final Map<String, long[]> shapes = new LinkedHashMap<>();
  private final Map<String, org.bytedeco.pytorch.Tensor> inputs = new LinkedHashMap<>();
  private TrainingProblem problem;
  private TensorVector list;
  private Adam adam;
  private double loss;

  @Override
  public String name() {
    return "libtorch";
  }

  @Override
  public void prepare(TrainingProblem problem, int threads) {
    this.problem = problem;
    torch.set_num_threads(threads);
    try (SharedArena arena = SharedArena.open("weights for libtorch")) {
      problem.network(arena).weights().forEach(this::take);
    }
    list = new TensorVector(parameters.values().toArray(new org.bytedeco.pytorch.Tensor[0]));
    adam = new Adam(list, new AdamOptions(problem.rate()));
    if (problem.config() == null) {
      long[] dims = {problem.time(), problem.batch(), problem.hidden()};
      inputs.put("x", floats(problem.input(), dims));
      inputs.put("y", floats(problem.values(), dims));
      return;
    }
    int source = (int) shapes.get("encoder.embedding.data")[0];
    int target = (int) shapes.get("decoder.embedding.data")[0];
    long batch = problem.batch();
    inputs.put("source", ints(problem.source(source), problem.time(), batch));
    inputs.put("target", ints(problem.target(target), problem.targetTime(), batch));
    inputs.put("labels", ints(problem.labels(target), problem.targetTime() * batch));
  }

  private static org.bytedeco.pytorch.Tensor floats(float[] numbers, long... dims) {
    return torch.from_blob(new FloatPointer(numbers), dims).clone();
  }

  private static org.bytedeco.pytorch.Tensor ints(int[] numbers, long... dims) {
    TensorOptions int32 = new TensorOptions(torch.ScalarType.Int);
    return torch.from_blob(new IntPointer(numbers), dims, int32).to(torch.ScalarType.Long);
  }

  // ---- weights ------------------------------------------------------------------------------

  /** The single LSTM's weights have no layer in front of their names. */
  private static int[] order(String name) {
    return name.length() == 1 ? LSTM : GRU;
  }

  private static boolean isRecurrent(String name) {
    return name.length() == 1 || name.matches(".*gru[0-9]*\\.[WRB]");
  }

  /** The parts of a weight here, each a parameter there. */
  private void take(String name, Tensor tensor) {
    shapes.put(name, tensor.shape().dims());
    parts(name, tensor.toFloats())
        .forEach(
            (part, numbers) -> {
              org.bytedeco.pytorch.Tensor parameter = floats(numbers, partShape(name));
              parameter.set_requires_grad(true);
              parameters.put(part, parameter);
            });
  }

  private long[] partShape(String name) {
    long[] shape = shapes.get(name);
    if (isRecurrent(name)) {
      return name.endsWith("B") ? new long[] {shape[1] / 2} : new long[] {shape[1], shape[2]};
    }
    return isTransposed(name) ? new long[] {shape[1], shape[0]} : shape;
  }

  /** Matrices that are multiplied from the right; attention's lies as libtorch has it. */
  private static boolean isTransposed(String name) {
    return !isRecurrent(name) && name.endsWith(".B") && !name.equals("attention.B");
  }

  /** Cuts a weight into directions and biases, gates in libtorch's order. */
  private Map<String, float[]> parts(String name, float[] numbers) {
    Map<String, float[]> all = new LinkedHashMap<>();
    long[] shape = shapes.get(name);
    if (isTransposed(name)) {
      all.put(name, transposed(numbers, (int) shape[0], (int) shape[1]));
      return all;
    }
    if (!isRecurrent(name)) {
      all.put(name, numbers);
      return all;
    }
    int[] order = order(name);
    boolean bias = name.endsWith("B");
    int pieces = (int) shape[0] * (bias ? 2 : 1);
    int each = numbers.length / pieces;
    int gate = each / order.length;
    for (int piece = 0; piece < pieces; piece++) {
      float[] part = new float[each];
      for (int g = 0; g < order.length; g++) {
        System.arraycopy(numbers, piece * each + order[g] * gate, part, g * gate, gate);
      }
      all.put(name + piece, part);
    }
    return all;
  }

  private static float[] transposed(float[] numbers, int rows, int columns) {
    float[] turned = new float[numbers.length];
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        turned[j * rows + i] = numbers[i * columns + j];
      }
    }
    return turned;
  }

  /** The gradient of a weight as it is laid out here. */
  private float[] gradient(String name) {
    long[] shape = shapes.get(name);
    if (!isRecurrent(name)) {
      float[] numbers = numbers(parameters.get(name).grad());
      return isTransposed(name) ? transposed(numbers, (int) shape[1], (int) shape[0]) : numbers;
    }
    int[] order = order(name);
    List<float[]> parts = new ArrayList<>();
    for (int piece = 0; parameters.containsKey(name + piece); piece++) {
      parts.add(numbers(parameters.get(name + piece).grad()));
    }
    int each = parts.get(0).length;
    int gate = each / order.length;
    float[] all = new float[each * parts.size()];
    for (int piece = 0; piece < parts.size(); piece++) {
      for (int g = 0; g < order.length; g++) {
        System.arraycopy(parts.get(piece), g * gate, all, piece * each + order[g] * gate, gate);
      }
    }
    return all;
  }

  private static float[] numbers(org.bytedeco.pytorch.Tensor tensor) {
    float[] numbers = new float[Math.toIntExact(tensor.numel())];
    new FloatPointer(tensor.contiguous().data_ptr_float()).get(numbers);
    return numbers;
  }

  // ---- the step -----------------------------------------------------------------------------

  @Override
  @SuppressWarnings("try") // the scope frees what is made within it
  public void run() {
    try (PointerScope scope = new PointerScope()) {
      adam.zero_grad();
      org.bytedeco.pytorch.Tensor sum = problem.config() == null ? layer() : encoderDecoder();
      sum.backward();
      if (problem.clip() > 0) {
        torch.clip_grad_norm_(list, problem.clip());
      }
      adam.step();
      loss = sum.item_float();
    }
  }

  private org.bytedeco.pytorch.Tensor get(String name) {
    return parameters.get(name);
  }

  private org.bytedeco.pytorch.Tensor layer() {
    long[] dims = {1, problem.batch(), problem.hidden()};
    org.bytedeco.pytorch.Tensor zeros = torch.zeros(dims);
    T_TensorTensorTensor_T come =
        torch.lstm(
            inputs.get("x"),
            new TensorVector(zeros, zeros),
            new TensorVector(get("W0"), get("R0"), get("B0"), get("B1")),
            true,
            1,
            0,
            true,
            false,
            false);
    return torch.mse_loss(come.get0(), inputs.get("y"));
  }

  /** Through the dropout of this name, at its rate in the configuration. */
  private org.bytedeco.pytorch.Tensor dropped(org.bytedeco.pytorch.Tensor x, String name) {
    return problem.dropout() ? torch.dropout(x, problem.dropoutRate(name), true) : x;
  }

  /** Both directions, added: output and last state. */
  private org.bytedeco.pytorch.Tensor[] both(String name, org.bytedeco.pytorch.Tensor x) {
    long hidden = shapes.get(name + ".R")[2];
    T_TensorTensor_T come =
        torch.gru(
            x,
            torch.zeros(2, problem.batch(), hidden),
            new TensorVector(
                get(name + ".W0"),
                get(name + ".R0"),
                get(name + ".B0"),
                get(name + ".B1"),
                get(name + ".W1"),
                get(name + ".R1"),
                get(name + ".B2"),
                get(name + ".B3")),
            true,
            1,
            0,
            true,
            true,
            false);
    org.bytedeco.pytorch.Tensor out = come.get0();
    org.bytedeco.pytorch.Tensor last = come.get1();
    return new org.bytedeco.pytorch.Tensor[] {
      out.narrow(2, 0, hidden).add(out.narrow(2, hidden, hidden)),
      last.narrow(0, 0, 1).add(last.narrow(0, 1, 1))
    };
  }

  /** A GRU in one direction, from this state on. */
  private org.bytedeco.pytorch.Tensor forward(
      String name, org.bytedeco.pytorch.Tensor x, org.bytedeco.pytorch.Tensor state) {
    TensorVector weights =
        new TensorVector(
            get(name + ".W0"), get(name + ".R0"), get(name + ".B0"), get(name + ".B1"));
    return torch.gru(x, state, weights, true, 1, 0, true, false, false).get0();
  }

  private org.bytedeco.pytorch.Tensor encoderDecoder() {
    org.bytedeco.pytorch.Tensor x =
        torch.embedding(get("encoder.embedding.data"), inputs.get("source"));
    x = both("encoder.gru1", dropped(x, "encoder.drop1"))[0];
    org.bytedeco.pytorch.Tensor[] encoded = both("encoder.gru2", dropped(x, "encoder.drop2"));
    org.bytedeco.pytorch.Tensor memory = encoded[0].transpose(0, 1);
    org.bytedeco.pytorch.Tensor y =
        torch.embedding(get("decoder.embedding.data"), inputs.get("target"));
    org.bytedeco.pytorch.Tensor state =
        forward("decoder.gru", dropped(y, "decoder.drop"), encoded[1]);
    org.bytedeco.pytorch.Tensor query =
        torch.linear(state, get("attention.B"), new TensorOptional()).transpose(0, 1);
    org.bytedeco.pytorch.Tensor weights =
        torch.softmax(torch.bmm(query, memory.transpose(1, 2)), 2);
    org.bytedeco.pytorch.Tensor context = torch.bmm(weights, memory).transpose(0, 1);
    org.bytedeco.pytorch.Tensor joined = torch.cat(new TensorVector(state, context), 2);
    long hidden = shapes.get("decoder.gru2.R")[2];
    org.bytedeco.pytorch.Tensor second =
        forward(
            "decoder.gru2",
            dropped(joined, "both.drop"),
            torch.zeros(1, problem.batch(), hidden));
    org.bytedeco.pytorch.Tensor logits =
        torch.linear(
            dropped(second, "decoder.drop2"),
            get("logits.B"),
            new TensorOptional(get("logits.C")));
    return torch.cross_entropy_loss(
        logits.reshape(-1, shapes.get("logits.C")[0]),
        inputs.get("labels"),
        new TensorOptional(),
        1,
        -100,
        TrainingProblem.SMOOTHING);
  }

  @Override
  public float[] output() {
    List<float[]> all = new ArrayList<>();
    all.add(new float[] {(float) loss});
    shapes.keySet().forEach(name -> all.add(gradient(name)));
    float[] joined = new float[all.stream().mapToInt(each -> each.length).sum()];
    int to = 0;
    for (float[] each : all) {
      System.arraycopy(each, 0, joined, to, each.length);
      to += each.length;
    }
    return joined;
  }

  @Override
  public void close() {
    if (adam != null) {
      adam.close();
      list.close();
    }
    parameters.values().forEach(org.bytedeco.pytorch.Tensor::close);
    inputs.values().forEach(org.bytedeco.pytorch.Tensor::close);
  }
}
