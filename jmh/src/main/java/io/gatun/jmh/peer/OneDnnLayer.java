package io.gatun.jmh.peer;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * A recurrent layer in oneDNN: its LSTM, linear-before-reset GRU or vanilla RNN primitive for
 * inference, weights reordered beforehand into the layout that it chooses for itself. Its layers
 * know no lengths: shorter sequences are computed to the end of the longest.
 */
public final class OneDnnLayer implements Peer<LayerProblem> {
  private final Arena arena = Arena.ofConfined();
  private final List<MemorySegment> memories = new ArrayList<>();
  private OneDnn library;
  private OneDnn.Call call;
  private MemorySegment output;
  private int threads;
  private String implementation;

  @Override
  public String name() {
    return "oneDNN";
  }

  @Override
  public void prepare(LayerProblem problem, int threads) {
    library = OneDnn.get();
    this.threads = threads;
    library.threads(threads);
    int hidden = problem.hidden();
    int gates = problem.gates();
    int biases = problem.cell().equals("GRU") ? gates + 1 : gates;
    long[] weights = {1, 1, hidden, gates, hidden};
    long[] sequence = {problem.time(), problem.batch(), hidden};
    MemorySegment any = library.descriptor(OneDnn.ANY, weights);
    MemorySegment x = library.descriptor(OneDnn.TNC, sequence);
    MemorySegment b = library.descriptor(OneDnn.LDGO, 1, 1, biases, hidden);
    MemorySegment layer = library.layer(problem.cell(), x, any, any, b, x);
    implementation = library.implementation(layer);
    MemorySegment y = keep(library.memory(x));
    output = library.numbers(y, (long) problem.time() * problem.batch() * hidden);
    int[] order = order(problem.cell());
    call =
        library.new Call(layer, arena)
            .with(OneDnn.SRC, keep(library.filled(problem.x(), OneDnn.TNC, sequence)))
            .with(
                OneDnn.WEIGHTS,
                keep(
                    library.packed(
                        layer, OneDnn.WEIGHTS, gates(problem.w(), order), OneDnn.LDGOI, weights)))
            .with(
                OneDnn.WEIGHTS_ITER,
                keep(
                    library.packed(
                        layer,
                        OneDnn.WEIGHTS_ITER,
                        gates(problem.r(), order),
                        OneDnn.LDGOI,
                        weights)))
            .with(
                OneDnn.BIAS,
                keep(library.filled(bias(problem, order), OneDnn.LDGO, 1, 1, biases, hidden)))
            .with(OneDnn.DST, y);
  }

  private MemorySegment keep(MemorySegment memory) {
    memories.add(memory);
    return memory;
  }

  /** Where the gates of oneDNN's order lie in that of ONNX. */
  private static int[] order(String cell) {
    return switch (cell) {
      case "LSTM" -> new int[] {0, 2, 3, 1};
      case "GRU" -> new int[] {0, 1, 2};
      default -> new int[] {0};
    };
  }

  private static float[] gates(float[] weights, int[] order) {
    float[] result = new float[weights.length];
    int each = weights.length / order.length;
    for (int gate = 0; gate < order.length; gate++) {
      System.arraycopy(weights, order[gate] * each, result, gate * each, each);
    }
    return result;
  }

  /** Both biases are one, but for the candidate of the GRU, whose recurrent one stays apart. */
  private static float[] bias(LayerProblem problem, int[] order) {
    int hidden = problem.hidden();
    int gates = problem.gates();
    boolean gru = problem.cell().equals("GRU");
    float[] result = new float[(gru ? gates + 1 : gates) * hidden];
    for (int gate = 0; gate < gates; gate++) {
      for (int i = 0; i < hidden; i++) {
        float input = problem.b()[order[gate] * hidden + i];
        float recurrent = problem.b()[(gates + order[gate]) * hidden + i];
        if (gru && gate == 2) {
          result[gate * hidden + i] = input;
          result[(gate + 1) * hidden + i] = recurrent;
        } else {
          result[gate * hidden + i] = input + recurrent;
        }
      }
    }
    return result;
  }

  /** The implementation that oneDNN chose. */
  public String implementation() {
    return implementation;
  }

  @Override
  public void run() {
    library.threads(threads);
    call.run();
  }

  @Override
  public float[] output() {
    return output.toArray(JAVA_FLOAT);
  }

  @Override
  public void close() {
    if (call != null) {
      call.close();
    }
    memories.forEach(memory -> library.free(memory));
    memories.clear();
    arena.close();
  }
}
