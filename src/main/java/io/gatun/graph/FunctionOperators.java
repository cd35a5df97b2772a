package io.gatun.graph;

import io.gatun.kernel.Activation;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Operators that are others put together. When such a node is added to a graph the others are added
 * in its place, so that they are fused, trained and run like any; they are called {@code NAME/1},
 * {@code NAME/2} and so on, and the last has the output's name.
 */
final class FunctionOperators {
  private static final float ROOT_TWO_OVER_PI = 0.7978845608f;

  private FunctionOperators() {}

  static List<Operator> all() {
    List<Operator> list = new ArrayList<>();
    list.add(new Function("Gelu", FunctionOperators::gelu));
    list.add(new Function("Celu", FunctionOperators::celu));
    list.add(new Function("Mish", FunctionOperators::mish));
    list.add(new Function("HardSwish", FunctionOperators::hardSwish));
    list.add(new Function("PRelu", FunctionOperators::parametricRelu));
    list.add(new Function("Clip", FunctionOperators::clip));
    list.add(new Function("ReduceL1", e -> reduced(e, e.add("Abs", e.in(0)), "ReduceSum")));
    list.add(
        new Function(
            "ReduceSumSquare", e -> reduced(e, e.add("Mul", e.in(0), e.in(0)), "ReduceSum")));
    list.add(new Function("ReduceLogSum", FunctionOperators::logSum));
    list.add(new Function("ReduceLogSumExp", FunctionOperators::logSumExp));
    list.add(new Function("SpaceToDepth", FunctionOperators::spaceToDepth));
    list.add(new Function("DepthToSpace", FunctionOperators::depthToSpace));
    list.add(new Function("MeanVarianceNormalization", FunctionOperators::meanVariance));
    list.add(new Function("InstanceNormalization", FunctionOperators::instanceNormalization));
    list.add(new Function("GroupNormalization", FunctionOperators::groupNormalization));
    list.add(new Function("RMSNormalization", FunctionOperators::rmsNormalization));
    list.add(new Function("LpNormalization", FunctionOperators::lpNormalization));
    list.add(new Function("Gemm", FunctionOperators::gemm));
    return list;
  }

  /** What an expansion does; it ends with {@link Expansion#last}. */
  interface Body {
    void build(Expansion expansion);
  }

  /** An operator that becomes other nodes. */
  record Function(String type, Body body) implements Operator {
    @Override
    public String limits() {
      return switch (type) {
        case "SpaceToDepth", "DepthToSpace" -> "channels, height and width must be known";
        case "GroupNormalization" -> "the number of channels must be known";
        case "LpNormalization" -> "p 1 and 2";
        case "Clip", "ReduceL1", "ReduceSumSquare" -> "";
        default -> "reals only";
      };
    }

    List<Value> expand(Expansion expansion) {
      body.build(expansion);
      return expansion.results;
    }

    @Override
    public void infer(Inference inference) {
      throw new IllegalStateException(type + " becomes other nodes when it is added");
    }

    @Override
    public Compiled compile(Compilation compilation) {
      throw new IllegalStateException(type + " becomes other nodes when it is added");
    }
  }

  /** A node on its way to becoming others. */
  static final class Expansion {
    private final Graph.Builder builder;
    private final Inference inference;
    private final List<String> names;
    private List<Value> results;
    private int added;

    Expansion(Graph.Builder builder, Inference inference, List<String> names) {
      this.builder = builder;
      this.inference = inference;
      this.names = names;
    }

    /** What is known of the inputs. */
    Inference inference() {
      return inference;
    }

    Attributes attributes() {
      return inference.attributes();
    }

    /** An input that must be there. */
    Value in(int input) {
      inference.dims(input);
      return inference.node().inputs().get(input);
    }

    /** An input, or {@code null}. */
    Value optional(int input) {
      return inference.has(input) ? inference.node().inputs().get(input) : null;
    }

    Value add(String operator, Value... in) {
      return add(operator, Attributes.NONE, in);
    }

    Value add(String operator, Attributes attributes, Value... in) {
      return add(Operators.get(operator), attributes, in);
    }

    Value add(Operator operator, Attributes attributes, Value... in) {
      String name = name();
      return builder.node(name, operator, attributes, Arrays.asList(in), List.of(name)).get(0);
    }

    private String name() {
      return inference.node().name() + "/" + ++added;
    }

    Value scaled(Value x, double factor, double addend) {
      return add("Affine", affine(factor, addend), x);
    }

