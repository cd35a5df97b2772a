package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

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
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Small networks of many kinds of layers give what another implementation of Keras gives: {@code
 * keras-cases.json} has been made by {@code keras-cases.mjs} beside it, with TensorFlow.js. What is
 * converted to a model folder gives the same bits.
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
    Path file = Files.createTempDirectory(folder, "case").resolve("model.h5");
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
                        Arrays.stream(shape(weight)).mapToInt(Math::toIntExact).toArray()));
              }
              weights.put(layer, list);
            });
    // Of this version, as TensorFlow.js is in what it does at time steps that are masked.
    KerasWriter.hdf5(file, "2.2.4", JsonText.of(each.require("model")), weights);
    Path converted = file.resolveSibling("converted");
    List<float[]> given;
    try (Model model = NetworkFile.open(file)) {
      assertEquals(List.of(), List.copyOf(model.unusedWeights()));
      given = run(model, each);
      NetworkWriter.write(model, converted);
    }
    List<Json> outputs = each.require("outputs").items();
    for (int i = 0; i < outputs.size(); i++) {
      assertArrayEquals(
          floats(outputs.get(i).fields().require("data")), given.get(i), TOLERANCE, "output " + i);
    }
    try (Model again = NetworkFile.open(converted)) {
      List<float[]> repeated = run(again, each);
      for (int i = 0; i < given.size(); i++) {
        assertArrayEquals(given.get(i), repeated.get(i), "converted, output " + i);
      }
    }
  }

  /** Runs a model over the inputs of a case, and checks the shapes of its outputs. */
  private static List<float[]> run(Model model, Json.Fields each) {
    Graph graph = model.network();
    List<float[]> made = new ArrayList<>();
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.of(graph);
        Execution execution = plan.newExecution()) {
      List<Json> inputs = each.require("inputs").items();
      for (int i = 0; i < inputs.size(); i++) {
        Value input = graph.inputs().get(i);
        Tensor numbers =
            Tensor.ofFloats(
                arena, floats(inputs.get(i).fields().require("data")), shape(inputs.get(i)));
        execution.input(
            input.name(),
            input.type() == DType.FLOAT32 ? numbers : numbers.to(arena, input.type()));
      }
      execution.run();
      List<Json> outputs = each.require("outputs").items();
      for (int i = 0; i < outputs.size(); i++) {
        String name = graph.outputs().get(i).name();
        assertArrayEquals(shape(outputs.get(i)), execution.shape(name).dims(), name);
        made.add(execution.output(name).toFloats());
      }
    }
    return made;
  }

  private static long[] shape(Json tensor) {
    return tensor.fields().require("shape").items().stream()
        .mapToLong(size -> size.integer(0, Integer.MAX_VALUE))
        .toArray();
  }

  private static float[] floats(Json list) {
    float[] numbers = new float[list.items().size()];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = (float) list.items().get(i).number();
    }
    return numbers;
  }
}
