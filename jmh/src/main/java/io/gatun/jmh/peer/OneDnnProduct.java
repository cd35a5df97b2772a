package io.gatun.jmh.peer;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** oneDNN's product, its right-hand side reordered beforehand into the layout that it chooses. */
public final class OneDnnProduct implements Peer<ProductProblem> {
  private final Arena arena = Arena.ofConfined();
  private final List<MemorySegment> memories = new ArrayList<>();
  private OneDnn library;
  private OneDnn.Call call;
  private MemorySegment output;
  private int threads;

  @Override
  public String name() {
    return "oneDNN";
  }

  @Override
  public void prepare(ProductProblem problem, int threads) {
    library = OneDnn.get();
    this.threads = threads;
    library.threads(threads);
    int rows = problem.rows();
    int inner = problem.inner();
    int columns = problem.columns();
    MemorySegment a = library.descriptor(OneDnn.AB, rows, inner);
    MemorySegment b = library.descriptor(OneDnn.ANY, inner, columns);
    MemorySegment c = library.descriptor(OneDnn.AB, rows, columns);
    MemorySegment product = library.product(a, b, c);
    MemorySegment y = keep(library.memory(c));
    output = library.numbers(y, (long) rows * columns);
    call =
        library.new Call(product, arena)
            .with(OneDnn.SRC, keep(library.filled(problem.a(), OneDnn.AB, rows, inner)))
            .with(
                OneDnn.WEIGHTS,
                keep(
                    library.packed(
                        product, OneDnn.WEIGHTS, problem.b(), OneDnn.AB, inner, columns)))
            .with(OneDnn.DST, y);
  }

  private MemorySegment keep(MemorySegment memory) {
    memories.add(memory);
    return memory;
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