    Value constant(Tensor tensor) {
      return builder.constant(name(), tensor);
    }

    Value constant(float number) {
      ByteBuffer bytes = ByteBuffer.allocateDirect(Float.BYTES).order(ByteOrder.nativeOrder());
      bytes.putFloat(0, number);
      return constant(Tensor.wrap(bytes, DType.FLOAT32));
    }

    Value integers(long... numbers) {
      return builder.integers(name(), numbers);
    }

    /** The last node, which has the outputs' names. */
    void last(String operator, Value... in) {
      last(operator, Attributes.NONE, in);
    }

    void last(String operator, Attributes attributes, Value... in) {
      last(Operators.get(operator), attributes, in);
    }

    void last(Operator operator, Attributes attributes, Value... in) {
      results =
          builder.node(inference.node().name(), operator, attributes, Arrays.asList(in), names);
    }

    ShapeException error(String message) {
      return inference.error(message);
    }
  }

  private static Attributes affine(double factor, double addend) {
    return Attributes.of("alpha", (float) factor, "beta", (float) addend);
  }

  /** x Φ(x), or with {@code approximate} "tanh" x / 2 (1 + tanh(√(2/π) (x + 0.044715 x³))). */
  private static void gelu(Expansion e) {
    String approximate = e.attributes().string("approximate", "none");
    Value x = e.in(0);
    if (approximate.equals("none")) {
      Operator exact = new ElementwiseOperators.Activate("Gelu", Activation.Kind.GELU);
      e.last(exact, Attributes.NONE, x);
      return;
    }
    if (!approximate.equals("tanh")) {
      throw e.error("approximate is '" + approximate + "', expected none or tanh");
    }
    // (1 + tanh(y)) / 2 = sigmoid(2 y)
    double factor = 2 * ROOT_TWO_OVER_PI;
    Value square = e.add("Mul", x, x);
    Value inner = e.add("Mul", e.scaled(square, 0.044715 * factor, factor), x);
    e.last("Mul", x, e.add("Sigmoid", inner));
  }

  /** x above 0, alpha (e^(x/alpha) − 1) below. */
  private static void celu(Expansion e) {
    float alpha = e.attributes().real("alpha", 1);
    Value elu = e.add("Elu", Attributes.of("alpha", 1f), e.scaled(e.in(0), 1.0 / alpha, 0));
    e.last("Affine", affine(alpha, 0), elu);
  }

  private static void mish(Expansion e) {
    e.last("Mul", e.in(0), e.add("Tanh", e.add("Softplus", e.in(0))));
  }

  private static void hardSwish(Expansion e) {
    Attributes sixth = Attributes.of("alpha", 1f / 6, "beta", 0.5f);
    e.last("Mul", e.in(0), e.add("HardSigmoid", sixth, e.in(0)));
  }

  /** x above 0, slope x below. */
  private static void parametricRelu(Expansion e) {
    Value below = e.add("Min", e.in(0), e.constant(0));
    e.last("Add", e.add("Relu", e.in(0)), e.add("Mul", below, e.in(1)));
  }

  private static void clip(Expansion e) {
    Value x = e.in(0);
    Value low = e.optional(1);
    Value high = e.optional(2);
    for (Value bound : Arrays.asList(low, high)) {
      if (bound != null && bound.dims().stream().anyMatch(dim -> !dim.matches(Dim.ONE))) {
        throw e.error("a bound is " + bound.dims() + ", expected one number");
      }
    }
    if (high == null) {
      e.last(low == null ? "Identity" : "Max", low == null ? one(x) : new Value[] {x, low});
    } else {
      e.last("Min", low == null ? x : e.add("Max", x, low), high);
    }
  }

  private static Value[] one(Value x) {
    return new Value[] {x};
  }

  /** Reduces a value as the node says. */
  private static void reduced(Expansion e, Value value, String reduction) {
    e.last(reduction, e.attributes(), value, e.optional(1));
  }

  private static void logSum(Expansion e) {
    e.last("Log", e.add("ReduceSum", e.attributes(), e.in(0), e.optional(1)));
  }

