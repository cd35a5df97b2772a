package io.gatun.layer;

import io.gatun.graph.Dim;
import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs a network that keeps its state from one run to the next: one time step at a time, or
 * stretches of a sequence. The bits are those of one run over the whole sequence.
 *
 * <pre>{@code
 * Recurrent.State initial = lstm.stateInputs(graph, DType.FLOAT32, "batch");
 * Recurrent.Result result = lstm.unroll(graph, x, null, initial);
 * …
 * try (StatefulExecution loop =
 *     StatefulExecution.of(plan, Workers.none(), batch, result.carries())) {
 *   loop.execution().input("x", step);          // [1, batch, input]
 *   while (read(step)) {
 *     loop.run();
 *     use(loop.execution().output("lstm"));
 *   }
 *   loop.zeroState();
 * }
 * }</pre>
 *
 * <p>The state stays on the device; running copies nothing and allocates nothing. The plan must
 * compute the final states. Not thread-safe. Whoever made it closes it, before the plan.
 */
public final class StatefulExecution implements AutoCloseable {

  /**
   * A state between runs.
   *
   * @param input the graph's input that takes it
   * @param output the value that is it after the run
   */
  public record Carry(String input, String output) {}

  private static final class Slot {
    final Carry carry;
    final long[] dims;
    final long bytes;
    final Buffer[] buffers = new Buffer[2];
    final Region[] regions = {new Region(), new Region()};

    Slot(Carry carry, long[] dims, long bytes) {
      this.carry = carry;
      this.dims = dims;
      this.bytes = bytes;
    }

    void allocate(Device device) {
      for (int i = 0; i < buffers.length; i++) {
        buffers[i] = device.allocate(bytes);
        regions[i].set(buffers[i], 0, bytes);
      }
    }

    void close() {
      for (Buffer buffer : buffers) {
        if (buffer != null) {
          buffer.close();
        }
      }
    }
  }

  private final Execution execution;
  private final List<Slot> slots = new ArrayList<>();
  private Buffer zeros;
  private final Region zeroRegion = new Region();
  private int current;
  private boolean atZero;

  private StatefulExecution(Plan plan, Workers workers, int batch, List<Carry> carries) {
    List<Value> inputs = new ArrayList<>();
    for (Carry carry : carries) {
      Value input = find(plan.inputs(), carry.input(), "input");
      Value output = find(plan.outputs(), carry.output(), "output");
      if (output.type() != input.type() || output.rank() != input.rank()) {
        throw new IllegalArgumentException(
            "state " + output + " cannot become " + input + " of the next run");
      }
      inputs.add(input);
    }
    if (batch < 0) {
      throw new IllegalArgumentException(batch + " sequences, expected 0 or more");
    }
    execution = plan.newExecution(workers);
    try {
      allocate(plan, batch, carries, inputs);
      zeroState();
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private void allocate(Plan plan, int batch, List<Carry> carries, List<Value> inputs) {
    long largest = 0;
    for (Value input : inputs) {
      long[] dims = new long[input.rank()];
      long bytes = plan.device().stored(input.type()).bytes();
      for (int axis = 0; axis < dims.length; axis++) {
        Dim dim = input.dim(axis);
        dims[axis] = dim.isKnown() ? dim.size() : batch;
        bytes = Math.multiplyExact(bytes, dims[axis]);
      }
      largest = Math.max(largest, bytes);
      slots.add(new Slot(carries.get(slots.size()), dims, bytes));
      slots.get(slots.size() - 1).allocate(plan.device());
    }
    zeros = plan.device().allocate(largest);
  }

  /**
   * A run whose states are zero.
   *
   * @param workers who shares the work
   * @param batch the number of sequences
   * @param carries which outputs become which inputs, see {@link Recurrent.Result#carries}
   * @throws IllegalArgumentException if the plan does not have them, or {@code batch} is negative
   */
  public static StatefulExecution of(Plan plan, Workers workers, int batch, List<Carry> carries) {
    return new StatefulExecution(plan, workers, batch, carries);
  }

  private static Value find(List<Value> values, String name, String what) {
    for (Value value : values) {
      if (value.name().equals(name)) {
        return value;
      }
    }
    throw new IllegalArgumentException(
        "the plan has no " + what + " " + name + " to carry; it has " + values);
  }

  /** What runs: for the inputs and outputs that are not states. */
  public Execution execution() {
    return execution;
  }

  /** Forgets: the next run starts from zeros. */
  public void zeroState() {
    for (Slot slot : slots) {
      execution.input(slot.carry.input(), zeroRegion.set(zeros, 0, slot.bytes), slot.dims);
    }
    atZero = true;
  }

  /** Runs over the time steps of the inputs; the final states become the next initial ones. */
  public void run() {
    int next = atZero ? 0 : 1 - current;
    // Counted: an iterator would be an object for each run.
    for (int i = 0; i < slots.size(); i++) {
      Slot slot = slots.get(i);
      if (!atZero) {
        execution.input(slot.carry.input(), slot.regions[current], slot.dims);
      }
      execution.output(slot.carry.output(), slot.regions[next]);
    }
    execution.run();
    current = next;
    atZero = false;
  }

  /** Frees its memory. Closing twice does nothing. */
  @Override
  public void close() {
    execution.close();
    for (Slot slot : slots) {
      slot.close();
    }
    if (zeros != null) {
      zeros.close();
    }
  }
}
