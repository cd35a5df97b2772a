package io.gatun.conformance;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.gatun.Evaluation;
import io.gatun.Shared;
import io.gatun.format.Json;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.kernel.Device;
import io.gatun.kernel.Workers;
import io.gatun.layer.Convention;
import io.gatun.layer.Gru;
import io.gatun.layer.Lstm;
import io.gatun.layer.Recurrent;
import io.gatun.layer.SimpleRnn;
import io.gatun.layer.StatefulExecution;
import io.gatun.layer.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Cases with Keras' own outputs, from the Keras.js project. Their {@code hard_sigmoid} is 0.2 x +
 * 0.5, and a GRU resets before the product.
 *
 * <p>A stateful layer was given the same input twice, and the expected output is that of the second
 * run, which starts from the state that the first one left. The numbers are printed with 6 digits
 * after the point, so both the weights (by up to 5e-7 each) and the outputs are rounded; float32
 * Keras adds less. The bound on the output is what that rounding of weights of magnitude 1 can do
 * to sums over the few inputs and units there are, once through each time step.
 */
class KerasJsTest {

  @TestFactory
  List<DynamicTest> recurrentLayersAnswerAsKeras() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    List<Json> cases = Json.read(Shared.path("conformance/keras-js/recurrent.json")).items();
    assertEquals(27, cases.size());
    for (Json each : cases) {
      Json.Fields fields = each.fields();
      Evaluation.devices()
          .forEach(
              device ->
                  tests.add(
                      dynamicTest(
                          fields.string("layer")
                              + " "
                              + fields.require("case").integer(0)
                              + " on "
                              + device.description(),
                          () -> check(each.fields(), device))));
    }
    return tests;
  }

  private static Tensor tensor(Arena arena, Json json) {
    Json.Fields fields = json.fields();
    double[] values = fields.require("data").items().stream().mapToDouble(Json::number).toArray();
    List<Json> shape = fields.require("shape").items();
    long[] dims = shape.stream().mapToLong(size -> size.integer(0)).toArray();
    return Tensor.ofDoubles(arena, values, dims);
  }

  private static Recurrent layer(Json.Fields json, Weights weights) {
    Json.Fields attributes = json.require("attributes").fields();
    Activation activation = Activation.of(attributes.string("activation"));
    Activation gates = Activation.of(attributes.string("recurrent_activation", "sigmoid"));
    int units = attributes.require("units").integer(1);
    boolean sequences = attributes.bool("return_sequences", false);
    boolean backwards = attributes.bool("go_backwards", false);
    String name = json.string("layer");
    return switch (name) {
      case "SimpleRNN" -> {
        var builder =
            SimpleRnn.builder(name)
                .weights(weights)
                .hiddenSize(units)
                .activation(activation)
                .returnSequences(sequences);
        yield (backwards ? builder.goBackwards() : builder).build();
      }
      case "GRU" -> {
        var builder =
            Gru.builder(name)
                .weights(weights)
                .hiddenSize(units)
                .activation(activation)
                .recurrentActivation(gates)
                .resetAfter(false)
                .returnSequences(sequences);
        yield (backwards ? builder.goBackwards() : builder).build();
      }
      default -> {
        var builder =
            Lstm.builder(name)
                .weights(weights)
                .hiddenSize(units)
                .activation(activation)
                .recurrentActivation(gates)
                .returnSequences(sequences);
        yield (backwards ? builder.goBackwards() : builder).build();
      }
    };
  }

  private static void check(Json.Fields json, Device device) {
    try (Arena arena = Arena.ofConfined()) {
      Map<String, Tensor> parts = new LinkedHashMap<>();
      List<String> names = List.of("kernel", "recurrent_kernel", "bias");
      List<Json> given = json.require("weights").items();
      for (int i = 0; i < given.size(); i++) {
        parts.put(names.get(i), tensor(arena, given.get(i)));
      }
      Recurrent layer = layer(json, Weights.of(Convention.KERAS, parts));
      Tensor input = tensor(arena, json.require("input")).unsqueeze(1);
      Tensor expected = tensor(arena, json.require("expected"));
      int runs = json.require("attributes").fields().bool("stateful", false) ? 2 : 1;
      Graph.Builder g = Graph.builder("keras");
      Value x = g.input("x", DType.FLOAT32, "time", 1, layer.inputSize());
      Recurrent.State initial = layer.stateInputs(g, DType.FLOAT32, 1);
      Recurrent.Result result = layer.unroll(g, x, null, initial);
      List<String> wanted = new ArrayList<>(List.of(layer.name()));
      result.carries().forEach(carry -> wanted.add(carry.output()));
      try (Plan plan = Plan.on(device, g.build(), wanted.toArray(new String[0]));
          StatefulExecution loop =
              StatefulExecution.of(plan, Workers.none(), 1, result.carries())) {
        loop.execution().input("x", input.to(arena, device.real()));
        for (int run = 0; run < runs; run++) {
          loop.run();
        }
        int terms = layer.inputSize() + layer.hiddenSize() + 1;
        double bound = 5e-7 * terms * input.dim(0);
        Tensor actual = loop.execution().output(layer.name());
        assertArrayEquals(expected.toDoubles(), actual.toDoubles(), bound);
      }
    }
  }
}