  /** Shifted by the maximum, which is kept finite so that infinities stay what they are. */
  private static void logSumExp(Expansion e) {
    Value x = e.in(0);
    Value axes = e.optional(1);
    Attributes keep = with(e.attributes(), "keepdims", 1);
    Value low = e.constant(-Float.MAX_VALUE);
    Value high = e.constant(Float.MAX_VALUE);
    Value shift = e.add("Clip", e.add("ReduceMax", keep, x, axes), low, high);
    Value terms = e.add("Exp", e.add("Sub", x, shift));
    Value sum = e.add("Log", e.add("ReduceSum", e.attributes(), terms, axes));
    // The maximum once more, without the axes that are gone: as a reduction of the shifted sum.
    Value back =
        e.attributes().integer("keepdims", 1) != 0
            ? shift
            : e.add("Clip", e.add("ReduceMax", e.attributes(), x, axes), low, high);
    e.last("Add", sum, back);
  }

  private static Attributes with(Attributes attributes, String name, long value) {
    List<Object> all = new ArrayList<>(List.of(name, value));
    for (String other : attributes.names()) {
      if (other.equals("noop_with_empty_axes")) {
        all.addAll(List.of(other, attributes.integer(other, 0)));
      }
    }
    return Attributes.of(all.toArray());
  }

  /** {@code [batch, channels, height, width]}, and the block size. */
  private static long block(Expansion e) {
    e.inference().expectRank(0, 4);
    long block = e.attributes().integer("blocksize", 0);
    if (block < 1) {
      throw e.error("blocksize is " + block + ", expected at least 1");
    }
    return block;
  }

  private static long known(Expansion e, int axis, long divisor) {
    Dim dim = e.inference().dim(0, axis);
    if (!dim.isKnown()) {
      throw e.error("axis " + axis + " of " + e.inference().dims(0) + " must be known");
    }
    if (dim.size() % divisor != 0) {
      throw e.error(
          "axis " + axis + " of " + e.inference().dims(0) + " is no multiple of " + divisor);
    }
    return dim.size() / divisor;
  }

  private static void spaceToDepth(Expansion e) {
    long block = block(e);
    long channels = known(e, 1, 1);
    long height = known(e, 2, block);
    long width = known(e, 3, block);
    Value cut = e.add("Reshape", e.in(0), e.integers(0, channels, height, block, width, block));
    Value moved = e.add("Transpose", Attributes.of("perm", new long[] {0, 3, 5, 1, 2, 4}), cut);
    e.last("Reshape", moved, e.integers(0, channels * block * block, height, width));
  }

  private static void depthToSpace(Expansion e) {
    long block = block(e);
    long channels = known(e, 1, block * block);
    String mode = e.attributes().string("mode", "DCR");
    if (!mode.equals("DCR") && !mode.equals("CRD")) {
      throw e.error("mode is '" + mode + "', expected DCR or CRD");
    }
    boolean depthFirst = mode.equals("DCR");
    long height = known(e, 2, 1);
    long width = known(e, 3, 1);
    Value cut =
        e.add(
            "Reshape",
            e.in(0),
            depthFirst
                ? e.integers(0, block, block, channels, height, width)
                : e.integers(0, channels, block, block, height, width));
    long[] order = depthFirst ? new long[] {0, 3, 4, 1, 5, 2} : new long[] {0, 1, 4, 2, 5, 3};
    Value moved = e.add("Transpose", Attributes.of("perm", order), cut);
    e.last("Reshape", moved, e.integers(0, channels, height * block, width * block));
  }

  /** (x − mean) / (standard deviation + 1e-9) over {@code axes}. */
  private static void meanVariance(Expansion e) {
    long[] axes = e.attributes().integers("axes", 0, 2, 3);
    Attributes over = Attributes.of("axes", axes);
    Value x = e.in(0);
    Value centred = e.add("Sub", x, e.add("ReduceMean", over, x));
    Value variance = e.add("ReduceMean", over, e.add("Mul", centred, centred));
    e.last("Div", centred, e.scaled(e.add("Sqrt", variance), 1, 1e-9));
  }

  /** {@code (x − mean) / √(variance + epsilon)} over axes of a value. */
  private static Value standardised(Expansion e, Value x, long[] axes) {
    Attributes over = Attributes.of("axes", axes);
    Value centred = e.add("Sub", x, e.add("ReduceMean", over, x));
    Value variance = e.add("ReduceMean", over, e.add("Mul", centred, centred));
    return e.add("Div", centred, deviation(e, variance));
  }

  private static Value deviation(Expansion e, Value variance) {
    return e.add("Sqrt", e.scaled(variance, 1, e.attributes().real("epsilon", 1e-5f)));
  }

  /** A value for each channel as it goes with {@code [batch, channels, …]}. */
  private static Value forEach(Expansion e, Value channels, int rank) {
    long[] axes = range(1, rank - 1);
    return axes.length == 0 ? channels : e.add("Unsqueeze", Attributes.of("axes", axes), channels);
  }

