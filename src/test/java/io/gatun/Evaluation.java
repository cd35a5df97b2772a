package io.gatun;

import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.Workers;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;

/** Runs a graph once and hands out what it computed, for tests. */
public final class Evaluation {
  private Evaluation() {}

  /** A value that was computed: its sizes, and its numbers in row-major order. */
  public record Numbers(Shape shape, double[] values) {}

  /** The plain device in float32 and in float64, and the best one where that is another. */
  public static Stream<Device> devices() {
    Stream<Device> plain =
        Stream.of(new ScalarDevice(DType.FLOAT32), new ScalarDevice(DType.FLOAT64));
    return Devices.best() instanceof ScalarDevice && Devices.best().name().equals("scalar")
        ? plain
        : Stream.concat(plain, Stream.of(Devices.best()));
  }

  /** The reference: plain loops in float64. */
  public static Device reference() {
    return new ScalarDevice(DType.FLOAT64);
  }

  /** The values of the given names, from the inputs of the given names. */
  public static Map<String, Numbers> of(
      Device device, Graph graph, Map<String, Tensor> inputs, String... outputs) {
    return of(device, Workers.none(), graph, inputs, outputs);
  }

  /** The values of the given names, with workers. */
  public static Map<String, Numbers> of(
      Device device, Workers workers, Graph graph, Map<String, Tensor> inputs, String... outputs) {
    Map<String, Numbers> results = new LinkedHashMap<>();
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.on(device, graph, outputs);
        Execution execution = plan.newExecution(workers)) {
      plan.inputs()
          .forEach(
              value -> {
                Tensor tensor = inputs.get(value.name());
                DType stored = device.stored(tensor.dtype());
                execution.input(value.name(), tensor.to(arena, stored));
              });
      execution.run();
      for (String output : outputs) {
        Tensor tensor = execution.output(output);
        results.put(output, new Numbers(tensor.shape(), tensor.toDoubles()));
      }
    }
    return results;
  }
}
