package io.gatun.graph;

import io.gatun.kernel.Activation;
import io.gatun.kernel.BinaryOperation;
import io.gatun.kernel.Region;
import io.gatun.kernel.UnaryOperation;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** The gradients of operators that work element by element. */
final class ElementwiseGradients {
  private ElementwiseGradients() {}

  /** The gradient of an activation's input. */
  static Value activation(Differentiation d, Activation activation) {
    Value from = activation.differentiatesFromOutput() ? d.output(0) : d.input(0);
    return d.add(new ActivationGradient(activation), Attributes.NONE, from, d.gradient(0));
  }

  /** The gradient where a value is above 0, else 0. */
  private static Value wherePositive(Differentiation d, Value value, Value gradient) {
    return d.add(new ActivationGradient(Activation.RELU), Attributes.NONE, value, gradient);
  }

  static Value unary(Differentiation d, UnaryOperation operation) {
    Value dy = d.gradient(0);
    Value x = d.input(0);
    Value y = d.output(0);
    return switch (operation) {
      case NEGATE -> negate(d, dy);
      case ABSOLUTE ->
          binary(d, "Sub", wherePositive(d, x, dy), wherePositive(d, negate(d, x), dy));
      case LOGARITHM -> binary(d, "Div", dy, x);
      case SQUARE_ROOT -> binary(d, "Div", dy, binary(d, "Add", y, y));
      case RECIPROCAL -> negate(d, binary(d, "Mul", dy, binary(d, "Mul", y, y)));
      case SINE -> binary(d, "Mul", dy, d.add("Cos", Attributes.NONE, x));
      case COSINE -> negate(d, binary(d, "Mul", dy, d.add("Sin", Attributes.NONE, x)));
      case HYPERBOLIC_SINE -> binary(d, "Mul", dy, d.add("Cosh", Attributes.NONE, x));
      case HYPERBOLIC_COSINE -> binary(d, "Mul", dy, d.add("Sinh", Attributes.NONE, x));
      case TANGENT -> binary(d, "Add", dy, binary(d, "Mul", dy, binary(d, "Mul", y, y)));
      case ARC_TANGENT ->
          binary(d, "Div", dy, binary(d, "Add", binary(d, "Mul", x, x), constant(d, 1)));
      case ERROR_FUNCTION -> {
        Value bell = d.add("Exp", Attributes.NONE, negate(d, binary(d, "Mul", x, x)));
        // 2/√π
        yield binary(d, "Mul", dy, binary(d, "Mul", bell, constant(d, 1.1283792f)));
      }
      default -> throw d.unsupported("; freeze what comes before it");
    };
  }

  static void binary(Differentiation d, BinaryOperation operation) {
    Value dy = d.gradient(0);
    Value a = d.input(0);
    Value b = d.input(1);
    Value y = d.output(0);
    switch (operation) {
      case ADD -> {
        giveSummed(d, 0, dy);
        giveSummed(d, 1, dy);
      }
      case SUBTRACT -> {
        giveSummed(d, 0, dy);
        if (d.wanted(1)) {
          d.give(1, negate(d, d.summedTo(dy, b)));
        }
      }
      case MULTIPLY -> {
        if (d.wanted(0)) {
          giveSummed(d, 0, binary(d, "Mul", dy, b));
        }
        if (d.wanted(1)) {
          giveSummed(d, 1, binary(d, "Mul", dy, a));
        }
      }
      case DIVIDE -> {
        Value quotient = binary(d, "Div", dy, b);
        giveSummed(d, 0, quotient);
        if (d.wanted(1)) {
          giveSummed(d, 1, negate(d, binary(d, "Mul", quotient, y)));
        }
      }
      case POWER -> {
        if (d.wanted(0)) {
          Value less = binary(d, "Sub", b, constant(d, 1));
          Value slope = binary(d, "Mul", b, binary(d, "Pow", a, less));
          giveSummed(d, 0, binary(d, "Mul", dy, slope));
        }
        if (d.wanted(1)) {
          Value logarithm = d.add("Log", Attributes.NONE, a);
          giveSummed(d, 1, binary(d, "Mul", dy, binary(d, "Mul", y, logarithm)));
        }
      }
      case MAXIMUM -> chosen(d, binary(d, "Sub", a, b));
      case MINIMUM -> chosen(d, binary(d, "Sub", b, a));
    }
  }

  /** The first operand was chosen where the lead is above 0, else the second. */
  private static void chosen(Differentiation d, Value lead) {
    Value first = wherePositive(d, lead, d.gradient(0));
    giveSummed(d, 0, first);
    if (d.wanted(1)) {
      giveSummed(d, 1, binary(d, "Sub", d.gradient(0), first));
    }
  }

  private static void giveSummed(Differentiation d, int input, Value gradient) {
    if (d.wanted(input)) {
      d.give(input, d.summedTo(gradient, d.input(input)));
    }
  }

  private static Value negate(Differentiation d, Value value) {
    return d.add("Neg", Attributes.NONE, value);
  }

  private static Value binary(Differentiation d, String operator, Value a, Value b) {
    return d.add(operator, Attributes.NONE, a, b);
  }

  private static Value constant(Differentiation d, float number) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(Float.BYTES).order(ByteOrder.nativeOrder());
    bytes.putFloat(0, number);
    return d.constant(io.gatun.tensor.Tensor.wrap(bytes, DType.FLOAT32));
  }

  /** {@code [value, output gradient]}: see {@code TrainingKernels.activationGradient}. */
  private record ActivationGradient(Activation activation) implements Operator {
    @Override
    public String type() {
      return "ActivationGradient";
    }

    @Override
    public void infer(Inference inference) {
      inference.output(inference.type(1), inference.dims(1));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return binding -> {
        Region value = binding.input(0);
        Region given = binding.input(1);
        Region out = binding.output(0);
        long count = Shape.of(binding.inputDims(1)).elements();
        return kernels ->
            kernels.training().activationGradient(activation, value, given, out, count);
      };
    }
  }
}
