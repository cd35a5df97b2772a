package io.gatun.layer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Evaluation;
import io.gatun.Seeds;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.kernel.Device;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Layers without a loop, against naive computations, and what all layers say of wrong weights. */
class LayersTest {
  private final Arena arena = Arena.ofConfined();
  private final Random random = Seeds.random("layers");

  @AfterEach
  void close() {
    arena.close();
  }

  private Tensor random(long... dims) {
    Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
    Tensor flat = tensor.reshape(tensor.elements());
    for (long i = 0; i < flat.elements(); i++) {
      flat.setFloat((float) random.nextGaussian(), i);
    }
    return tensor;
  }

  private static void close(double[] expected, double[] actual, Device device, int terms) {
    double largest = Arrays.stream(expected).map(Math::abs).max().orElse(0);
    assertArrayEquals(expected, actual, Bounds.recurrent(device, terms, 1, Math.max(1, largest)));
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void aDenseLayerIsTheSameInEveryConvention(Device device) {
    Tensor x = random(3, 4, 5);
    Tensor kernel = random(5, 6);
    Tensor bias = random(6);
    double[] expected = new double[3 * 4 * 6];
    for (int row = 0; row < 12; row++) {
      for (int j = 0; j < 6; j++) {
        double sum = bias.getDouble(j);
        for (int k = 0; k < 5; k++) {
          sum += x.getDouble(row / 4, row % 4, k) * kernel.getDouble(k, j);
        }
        expected[row * 6 + j] = Math.max(0, sum);
      }
    }
    Graph.Builder g = Graph.builder("dense");
    Value in = g.input("x", DType.FLOAT32, "time", "batch", 5);
    Map<Convention, Map<String, Tensor>> all = new LinkedHashMap<>();
    Tensor turned = kernel.transpose().copy(arena);
    all.put(Convention.PYTORCH, Map.of("weight", turned, "bias", bias));
    all.put(Convention.KERAS, Map.of("kernel", kernel, "bias", bias));
    all.put(Convention.TENSORFLOW1, Map.of("kernel", kernel, "bias", bias));
    all.put(Convention.ONNX, Map.of("B", kernel, "C", bias));
    all.forEach(
        (convention, parts) ->
            Dense.builder(convention.label())
                .weights(Weights.of(convention, parts))
                .activation(Activation.RELU)
                .build()
                .apply(g, in));
    String[] names = all.keySet().stream().map(Convention::label).toArray(String[]::new);
    var results = Evaluation.of(device, g.build(), Map.of("x", x), names);
    for (String name : names) {
      close(expected, results.get(name).values(), device, 6);
    }
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void anEmbeddingLooksUpRowsAndDropoutDoesNothing(Device device) {
    Tensor table = random(7, 3);
    Graph.Builder g = Graph.builder("embedding");
    Value tokens = g.input("tokens", DType.INT32, "time", "batch");
    Weights weights = Weights.of(Convention.PYTORCH, Map.of("weight", table));
    Value rows = Embedding.of("embedding", weights).apply(g, tokens);
    Layers.dropout(g, "dropout", 0.5, rows);
    Tensor ids = Tensor.ofInts(arena, new int[] {6, 0, 3, 3}, 2, 2);
    double[] expected = new double[12];
    for (int i = 0; i < 12; i++) {
      expected[i] = table.getDouble(ids.getLong(i / 6, i / 3 % 2), i % 3);
    }
    var results = Evaluation.of(device, g.build(), Map.of("tokens", ids), "embedding", "dropout");
    assertArrayEquals(expected, results.get("embedding").values());
    assertArrayEquals(expected, results.get("dropout").values());
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void layerNormHasMeanZeroAndVarianceOneBeforeScaleAndShift(Device device) {
    Tensor x = random(4, 9);
    Tensor scale = random(9);
    Tensor shift = random(9);
    double[] expected = new double[36];
    for (int row = 0; row < 4; row++) {
      double[] values = x.select(0, row).toDoubles();
      double mean = Arrays.stream(values).average().orElseThrow();
      double variance =
          Arrays.stream(values).map(v -> (v - mean) * (v - mean)).average().orElseThrow();
      for (int i = 0; i < 9; i++) {
        expected[row * 9 + i] =
            (values[i] - mean) / Math.sqrt(variance + 1e-3f) * scale.getDouble(i)
                + shift.getDouble(i);
      }
    }
    Graph.Builder g = Graph.builder("norm");
    Value in = g.input("x", DType.FLOAT32, "batch", 9);
    LayerNorm.of("norm", Weights.of(Convention.KERAS, Map.of("gamma", scale, "beta", shift)))
        .apply(g, in);
    close(
        expected,
        Evaluation.of(device, g.build(), Map.of("x", x), "norm").get("norm").values(),
        device,
        9);
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void bothHardSigmoidsAreThere(Device device) {
    Graph.Builder g = Graph.builder("hard");
    Value in = g.input("x", DType.FLOAT32, 5);
    double sixth = 1f / 6f;
    Layers.activation(g, "onnx", Activation.HARD_SIGMOID, in);
    Layers.activation(g, "keras3", Activation.HARD_SIGMOID_SIXTH, in);
    Tensor x = Tensor.ofFloats(arena, new float[] {-4, -1, 0, 1, 2.75f}, 5);
    var results = Evaluation.of(device, g.build(), Map.of("x", x), "onnx", "keras3");
    close(
        new double[] {0, 0.5 - 0.2f, 0.5, 0.5 + 0.2f, 1}, results.get("onnx").values(), device, 1);
    close(
        new double[] {0, 0.5 - sixth, 0.5, 0.5 + sixth, 2.75 * sixth + 0.5},
        results.get("keras3").values(),
        device,
        1);
  }

  /** Keras' own definition of {@code same}, channels last, strides and dilations, in doubles. */
  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void convolutionsWithChannelsLastPadAsTensorFlow(Device device) {
    int height = 7;
    int width = 6;
    Tensor x = random(2, height, width, 3);
    Tensor kernel = random(3, 2, 3, 4);
    Tensor bias = random(4);
    Weights weights = Weights.of(Convention.KERAS, Map.of("kernel", kernel, "bias", bias));
    Graph.Builder g = Graph.builder("convolution");
    Value in = g.input("x", DType.FLOAT32, "batch", height, width, 3);
    Convolution.builder("same")
        .weights(weights)
        .channelsLast()
        .same()
        .strides(2, 3)
        .build()
        .apply(g, in);
    Convolution.builder("valid")
        .weights(weights)
        .channelsLast()
        .dilations(2, 1)
        .build()
        .apply(g, in);
    var results = Evaluation.of(device, g.build(), Map.of("x", x), "same", "valid");
    // same: ⌈7/2⌉ = 4 rows need (4−1)·2+3−7 = 2 zeros, ⌈6/3⌉ = 2 columns need none.
    close(
        naive(x, kernel, bias, new int[] {4, 2}, new int[] {2, 3}, new int[] {1, 1}, 1, 0),
        results.get("same").values(),
        device,
        19);
    close(
        naive(x, kernel, bias, new int[] {3, 5}, new int[] {1, 1}, new int[] {2, 1}, 0, 0),
        results.get("valid").values(),
        device,
        19);
  }

  private static double[] naive(
      Tensor x,
      Tensor kernel,
      Tensor bias,
      int[] size,
      int[] stride,
      int[] dilation,
      int top,
      int left) {
    double[] y = new double[(int) x.dim(0) * size[0] * size[1] * (int) kernel.dim(3)];
    int at = 0;
    for (int n = 0; n < x.dim(0); n++) {
      for (int i = 0; i < size[0]; i++) {
        for (int j = 0; j < size[1]; j++) {
          for (int out = 0; out < kernel.dim(3); out++) {
            double sum = bias.getDouble(out);
            for (int p = 0; p < kernel.dim(0); p++) {
              for (int q = 0; q < kernel.dim(1); q++) {
                int row = i * stride[0] + p * dilation[0] - top;
                int column = j * stride[1] + q * dilation[1] - left;
                for (int in = 0; in < kernel.dim(2); in++) {
                  if (row >= 0 && row < x.dim(1) && column >= 0 && column < x.dim(2)) {
                    sum += x.getDouble(n, row, column, in) * kernel.getDouble(p, q, in, out);
                  }
                }
              }
            }
            y[at++] = sum;
          }
        }
      }
    }
    return y;
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void aCausalConvolutionSeesThePrefixAlone(Device device) {
    int time = 11;
    Tensor x = random(time, 2, 3);
    Tensor kernel = random(4, 3, 3);
    Graph.Builder g = Graph.builder("causal");
    Value in = g.input("x", DType.FLOAT32, "time", "batch", 3);
    Convolution.builder("causal")
        .weights(Weights.of(Convention.PYTORCH, Map.of("weight", kernel)))
        .timeFirst()
        .causal()
        .dilations(2)
        .build()
        .apply(g, in);
    Graph graph = g.build();
    double[] y = Evaluation.of(device, graph, Map.of("x", x), "causal").get("causal").values();
    double[] expected = new double[time * 2 * 4];
    for (int t = 0; t < time; t++) {
      for (int b = 0; b < 2; b++) {
        for (int out = 0; out < 4; out++) {
          for (int back = 0; back < 3 && t - 2 * back >= 0; back++) {
            for (int c = 0; c < 3; c++) {
              expected[(t * 2 + b) * 4 + out] +=
                  x.getDouble(t - 2 * back, b, c) * kernel.getDouble(out, c, 2 - back);
            }
          }
        }
      }
    }
    close(expected, y, device, 9);
    Tensor prefix = x.slice(0, 0, 5).copy(arena);
    double[] first =
        Evaluation.of(device, graph, Map.of("x", prefix), "causal").get("causal").values();
    assertArrayEquals(Arrays.copyOf(y, first.length), first);
  }

  @ParameterizedTest
  @MethodSource("io.gatun.Evaluation#devices")
  void attentionLooksAtTheSourceAsFarAsItGoes(Device device) {
    int time = 2;
    int source = 5;
    int batch = 3;
    int size = 4;
    int queries = 6;
    Tensor q = random(time, batch, queries);
    Tensor m = random(source, batch, size);
    Tensor same = random(time, batch, size);
    int[] lengths = {5, 2, 3};
    Tensor general = random(queries, size);
    Tensor wq = random(7, queries);
    Tensor bq = random(7);
    Tensor wm = random(7, size);
    Tensor v = random(1, 7);
    Graph.Builder g = Graph.builder("attention");
    Value query = g.input("query", DType.FLOAT32, "time", "batch", queries);
    Value like = g.input("like", DType.FLOAT32, "time", "batch", size);
    Value memory = g.input("memory", DType.FLOAT32, "source", "batch", size);
    Value lens = g.input("lengths", DType.INT32, "batch");
    Attention.dot("dot", 0.5).apply(g, like, memory, lens);
    Attention.general("general", Weights.of(Convention.PYTORCH, Map.of("weight", general)))
        .apply(g, query, memory, lens);
    Attention.additive(
            "additive",
            Weights.of(
                Convention.PYTORCH,
                Map.of(
                    "query.weight", wq, "query.bias", bq, "memory.weight", wm, "score.weight", v)))
        .apply(g, query, memory, lens);
    Map<String, Tensor> inputs =
        Map.of(
            "query", q, "like", same, "memory", m, "lengths", Tensor.ofInts(arena, lengths, batch));
    var results =
        Evaluation.of(
            device,
            g.build(),
            inputs,
            "dot",
            "dot.weights",
            "general",
            "general.weights",
            "additive",
            "additive.weights");
    for (String kind : new String[] {"dot", "general", "additive"}) {
      double[] weights = new double[batch * time * source];
      double[] context = new double[time * batch * size];
      for (int t = 0; t < time; t++) {
        for (int b = 0; b < batch; b++) {
          double[] score = new double[lengths[b]];
          double total = 0;
          for (int s = 0; s < score.length; s++) {
            score[s] =
                switch (kind) {
                  case "dot" -> 0.5 * dot(same.select(0, t).select(0, b), m, s, b, null);
                  case "general" -> dot(q.select(0, t).select(0, b), m, s, b, general);
                  default -> bahdanau(q.select(0, t).select(0, b), m, s, b, wq, bq, wm, v);
                };
            score[s] = Math.exp(score[s]);
            total += score[s];
          }
          for (int s = 0; s < score.length; s++) {
            weights[(b * time + t) * source + s] = score[s] / total;
            for (int k = 0; k < size; k++) {
              context[(t * batch + b) * size + k] += score[s] / total * m.getDouble(s, b, k);
            }
          }
        }
      }
      // The scores reach ± 10 or so; softmax makes of their error a relative one.
      assertArrayEquals(
          new long[] {batch, time, source}, results.get(kind + ".weights").shape().dims());
      double bound = Bounds.recurrent(device, queries * size, 1, 16);
      assertArrayEquals(weights, results.get(kind + ".weights").values(), bound);
      assertArrayEquals(context, results.get(kind).values(), bound * 4);
    }
  }

  /** q · (W m), or q · m without W. */
  private static double dot(Tensor q, Tensor m, int s, int b, Tensor w) {
    double sum = 0;
    for (int i = 0; i < q.dim(0); i++) {
      if (w == null) {
        sum += q.getDouble(i) * m.getDouble(s, b, i);
        continue;
      }
      for (int k = 0; k < m.dim(2); k++) {
        sum += q.getDouble(i) * w.getDouble(i, k) * m.getDouble(s, b, k);
      }
    }
    return sum;
  }

  private static double bahdanau(
      Tensor q, Tensor m, int s, int b, Tensor wq, Tensor bq, Tensor wm, Tensor v) {
    double score = 0;
    for (int a = 0; a < wq.dim(0); a++) {
      double sum = bq.getDouble(a);
      for (int i = 0; i < q.dim(0); i++) {
        sum += wq.getDouble(a, i) * q.getDouble(i);
      }
      for (int k = 0; k < m.dim(2); k++) {
        sum += wm.getDouble(a, k) * m.getDouble(s, b, k);
      }
      score += v.getDouble(0, a) * Math.tanh(sum);
    }
    return score;
  }

  @Test
  void wrongWeightsAreNamedWithWhatWasExpected() {
    Map<String, Tensor> parts = new LinkedHashMap<>();
    parts.put("weight_ih", random(1024, 40));
    parts.put("weight_hh", random(1024, 255));
    assertMessage(
        "lstm_1: weight weight_hh is [1024, 255], expected [1024, 256] (4 gates × hidden 256,"
            + " hidden)",
        () -> Lstm.builder("lstm_1").weights(Weights.of(Convention.PYTORCH, parts)).build());
    parts.put("weight_hh", random(1024, 256));
    parts.put("bias_ih", random(1023));
    assertMessage(
        "lstm_1: weight bias_ih is [1023], expected [1024] (4 gates × hidden 256)",
        () -> Lstm.builder("lstm_1").weights(Weights.of(Convention.PYTORCH, parts)).build());
    parts.remove("bias_ih");
    parts.remove("weight_ih");
    assertMessage(
        "lstm_1: weight weight_ih is missing; there are weight_hh (convention pytorch)",
        () -> Lstm.builder("lstm_1").weights(Weights.of(Convention.PYTORCH, parts)).build());
    parts.put("weight_ih", random(1024, 40));
    parts.put("bias_hi", random(1024));
    assertMessage(
        "did you mean bias_",
        () -> Lstm.builder("lstm_1").weights(Weights.of(Convention.PYTORCH, parts)).build());
    parts.remove("bias_hi");
    assertMessage(
        "lstm_1: hidden size is 128, but the weights are of hidden size 256",
        () ->
            Lstm.builder("lstm_1")
                .weights(Weights.of(Convention.PYTORCH, parts))
                .hiddenSize(128)
                .build());
    assertMessage(
        "gru_1: weight weight_hh is [1024, 256], expected 3 gates × hidden in the first axis",
        () -> Gru.builder("gru_1").weights(Weights.of(Convention.PYTORCH, parts)).build());
    assertMessage(
        "input is x float32[time, batch, 41], expected [time, batch, 40]",
        () -> {
          Graph.Builder g = Graph.builder("net");
          Value x = g.input("x", DType.FLOAT32, "time", "batch", 41);
          Lstm.builder("lstm_1").weights(Weights.of(Convention.PYTORCH, parts)).build().apply(g, x);
        });
    assertMessage(
        "the reset gate is asked for before the product",
        () ->
            Gru.builder("gru_1")
                .weights(
                    Weights.of(
                        Convention.PYTORCH,
                        Map.of("weight_ih", random(9, 2), "weight_hh", random(9, 3))))
                .resetAfter(false)
                .build());
    assertMessage(
        "the first 1 (directions)",
        () ->
            Gru.builder("gru_1")
                .weights(
                    Weights.of(Convention.ONNX, Map.of("W", random(2, 9, 2), "R", random(2, 9, 3))))
                .build());
  }

  private static void assertMessage(String part, org.junit.jupiter.api.function.Executable work) {
    RuntimeException e = assertThrows(RuntimeException.class, work);
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }

  @Test
  void weightsArePackedFromWhereTheyLie() {
    Tensor kernel = random(3, 8);
    Graph.Builder g = Graph.builder("view");
    Value x = g.input("x", DType.FLOAT32, "time", "batch", 3);
    Weights weights =
        Weights.of(Convention.KERAS, Map.of("kernel", kernel, "recurrent_kernel", random(2, 8)));
    Lstm.builder("lstm").weights(weights).build().apply(g, x);
    var blocks = g.find("lstm.W").constant().blocks(arena, 2, 3);
    assertEquals(4, blocks.size());
    blocks.forEach(
        block ->
            assertEquals(kernel.baseSegment().address(), block.baseSegment().address(), "a view"));
  }
}
