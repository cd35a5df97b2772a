package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Small networks of many kinds of layers give what another implementation of Keras gives: {@code
 * keras-cases.json} has been made by {@code keras-cases.mjs} beside it, with TensorFlow.js.
 */
class KerasCasesTest {
  /** The numbers have seven digits, and pass through a few layers of a few terms each. */
  private static final float TOLERANCE = 2e-6f;

  @TempDir Path folder;

  @TestFactory
  Stream<DynamicTest> aModelGivesWhatTensorFlowJsGives() throws IOException {
    String text;
    try (InputStream in = getClass().getResourceAsStream("keras-cases.json")) {
      text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
    return Json.parse("keras-cases.json", text).items().stream()
        .map(
            each ->
                DynamicTest.dynamicTest(each.fields().string("name"), () -> check(each.fields())));
  }

  private void check(Json.Fields each) throws IOException {
    Path file = folder.resolve("model.h5");
    Map<String, List<KerasWriter.Weight>> weights = new LinkedHashMap<>();
    each.require("weights")
        .members()
        .forEach(
            (layer, own) -> {
              List<KerasWriter.Weight> list = new ArrayList<>();
              for (Json weight : own.items()) {
                list.add(
                    new KerasWriter.Weight(
                        weight.fields().string("name") + ":0",
                        floats(weight.fields().require("data")),
                        shape(weight).stream().mapToInt(Long::intValue).toArray()));
              }
              weights.put(layer, list);
            });
    // Of this version, as TensorFlow.js is in what it does at time steps that are masked.
    KerasWriter.hdf5(file, "2.2.4", JsonText.of(each.require("model")), weights);
    try (Model model = open(file);
        Arena arena = Arena.ofConfined()) {
      Graph graph = model.network();
      assertEquals(List.of(), List.copyOf(model.unusedWeights()));
      try (Plan plan = Plan.of(graph);
          Execution execution = plan.newExecution()) {
        List<Json> inputs = each.require("inputs").items();
        for (int i = 0; i < inputs.size(); i++) {
          Value input = graph.inputs().get(i);
          long[] dims = shape(inputs.get(i)).stream().mapToLong(Long::longValue).toArray();
          Tensor numbers =
              Tensor.ofFloats(arena, floats(inputs.get(i).fields().require("data")), dims);
          execution.input(
              input.name(),
              input.type() == DType.FLOAT32 ? numbers : numbers.to(arena, input.type()));
        }
        execution.run();
        List<Json> outputs = each.require("outputs").items();
        for (int i = 0; i < outputs.size(); i++) {
          String name = graph.outputs().get(i).name();
          long[] dims = shape(outputs.get(i)).stream().mapToLong(Long::longValue).toArray();
          assertArrayEquals(dims, execution.shape(name).dims(), name);
          assertArrayEquals(
              floats(outputs.get(i).fields().require("data")),
              execution.output(name).toFloats(),
              TOLERANCE,
              name);
        }
      }
    }
  }

  private static Model open(Path file) throws IOException {
    try {
      return NetworkFile.open(file);
    } catch (ModelFormatException e) {
      assumeFalse(e.getMessage().contains("no operator is called"), "skipped: " + e.getMessage());
      throw e;
    }
  }

  private static List<Long> shape(Json tensor) {
    return tensor.fields().require("shape").items().stream()
        .map(size -> size.integer(0, Integer.MAX_VALUE))
        .toList();
  }

  private static float[] floats(Json list) {
    float[] numbers = new float[list.items().size()];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = (float) list.items().get(i).number();
    }
    return numbers;
  }
}
