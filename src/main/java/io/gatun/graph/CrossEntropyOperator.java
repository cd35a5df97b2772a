package io.gatun.graph;

import io.gatun.kernel.BinaryOperation;
import io.gatun.kernel.Reduction;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The cross-entropy of logits against labels, softmax included. Inputs: logits {@code […,
 * classes]}; labels int32 or int64 {@code […]}, of which negative ones are ignored; and optionally
 * weights {@code […]}, a mask for instance. Attributes: {@code label_smoothing} (0), and {@code
 * reduction}, {@code mean} over the weights of what is not ignored, 0 if there is none (the
 * default), or {@code sum}. Outputs: the loss, one number without axes; the weighted losses {@code
 * […]}; the sum of the weights, one number; and log Σ e^x {@code […]}. The loss alone can be walked
 * back.
 */
final class CrossEntropyOperator implements Operator {
  private static final int OUTPUTS = 4;

  @Override
  public String type() {
    return "CrossEntropy";
  }

  private static boolean isMean(Attributes attributes) {
    return attributes.string("reduction", "mean").equals("mean");
  }

  @Override
  public void infer(Inference inference) {
    ElementwiseOperators.requireReal(inference);
    List<Dim> logits = inference.dims(0);
    if (logits.isEmpty()) {
      throw inference.error("logits have no axis, expected […, classes]");
    }
    Dim[] rows = logits.subList(0, logits.size() - 1).toArray(new Dim[0]);
    inference.expect(1, rows);
    DType labels = inference.type(1);
    if (labels != DType.INT32 && labels != DType.INT64) {
      throw inference.error("labels are " + labels.label() + ", expected int32 or int64");
    }
    if (inference.has(2)) {
      inference.expect(2, rows);
      if (!inference.type(2).isFloat()) {
        throw inference.error(
            "weights are " + inference.type(2).label() + ", expected a floating-point type");
      }
    }
    float smoothing = inference.attributes().real("label_smoothing", 0);
    if (!(smoothing >= 0 && smoothing < 1)) {
      throw inference.error(
          "label smoothing is " + smoothing + ", expected 0 or more, less than 1");
    }
    String reduction = inference.attributes().string("reduction", "mean");
    if (!reduction.equals("mean") && !reduction.equals("sum")) {
      throw inference.error("reduction is " + reduction + ", expected mean or sum");
    }
    DType type = inference.type(0);
    inference.output(type);
    inference.output(type, rows);
    inference.output(type);
    inference.output(type, rows);
  }

  @Override
  public void copyForTraining(TrainingCopy copy) {
    List<String> out = new ArrayList<>(copy.outputs());
    while (out.size() < OUTPUTS) {
      out.add("");
    }
    copy.add(copy.node().name(), this, copy.node().attributes(), copy.inputs(), out);
  }

  @Override
  public void differentiate(Differentiation d) {
    if (d.gradients().subList(1, OUTPUTS).stream().anyMatch(g -> g != null)) {
      throw d.unsupported(" through its second to fourth output; use its loss");
    }
    if (d.wanted(2)) {
      throw d.unsupported(" with respect to its weights");
    }
    d.give(
        0,
        d.add(
                new Gradient(),
                d.attributes(),
                Arrays.asList(
                    d.input(0), d.input(1), d.input(2), d.output(2), d.output(3), d.gradient(0)),
                1)
            .get(0));
  }

  private static int rows(long[] logits) {
    return Math.toIntExact(Shape.of(Arrays.copyOfRange(logits, 0, logits.length - 1)).elements());
  }

  private static int size(long[] logits) {
    return Math.toIntExact(logits[logits.length - 1]);
  }

  /** One number divided by the sum of weights; by something tiny where nothing is counted. */
  private static Step divided(
      Binding binding, Region number, Region counted, Region to, boolean mean) {
    DType type = binding.outputType(0);
    Region divisor = binding.scratch(type.bytes());
    long[] none = {};
    return kernels -> {
      if (mean) {
        kernels.fill(divisor, type, 1, Float.MIN_NORMAL);
        kernels.binary(BinaryOperation.MAXIMUM, type, counted, none, divisor, none, divisor, none);
        kernels.binary(BinaryOperation.DIVIDE, type, number, none, divisor, none, to, none);
      } else {
        kernels.copy(number, to, type.bytes());
      }
    };
  }

  @Override
  public Compiled compile(Compilation compilation) {
    float smoothing = compilation.attributes().real("label_smoothing", 0);
    boolean mean = isMean(compilation.attributes());
    return binding -> {
      int rows = rows(binding.inputDims(0));
      int size = size(binding.inputDims(0));
      int bytes = binding.inputType(0).bytes();
      Region logits = binding.input(0);
      Region labels = binding.input(1);
      DType labelType = binding.inputType(1);
      Region weights = binding.has(2) ? binding.input(2) : null;
      Region losses = or(binding, 1, (long) rows * bytes);
      Region counted = or(binding, 2, bytes);
      Region logSums = or(binding, 3, (long) rows * bytes);
      Region total = binding.scratch(bytes);
      Region loss = or(binding, 0, bytes);
      Step divide = divided(binding, total, counted, loss, mean);
      return kernels -> {
        kernels
            .training()
            .crossEntropy(
                logits, labels, labelType, weights, rows, size, smoothing, losses, logSums,
                counted);
        kernels.reduce(Reduction.SUM, losses, total, 1, rows, 1);
        divide.run(kernels);
      };
    };
  }

  private static Region or(Binding binding, int output, long bytes) {
    Region region = binding.output(output);
    return region != null ? region : binding.scratch(bytes);
  }

  /** {@code [logits, labels, weights, sum of weights, log sums, gradient of the loss]}. */
  private record Gradient() implements Operator {
    @Override
    public String type() {
      return "CrossEntropyGradient";
    }

    @Override
    public void infer(Inference inference) {
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      float smoothing = compilation.attributes().real("label_smoothing", 0);
      boolean mean = isMean(compilation.attributes());
      return binding -> {
        int rows = rows(binding.inputDims(0));
        int size = size(binding.inputDims(0));
        Region logits = binding.input(0);
        Region labels = binding.input(1);
        DType labelType = binding.inputType(1);
        Region weights = binding.has(2) ? binding.input(2) : null;
        Region counted = binding.input(3);
        Region logSums = binding.input(4);
        Region given = binding.input(5);
        Region out = binding.output(0);
        Region scale = binding.scratch(binding.inputType(0).bytes());
        Step divide = divided(binding, given, counted, scale, mean);
        return kernels -> {
          divide.run(kernels);
          kernels
              .training()
              .crossEntropyGradient(
                  logits, logSums, labels, labelType, weights, rows, size, smoothing, scale, out);
        };
      };
    }
  }
}
