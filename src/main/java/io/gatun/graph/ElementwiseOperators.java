package io.gatun.graph;

import io.gatun.kernel.Activation;
import io.gatun.kernel.BinaryOperation;
import io.gatun.kernel.Region;
import io.gatun.kernel.UnaryOperation;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.LongUnaryOperator;

/** Operators that work element by element. */
final class ElementwiseOperators {
  private ElementwiseOperators() {}

  static List<Operator> all() {
    List<Operator> list = new ArrayList<>();
    Map.ofEntries(
            Map.entry("Relu", Activation.Kind.RELU),
            Map.entry("Tanh", Activation.Kind.TANH),
            Map.entry("Sigmoid", Activation.Kind.SIGMOID),
            Map.entry("HardSigmoid", Activation.Kind.HARD_SIGMOID),
            Map.entry("LeakyRelu", Activation.Kind.LEAKY_RELU),
            Map.entry("ThresholdedRelu", Activation.Kind.THRESHOLDED_RELU),
            Map.entry("ScaledTanh", Activation.Kind.SCALED_TANH),
            Map.entry("Elu", Activation.Kind.ELU),
            Map.entry("Selu", Activation.Kind.SELU),
            Map.entry("Softsign", Activation.Kind.SOFTSIGN),
            Map.entry("Softplus", Activation.Kind.SOFTPLUS),
            Map.entry("Affine", Activation.Kind.AFFINE),
            Map.entry("Gelu", Activation.Kind.GELU),
            Map.entry("Swish", Activation.Kind.SWISH),
            Map.entry("Exp", Activation.Kind.EXPONENTIAL))
        .forEach((type, kind) -> list.add(new Activate(type, kind)));
    list.add(new Unary("Neg", UnaryOperation.NEGATE, x -> -x));
    list.add(new Unary("Abs", UnaryOperation.ABSOLUTE, Math::abs));
    list.add(new Unary("Sign", UnaryOperation.SIGN, Long::signum));
    Map.ofEntries(
            Map.entry("Log", UnaryOperation.LOGARITHM),
            Map.entry("Sqrt", UnaryOperation.SQUARE_ROOT),
            Map.entry("Reciprocal", UnaryOperation.RECIPROCAL),
            Map.entry("Floor", UnaryOperation.FLOOR),
            Map.entry("Ceil", UnaryOperation.CEILING),
            Map.entry("Round", UnaryOperation.ROUND),
            Map.entry("Erf", UnaryOperation.ERROR_FUNCTION),
            Map.entry("Sin", UnaryOperation.SINE),
            Map.entry("Cos", UnaryOperation.COSINE),
            Map.entry("Tan", UnaryOperation.TANGENT),
            Map.entry("Asin", UnaryOperation.ARC_SINE),
            Map.entry("Acos", UnaryOperation.ARC_COSINE),
            Map.entry("Atan", UnaryOperation.ARC_TANGENT),
            Map.entry("Sinh", UnaryOperation.HYPERBOLIC_SINE),
            Map.entry("Cosh", UnaryOperation.HYPERBOLIC_COSINE),
            Map.entry("Asinh", UnaryOperation.AREA_SINE),
            Map.entry("Acosh", UnaryOperation.AREA_COSINE),
            Map.entry("Atanh", UnaryOperation.AREA_TANGENT))
        .forEach((type, operation) -> list.add(new Unary(type, operation, null)));
    list.add(new Binary("Add", BinaryOperation.ADD));
    list.add(new Binary("Sub", BinaryOperation.SUBTRACT));
    list.add(new Binary("Mul", BinaryOperation.MULTIPLY));
    list.add(new Binary("Div", BinaryOperation.DIVIDE));
    list.add(new Binary("Pow", BinaryOperation.POWER));
    list.add(new Binary("Max", BinaryOperation.MAXIMUM));
    list.add(new Binary("Min", BinaryOperation.MINIMUM));
    list.addAll(ElementOperators.all());
    list.add(new Cast("Cast"));
    list.add(new Cast("CastLike"));
    return list;
  }

  /** An activation; {@code alpha} and {@code beta} (or {@code gamma}) as ONNX names them. */
  record Activate(String type, Activation.Kind kind) implements Operator {
    Activation activation(Attributes attributes) {
      Activation plain = Activation.of(kind);
      String second = kind == Activation.Kind.SELU ? "gamma" : "beta";
      return new Activation(
          kind, attributes.real("alpha", plain.alpha()), attributes.real(second, plain.beta()));
    }

    /** The operator that applies an activation, with its settings. */
    static String operatorFor(Activation.Kind kind) {
      for (Operator operator : all()) {
        if (operator instanceof Activate activate && activate.kind == kind) {
          return activate.type;
        }
      }
      throw new IllegalArgumentException(kind.name().toLowerCase(Locale.ROOT));
    }

    @Override
    public void infer(Inference inference) {
      requireReal(inference);
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public void differentiate(Differentiation d) {
      d.give(0, ElementwiseGradients.activation(d, activation(d.attributes())));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      Activation activation = activation(compilation.attributes());
      return binding -> {
        Region in = binding.input(0);
        Region out = binding.output(0);
        long count = Shape.of(binding.inputDims(0)).elements();
        return kernels -> kernels.activate(activation, in, out, count);
      };
    }
  }

