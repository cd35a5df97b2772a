package io.gatun.graph;

import io.gatun.kernel.Device;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Random;

/** Small networks and numbers for the tests of this room. */
final class Networks {
  private Networks() {}

  static Device device() {
    return new ScalarDevice(DType.FLOAT32);
  }

  static Tensor random(Arena arena, Random random, long... dims) {
    Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
    float[] values = new float[Math.toIntExact(tensor.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return Tensor.ofFloats(arena, values, dims);
  }

  /** x [time, batch, 4] → gru (3 units) → product, bias, relu → softmax, all of them named. */
  static Graph tagger(Arena arena, Random random) {
    Graph.Builder g = Graph.builder("tagger");
    Value x = g.input("x", DType.FLOAT32, "time", "batch", 4);
    Value lengths = g.input("lengths", DType.INT32, "batch");
    Value w = g.constant("gru.W", random(arena, random, 1, 9, 4));
    Value r = g.constant("gru.R", random(arena, random, 1, 9, 3));
    Value b = g.constant("gru.B", random(arena, random, 1, 18));
    var gru =
        g.node(
            "gru",
            "GRU",
            Attributes.of("linear_before_reset", 1),
            java.util.Arrays.asList(x, w, r, b, lengths),
            java.util.List.of("gru.Y", "gru.last"));
    Value steps = g.node("gru.steps", "Squeeze", Attributes.of("axes", new long[] {1}), gru.get(0));
    Value product =
        g.node(
            "dense.product",
            "MatMul",
            Attributes.NONE,
            steps,
            g.constant("dense.W", random(arena, random, 3, 5)));
    Value sum =
        g.node(
            "dense.sum",
            "Add",
            Attributes.NONE,
            product,
            g.constant("dense.b", random(arena, random, 5)));
    Value relu = g.node("dense", "Relu", Attributes.NONE, sum);
    g.output(g.node("probabilities", "Softmax", Attributes.NONE, relu));
    return g.build();
  }
}
