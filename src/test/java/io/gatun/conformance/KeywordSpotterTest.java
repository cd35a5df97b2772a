package io.gatun.conformance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import io.gatun.Evaluation;
import io.gatun.Shared;
import io.gatun.format.TensorFile;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.kernel.Device;
import io.gatun.layer.Convention;
import io.gatun.layer.Convolution;
import io.gatun.layer.Dense;
import io.gatun.layer.Gru;
import io.gatun.layer.Layers;
import io.gatun.layer.Lstm;
import io.gatun.layer.Weights;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * Keyword spotters that ARM trained in TensorFlow 1 hear "right" in a recording of it, with the
 * probabilities that an independent computation gave (to the digits it printed).
 */
class KeywordSpotterTest {
  private static final String RNN = "rnn.multi_rnn_cell.cell_";

  /** Builds a network on {@code features} and returns its logits. */
  private interface Network {
    Value build(Graph.Builder graph, Value features, TensorFile weights);
  }

  @TestFactory
  List<DynamicTest> everySpotterHearsRight() {
    List<DynamicTest> tests = new ArrayList<>();
    Evaluation.devices()
        .forEach(
            device -> {
              add(tests, device, "GRU_S", "40ms_40ms", 0.99996, 5e-6, KeywordSpotterTest::gru);
              add(tests, device, "CRNN_S", "40ms_20ms", 0.99996, 5e-6, KeywordSpotterTest::crnn);
              add(
                  tests,
                  device,
                  "Basic_LSTM_S",
                  "40ms_20ms",
                  0.9996,
                  5e-5,
                  KeywordSpotterTest::lstm);
              add(
                  tests,
                  device,
                  "Basic_LSTM_S",
                  "40ms_40ms",
                  Double.NaN,
                  0,
                  KeywordSpotterTest::lstm);
            });
    return tests;
  }

  private static void add(
      List<DynamicTest> tests,
      Device device,
      String model,
      String features,
      double probability,
      double rounding,
      Network network) {
    tests.add(
        dynamicTest(
            model + ", " + features + " on " + device.description(),
            () -> hearsRight(device, model, features, probability, rounding, network)));
  }

  private static Dense dense(String name, TensorFile file, String kernel, String bias) {
    return Dense.builder(name)
        .weights(
            Weights.of(
                Convention.TENSORFLOW1,
                Map.of("kernel", file.tensor(kernel), "bias", file.tensor(bias))))
        .build();
  }

  private static Gru gru(String name, TensorFile file, int cell, boolean sequences) {
    String prefix = RNN + cell + ".gru_cell.";
    return Gru.builder(name)
        .weights(
            Weights.of(
                Convention.TENSORFLOW1,
                Map.of(
                    "gates/kernel", file.tensor(prefix + "gates.kernel"),
                    "gates/bias", file.tensor(prefix + "gates.bias"),
                    "candidate/kernel", file.tensor(prefix + "candidate.kernel"),
                    "candidate/bias", file.tensor(prefix + "candidate.bias"))))
        .returnSequences(sequences)
        .build();
  }

  private static Value gru(Graph.Builder g, Value features, TensorFile file) {
    Value x = Layers.swapTimeAndBatch(g, "steps", features);
    return dense("logits", file, "W_o", "b_o").apply(g, gru("gru", file, 0, false).apply(g, x));
  }

  private static Value lstm(Graph.Builder g, Value features, TensorFile file) {
    Value x = Layers.swapTimeAndBatch(g, "steps", features);
    Lstm lstm =
        Lstm.builder("lstm")
            .weights(
                Weights.of(
                    Convention.TENSORFLOW1,
                    Map.of(
                        "kernel", file.tensor("lstm.rnn.basic_lstm_cell.kernel"),
                        "bias", file.tensor("lstm.rnn.basic_lstm_cell.bias"))))
            .returnSequences(false)
            .build();
    return dense("logits", file, "W_o", "b_o").apply(g, lstm.apply(g, x));
  }

  private static Value crnn(Graph.Builder g, Value features, TensorFile file) {
    Value image = Layers.reshape(g, "image", features, 0, 49, 10, 1);
    Value maps =
        Convolution.builder("convolution")
            .weights(
                Weights.of(
                    Convention.TENSORFLOW1,
                    Map.of("kernel", file.tensor("W"), "bias", file.tensor("Variable"))))
            .strides(2, 2)
            .channelsLast()
            .activation(Activation.RELU)
            .build()
            .apply(g, image);
    Value rows = Layers.reshape(g, "rows", maps, 0, 0, 192);
    Value x = Layers.swapTimeAndBatch(g, "steps", rows);
    Value h = gru("gru_0", file, 0, true).apply(g, x);
    Value last = gru("gru_1", file, 1, false).apply(g, h);
    Dense hidden =
        Dense.builder("dense")
            .weights(
                Weights.of(
                    Convention.TENSORFLOW1,
                    Map.of("kernel", file.tensor("fcw"), "bias", file.tensor("Variable_1"))))
            .activation(Activation.RELU)
            .build();
    return dense("logits", file, "Variable_2", "Variable_3").apply(g, hidden.apply(g, last));
  }

  private static void hearsRight(
      Device device,
      String model,
      String features,
      double probability,
      double rounding,
      Network network)
      throws IOException {
    List<String> labels = Files.readAllLines(Shared.path("models/kws_arm/labels.txt"));
    try (TensorFile weights = TensorFile.open(Shared.path("models/kws_arm/" + model + ".npz"));
        TensorFile recording =
            TensorFile.open(Shared.path("models/kws_arm/right_mfcc_" + features + ".npy"))) {
      Tensor mfcc = recording.tensor(recording.names().iterator().next()).unsqueeze(0);
      Graph.Builder g = Graph.builder(model);
      Value in = g.input("mfcc", DType.FLOAT32, "batch", mfcc.dim(1), 10);
      g.output(Layers.softmax(g, "answer", network.build(g, in, weights)));
      double[] answer =
          Evaluation.of(device, g.build(), Map.of("mfcc", mfcc), "answer").get("answer").values();
      int best = 0;
      for (int i = 0; i < answer.length; i++) {
        best = answer[i] > answer[best] ? i : best;
      }
      assertEquals("right", labels.get(best));
      System.out.printf("%s %s on %s: right %.7f%n", model, features, device.name(), answer[best]);
      if (!Double.isNaN(probability)) {
        assertEquals(probability, answer[best], rounding);
      }
    }
  }
}