  private static long[] range(int from, int to) {
    return java.util.stream.LongStream.range(from, Math.max(from, to)).toArray();
  }

  private static void instanceNormalization(Expansion e) {
    int rank = e.inference().rank(0);
    if (rank < 3) {
      throw e.error("input is " + e.inference().dims(0) + ", expected [batch, channels, …]");
    }
    e.inference().expect(1, e.inference().dim(0, 1));
    e.inference().expect(2, e.inference().dim(0, 1));
    Value normal = standardised(e, e.in(0), range(2, rank));
    Value scaled = e.add("Mul", normal, forEach(e, e.in(1), rank));
    e.last("Add", scaled, forEach(e, e.in(2), rank));
  }

  private static void groupNormalization(Expansion e) {
    int rank = e.inference().rank(0);
    long groups = e.attributes().integer("num_groups", 0);
    if (rank < 2 || groups < 1) {
      throw e.error(groups + " groups of " + e.inference().dims(0));
    }
    long channels = known(e, 1, groups) * groups;
    e.inference().expect(1, Dim.of(channels));
    e.inference().expect(2, Dim.of(channels));
    Value grouped = e.add("Reshape", e.in(0), e.integers(0, groups, -1));
    Value normal = standardised(e, grouped, new long[] {2});
    Value back = e.add("Reshape", normal, e.add("Shape", e.in(0)));
    Value scaled = e.add("Mul", back, forEach(e, e.in(1), rank));
    e.last("Add", scaled, forEach(e, e.in(2), rank));
  }

  /** x / √(mean of squares + epsilon) · scale over all axes from {@code axis} on. */
  private static void rmsNormalization(Expansion e) {
    int rank = e.inference().rank(0);
    long[] axes = range(e.inference().axis("axis", -1, rank), rank);
    Value x = e.in(0);
    Value mean = e.add("ReduceMean", Attributes.of("axes", axes), e.add("Mul", x, x));
    e.last("Mul", e.add("Div", x, deviation(e, mean)), e.in(1));
  }

  /** x divided by its norm along an axis; zeros stay zeros. */
  private static void lpNormalization(Expansion e) {
    long p = e.attributes().integer("p", 2);
    if (p != 1 && p != 2) {
      throw e.error("p is " + p + ", expected 1 or 2");
    }
    int axis = e.inference().axis("axis", -1, e.inference().rank(0));
    Attributes over = Attributes.of("axes", new long[] {axis});
    Value norm = e.add("ReduceL" + p, over, e.in(0));
    e.last("Div", e.in(0), e.add("Max", norm, e.constant(Float.MIN_NORMAL)));
  }

  /** With a constant matrix it is packed; else a product, a scaling and a sum. */
  private static void gemm(Expansion e) {
    Value b = e.in(1);
    Value c = e.optional(2);
    if (b.constant() != null) {
      boolean row =
          c != null
              && c.constant() != null
              && c.rank() <= 2
              && (c.rank() < 2 || c.dim(0).equals(Dim.ONE));
      Value product = e.in(0);
      Operator packed = new MatrixOperators.Gemm();
      if (c == null || row) {
        e.last(
            packed, e.attributes(), row ? new Value[] {product, b, c} : new Value[] {product, b});
        return;
      }
      Value made = e.add(packed, e.attributes(), product, b);
      e.last("Add", made, scaledAddend(e, c));
      return;
    }
    e.inference().expectRank(0, 2);
    e.inference().expectRank(1, 2);
    Attributes turn = Attributes.of("perm", new long[] {1, 0});
    boolean turnA = e.attributes().integer("transA", 0) != 0;
    boolean turnB = e.attributes().integer("transB", 0) != 0;
    Value left = turnA ? e.add("Transpose", turn, e.in(0)) : e.in(0);
    Value right = turnB ? e.add("Transpose", turn, b) : b;
    double alpha = e.attributes().real("alpha", 1);
    if (c == null && alpha == 1) {
      e.last("MatMul", left, right);
    } else if (c == null) {
      e.last("Affine", affine(alpha, 0), e.add("MatMul", left, right));
    } else {
      Value product = e.add("MatMul", left, right);
      e.last("Add", alpha == 1 ? product : e.scaled(product, alpha, 0), scaledAddend(e, c));
    }
  }

  private static Value scaledAddend(Expansion e, Value c) {
    double beta = e.attributes().real("beta", 1);
    return beta == 1 ? c : e.scaled(c, beta, 0);
  }
}
