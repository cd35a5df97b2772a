package io.gatun.graph;

import io.gatun.kernel.Activation;
import io.gatun.kernel.BinaryOperation;
import io.gatun.kernel.Region;
import io.gatun.kernel.UnaryOperation;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

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
    list.add(new Unary("Neg", UnaryOperation.NEGATE));
    list.add(new Unary("Abs", UnaryOperation.ABSOLUTE));
    list.add(new Unary("Log", UnaryOperation.LOGARITHM));
    list.add(new Unary("Sqrt", UnaryOperation.SQUARE_ROOT));
    list.add(new Unary("Reciprocal", UnaryOperation.RECIPROCAL));
    list.add(new Binary("Add", BinaryOperation.ADD));
    list.add(new Binary("Sub", BinaryOperation.SUBTRACT));
    list.add(new Binary("Mul", BinaryOperation.MULTIPLY));
    list.add(new Binary("Div", BinaryOperation.DIVIDE));
    list.add(new Binary("Pow", BinaryOperation.POWER));
    list.add(new Binary("Max", BinaryOperation.MAXIMUM));
    list.add(new Binary("Min", BinaryOperation.MINIMUM));
    list.add(new Cast());
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
      String approximate = inference.attributes().string("approximate", "none");
      if (!approximate.equals("none")) {
        throw inference.error(type + " is exact, there is no approximation " + approximate);
      }
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

  private record Unary(String type, UnaryOperation operation) implements Operator {
    @Override
    public void differentiate(Differentiation d) {
      d.give(0, ElementwiseGradients.unary(d, operation));
    }

    @Override
    public void infer(Inference inference) {
      requireReal(inference);
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return binding -> {
        Region in = binding.input(0);
        Region out = binding.output(0);
        long count = Shape.of(binding.inputDims(0)).elements();
        return kernels -> kernels.unary(operation, in, out, count);
      };
    }
  }

  private record Binary(String type, BinaryOperation operation) implements Operator {
    @Override
    public void differentiate(Differentiation d) {
      ElementwiseGradients.binary(d, operation);
    }

    @Override
    public void infer(Inference inference) {
      DType left = inference.type(0);
      DType right = inference.type(1);
      if (left != right && !(left.isFloat() && right.isFloat())) {
        throw inference.error(type + " of " + left.label() + " and " + right.label());
      }
      inference.output(left, inference.broadcast(inference.dims(0), inference.dims(1)));
    }

    @Override
    public Compiled compile(Compilation compilation) {
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
  }

  /** The type to convert to is the attribute {@code to}: the label of a {@link DType}. */
  private record Cast() implements Operator {
    @Override
    public String type() {
      return "Cast";
    }

    @Override
    public void infer(Inference inference) {
      inference.output(DType.of(inference.attributes().string("to", "float32")), inference.dims(0));
    }

    /** Between real types: the numbers have one type on the device. */
    @Override
    public void differentiate(Differentiation d) {
      d.give(0, d.gradient(0));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return binding -> {
        Region in = binding.input(0);
        Region out = binding.output(0);
        DType from = binding.inputType(0);
        DType to = binding.outputType(0);
        long count = Shape.of(binding.inputDims(0)).elements();
        return kernels -> kernels.cast(in, from, out, to, count);
      };
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
