package io.gatun.conformance;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.format.ModelFormatException;
import io.gatun.format.OnnxModel;
import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every node case of the ONNX project, read from its file as anybody's model is, on the plain and
 * on the best device, with the project's own tolerances ({@code rtol = 1e-3, atol = 1e-7}). Each
 * case is right or refused by name; a wrong answer or any other exception fails the build.
 *
 * <p>{@code -Dgatun.onnx=REGEX} runs only the cases whose name or operators match, and prints each.
 */
class OnnxConformanceTest {
  /** How many were right when this was written last: fewer is a step back. */
  private static final int RIGHT_AT_LEAST = 1452;

  private static final double RELATIVE = 1e-3;
  private static final double ABSOLUTE = 1e-7;

  private enum Result {
    RIGHT,
    REFUSED,
    WRONG,
    CRASHED
  }

  private record Outcome(Result result, String detail) {}

  @Test
  void everyCaseIsRightOrRefusedByName(@TempDir Path folder) throws IOException {
    String filter = System.getProperty("gatun.onnx", "");
    Pattern wanted = Pattern.compile(filter, Pattern.CASE_INSENSITIVE);
    Path zip = Shared.path("conformance/onnx-node-v1.22.0.zip");
    Map<Result, List<String>> results = new TreeMap<>();
    Map<String, Integer> reasons = new TreeMap<>();
    try (ZipFile cases = new ZipFile(zip.toFile())) {
      for (String name : names(cases)) {
        Path model = folder.resolve("model.onnx");
        extract(cases, name + "/model.onnx", model);
        if (!filter.isEmpty() && !wanted.matcher(name).find()) {
          continue;
        }
        Outcome outcome = run(cases, name, model, folder);
        results
            .computeIfAbsent(outcome.result, r -> new ArrayList<>())
            .add(name + ": " + outcome.detail);
        if (outcome.result == Result.REFUSED) {
          reasons.merge(reason(outcome.detail), 1, Integer::sum);
        }
        if (!filter.isEmpty()) {
          System.out.println(outcome.result + " " + name + ": " + outcome.detail);
        }
      }
    }
    StringBuilder counts = new StringBuilder("ONNX node cases:");
    for (Result result : Result.values()) {
      int count = results.getOrDefault(result, List.of()).size();
      counts.append(' ').append(count).append(' ').append(result).append(',');
    }
    System.out.println(counts.deleteCharAt(counts.length() - 1));
    if (Boolean.getBoolean("gatun.onnx.reasons")) {
      reasons.entrySet().stream()
          .sorted(Map.Entry.<String, Integer>comparingByValue().reversed())
          .forEach(entry -> System.out.println(entry.getValue() + " refused: " + entry.getKey()));
    }
    List<String> bad = new ArrayList<>(results.getOrDefault(Result.WRONG, List.of()));
    bad.addAll(results.getOrDefault(Result.CRASHED, List.of()));
    assertTrue(bad.isEmpty(), bad.size() + " wrong or crashed:\n" + String.join("\n", bad));
    if (filter.isEmpty()) {
      int right = results.getOrDefault(Result.RIGHT, List.of()).size();
      assertTrue(right >= RIGHT_AT_LEAST, right + " right, expected at least " + RIGHT_AT_LEAST);
    }
  }

  /** What a refusal says without the file and the names in it. */
  private static String reason(String message) {
    return message
        .replaceFirst("^[^:]*model.onnx: at byte \\d+: ", "")
        .replaceAll("'[^']*'", "…")
        .replaceFirst("; did you mean.*|; docs/.*", "");
  }

  private static List<String> names(ZipFile cases) {
    TreeSet<String> names = new TreeSet<>();
    cases.stream()
        .map(ZipEntry::getName)
        .filter(entry -> entry.endsWith("/model.onnx"))
        .forEach(entry -> names.add(entry.substring(0, entry.indexOf('/'))));
    return List.copyOf(names);
  }

  private static void extract(ZipFile cases, String entry, Path target) throws IOException {
    try (InputStream in = cases.getInputStream(cases.getEntry(entry))) {
      Files.write(target, in.readAllBytes());
    }
  }

  private static Outcome run(ZipFile cases, String name, Path file, Path folder)
      throws IOException {
    try (OnnxModel model = OnnxModel.open(file)) {
      Graph graph = model.graph();
      Map<String, Tensor> inputs = new LinkedHashMap<>();
      for (int i = 0; i < graph.inputs().size(); i++) {
        inputs.put(graph.inputs().get(i).name(), data(cases, name, "input_" + i, folder));
      }
      String detail = "";
      for (Device device : List.of(new ScalarDevice(DType.FLOAT32), Devices.best())) {
        Outcome outcome = compare(cases, name, folder, graph, inputs, device);
        if (outcome.result != Result.RIGHT) {
          return outcome;
        }
        detail = outcome.detail;
      }
      return new Outcome(Result.RIGHT, detail);
    } catch (ModelFormatException | ShapeException | UnsupportedOperationException e) {
      return new Outcome(Result.REFUSED, e.getMessage());
    } catch (RuntimeException | AssertionError e) {
      StackTraceElement[] trace = e.getStackTrace();
      return new Outcome(
          Result.CRASHED, e + Arrays.toString(Arrays.copyOf(trace, Math.min(4, trace.length))));
    }
  }

  private static Tensor data(ZipFile cases, String name, String what, Path folder)
      throws IOException {
    Path file = folder.resolve("data.pb");
    extract(cases, name + "/test_data_set_0/" + what + ".pb", file);
    return OnnxModel.tensor(file);
  }

  private static Outcome compare(
      ZipFile cases,
      String name,
      Path folder,
      Graph graph,
      Map<String, Tensor> inputs,
      Device device)
      throws IOException {
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.on(device, graph);
        Execution execution = plan.newExecution()) {
      for (Value input : plan.inputs()) {
        Tensor tensor = inputs.get(input.name());
        execution.input(input.name(), tensor.to(arena, device.stored(tensor.dtype())));
      }
      execution.run();
      int index = 0;
      for (Value output : graph.outputs()) {
        Tensor expected = data(cases, name, "output_" + index++, folder);
        // Their transforms were formed in float32: where 0 is right they have up to 2e-7.
        double absolute = name.startsWith("test_dft") ? 1e-6 : ABSOLUTE;
        String difference = difference(output, expected, execution.output(output.name()), absolute);
        if (difference != null) {
          return new Outcome(Result.WRONG, device.name() + ": " + difference);
        }
      }
      return new Outcome(Result.RIGHT, graph.outputs().toString());
    }
  }

  private static String difference(Value value, Tensor expected, Tensor actual, double absolute) {
    if (value.type() != expected.dtype() || !expected.shape().equals(actual.shape())) {
      return value.name() + " is " + value.type().label() + actual + ", expected " + expected;
    }
    double[] theirs = expected.toDoubles();
    double[] ours = actual.toDoubles();
    for (int i = 0; i < theirs.length; i++) {
      boolean same =
          Double.compare(theirs[i], ours[i]) == 0
              || Math.abs(theirs[i] - ours[i]) <= absolute + RELATIVE * Math.abs(theirs[i]);
      if (!same) {
        return value.name() + "[" + i + "] is " + ours[i] + ", expected " + theirs[i];
      }
    }
    return null;
  }
}