  /** A function of reals, and where there is one the function of whole numbers. */
  private record Unary(String type, UnaryOperation operation, LongUnaryOperator whole)
      implements HostOperator {
    @Override
    public String limits() {
      return whole == null ? "reals only" : "";
    }

    @Override
    public void differentiate(Differentiation d) {
      d.give(0, ElementwiseGradients.unary(d, operation));
    }

    @Override
    public void infer(Inference inference) {
      if (whole == null || !inference.type(0).isInteger()) {
        requireReal(inference);
      }
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      if (!compilation.node().inputs().get(0).type().isFloat()) {
        return new OnHost(this);
      }
      return binding -> {
        Region in = binding.input(0);
        Region out = binding.output(0);
        long count = Shape.of(binding.inputDims(0)).elements();
        return kernels -> kernels.unary(operation, in, out, count);
      };
    }

    @Override
    public void compute(Call call) {
      Arrays.setAll(call.out(0).wholes, i -> whole.applyAsLong(call.in(0).wholes[i]));
    }
  }

  private record Binary(String type, BinaryOperation operation) implements HostOperator {
    @Override
    public void differentiate(Differentiation d) {
      ElementwiseGradients.binary(d, operation);
    }

    @Override
    public void infer(Inference inference) {
      DType left = inference.type(0);
      DType right = inference.type(1);
      boolean mixed = operation == BinaryOperation.POWER && right != DType.BOOL;
      if (left == DType.BOOL || (left != right && !mixed && !(left.isFloat() && right.isFloat()))) {
        throw inference.error(type + " of " + left.label() + " and " + right.label());
      }
      inference.output(left, inference.broadcast(inference.dims(0), inference.dims(1)));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      List<Value> inputs = compilation.node().inputs();
      if (inputs.get(0).type().isFloat() != inputs.get(1).type().isFloat()
          || (!inputs.get(0).type().isFloat() && inputs.get(0).type() != inputs.get(1).type())) {
        return new OnHost(this);
      }
      return binding -> {
        Region a = binding.input(0);
        Region b = binding.input(1);
        Region out = binding.output(0);
        long[] extent = binding.outputDims(0);
        long[] aStrides = broadcastStrides(binding.inputDims(0), extent.length);
        long[] bStrides = broadcastStrides(binding.inputDims(1), extent.length);
        DType elements = binding.outputType(0);
        return kernels ->
            kernels.binary(operation, elements, a, aStrides, b, bStrides, out, extent);
      };
    }

    /** A power whose base and exponent differ in type has the type of the base. */
    @Override
    public void compute(Call call) {
      HostArray out = call.out(0);
      int[] a = call.in(0).repeated(out.dims);
      int[] b = call.in(1).repeated(out.dims);
      boolean whole = out.wholes != null && call.in(1).wholes != null;
      for (int i = 0; i < out.count; i++) {
        if (whole && call.in(1).wholes[b[i]] >= 0) {
          out.wholes[i] =
              java.math.BigInteger.valueOf(call.in(0).wholes[a[i]])
                  .modPow(
                      java.math.BigInteger.valueOf(call.in(1).wholes[b[i]]),
                      java.math.BigInteger.ONE.shiftLeft(Long.SIZE))
                  .longValue();
        } else {
          out.set(i, StrictMath.pow(call.in(0).real(a[i]), call.in(1).real(b[i])));
        }
      }
    }
  }

  /**
   * The type to convert to is that of {@code CastLike}'s second input, or the attribute {@code to}:
   * the label of a {@link DType}. A real becomes the whole number towards zero, a whole number that
   * does not fit loses its upper bits.
   */
  private record Cast(String type) implements HostOperator {
    @Override
    public void infer(Inference inference) {
      DType to =
          type.equals("Cast")
              ? DType.of(inference.attributes().string("to", "float32"))
              : inference.type(1);
      inference.output(to, inference.dims(0));
    }

    /** Between real types: the numbers have one type on the device. */
    @Override
    public void differentiate(Differentiation d) {
      d.give(0, d.gradient(0));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      DType to = compilation.node().outputs().get(0).type();
      DType from = compilation.node().inputs().get(0).type();
      if (from != to && (to == DType.FLOAT16 || to == DType.BFLOAT16 || losesBits(from, to))) {
        return new OnHost(this);
      }
      return ShapeGradients.reading(
          0,
          binding -> {
            Region in = binding.input(0);
            Region out = binding.output(0);
            DType source = binding.inputType(0);
            DType stored = binding.outputType(0);
            long count = Shape.of(binding.inputDims(0)).elements();
            return kernels -> kernels.cast(in, source, out, stored, count);
          });
    }

    /** Whether a whole number may not fit; the device would take the nearest that does. */
    private static boolean losesBits(DType from, DType to) {
      boolean wider = to.bytes() > from.bytes();
      boolean signed = from.label().startsWith("int");
      return from == DType.UINT64
          || (from.isInteger()
              && to.isInteger()
              && !(wider && (!signed || to.label().startsWith("int"))));
    }

    /** To fewer bits, or to a real type shorter than the device's, to which it is rounded. */
    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      HostArray y = call.out(0);
      if (x.wholes != null && y.wholes != null) {
        System.arraycopy(x.wholes, 0, y.wholes, 0, y.count);
        return;
      }
      for (int i = 0; i < y.count; i++) {
        y.set(i, x.real(i));
      }
      if (y.type == DType.FLOAT16 || y.type == DType.BFLOAT16) {
        y.round();
      }
    }
  }

  static void requireReal(Inference inference) {
    if (!inference.type(0).isFloat()) {
      throw inference.error(
          inference.node().operator().type()
              + " of "
              + inference.type(0).label()
              + ", expected a floating-point type");
    }
  }

  /** Strides of a contiguous operand, 0 where it is repeated; axes are aligned at the end. */
  static long[] broadcastStrides(long[] dims, int rank) {
    long[] strides = new long[rank];
    long stride = 1;
    for (int i = 1; i <= dims.length; i++) {
      long size = dims[dims.length - i];
      strides[rank - i] = size == 1 ? 0 : stride;
      stride *= size;
    }
    return strides;
  }
}
