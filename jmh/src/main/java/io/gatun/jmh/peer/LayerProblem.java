package io.gatun.jmh.peer;

import io.gatun.graph.Attributes;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * One recurrent layer, forward in time, its input as wide as its state. Weights have the layout and
 * the order of gates of the ONNX operator of the same name (LSTM: i, o, f, c; GRU: z, r, n, with
 * the reset after the product, as PyTorch and cuDNN have it; RNN: tanh).
 *
 * @param cell {@code LSTM}, {@code GRU} or {@code RNN}
 * @param time time steps
 * @param batch sequences
 * @param hidden size of input and state
 * @param w {@code [gates × hidden, hidden]}, the input's weights
 * @param r {@code [gates × hidden, hidden]}, the state's weights
 * @param b {@code [2 × gates × hidden]}, the input's biases, then the state's
 * @param x {@code [time, batch, hidden]}
 * @param lengths {@code [batch]}, or {@code null} if all sequences are full
 */
public record LayerProblem(
    String cell,
    int time,
    int batch,
    int hidden,
    float[] w,
    float[] r,
    float[] b,
    float[] x,
    int[] lengths) {
  /** The three kinds. */
  public static final List<String> CELLS = List.of("LSTM", "GRU", "RNN");

  /** The six shapes every kind is measured at: time × batch × hidden. */
  public static final List<String> SHAPES =
      List.of("50x1x256", "50x1x1024", "50x32x256", "50x64x512", "100x128x512", "50x256x1024");

  private static final long SEED = 42;
  private static final int GATES_OF_LSTM = 4;
  private static final int GATES_OF_GRU = 3;

  /** Normally distributed numbers, scaled so that gates do not saturate; always the same. */
  public static LayerProblem random(String cell, int time, int batch, int hidden, int[] lengths) {
    Random random = new Random(SEED);
    int gates = gates(cell);
    double deviation = 1 / Math.sqrt(hidden);
    return new LayerProblem(
        cell,
        time,
        batch,
        hidden,
        gaussian(random, deviation, gates * hidden * hidden),
        gaussian(random, deviation, gates * hidden * hidden),
        gaussian(random, 0.1, 2 * gates * hidden),
        gaussian(random, 1, time * batch * hidden),
        lengths);
  }

  /** A shape as {@link #SHAPES} writes it. */
  public static LayerProblem random(String cell, String shape) {
    int[] sizes = Arrays.stream(shape.split("x", -1)).mapToInt(Integer::parseInt).toArray();
    return random(cell, sizes[0], sizes[1], sizes[2], null);
  }

  private static float[] gaussian(Random random, double deviation, int count) {
    float[] numbers = new float[count];
    for (int i = 0; i < count; i++) {
      numbers[i] = (float) (deviation * random.nextGaussian());
    }
    return numbers;
  }

  private static int gates(String cell) {
    return switch (cell) {
      case "LSTM" -> GATES_OF_LSTM;
      case "GRU" -> GATES_OF_GRU;
      case "RNN" -> 1;
      default -> throw new IllegalArgumentException(cell + " is none of " + CELLS);
    };
  }

  /** Gates of this kind. */
  public int gates() {
    return gates(cell);
  }

  /** Floating-point operations of the products of one run; what the gates need is not counted. */
  public double operations() {
    double steps = lengths == null ? (double) time * batch : Arrays.stream(lengths).sum();
    return 2 * 2 * steps * hidden * hidden * gates();
  }

  /** The same weights on some of the sequences, in the given order. */
  public LayerProblem sequences(int... chosen) {
    float[] part = new float[time * chosen.length * hidden];
    for (int t = 0; t < time; t++) {
      for (int i = 0; i < chosen.length; i++) {
        int from = (t * batch + chosen[i]) * hidden;
        System.arraycopy(x, from, part, (t * chosen.length + i) * hidden, hidden);
      }
    }
    int[] ends = lengths == null ? null : Arrays.stream(chosen).map(i -> lengths[i]).toArray();
    return new LayerProblem(cell, time, chosen.length, hidden, w, r, b, part, ends);
  }

  /**
   * A graph with input {@code x}, {@code lengths} where there are any, and output {@code Y} {@code
   * [time, 1, batch, hidden]}. Its weights live as long as the arena.
   */
  public Graph graph(Arena arena) {
    Graph.Builder g = Graph.builder(cell);
    Value input = g.input("x", DType.FLOAT32, "time", "batch", hidden);
    long rows = (long) gates() * hidden;
    Value weights = g.constant("W", Tensor.ofFloats(arena, w, 1, rows, hidden));
    Value recurrent = g.constant("R", Tensor.ofFloats(arena, r, 1, rows, hidden));
    Value biases = g.constant("B", Tensor.ofFloats(arena, b, 1, 2 * rows));
    Attributes settings =
        cell.equals("GRU") ? Attributes.of("linear_before_reset", 1) : Attributes.NONE;
    List<Value> inputs =
        lengths == null
            ? List.of(input, weights, recurrent, biases)
            : List.of(input, weights, recurrent, biases, g.input("lengths", DType.INT32, "batch"));
    g.node("layer", cell, settings, inputs, List.of("Y"));
    return g.build();
  }

  /** The input as a tensor. */
  public Tensor input(Arena arena) {
    return Tensor.ofFloats(arena, x, time, batch, hidden);
  }

  @Override
  public String toString() {
    return cell + " " + time + " × " + batch + " × " + hidden + (lengths == null ? "" : " ragged");
  }
}
