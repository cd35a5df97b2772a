package io.gatun.graph;

import io.gatun.kernel.BinaryOperation;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * ONNX BatchNormalization as it is outside training: {@code (x − mean) / √(variance + epsilon)
 * scale + shift} for each channel of {@code [batch, channels, …]}, inputs x, scale, shift, mean and
 * variance. Mean and variance stay what they are in training, too, where it becomes the nodes of
 * this formula, so that scale and shift can be trained and gradients go through. With {@code
 * training_mode} the statistics are the batch's own, formed on the host, and what they move the
 * mean and variance to are further outputs.
 */
final class BatchNormalizationOperator implements HostOperator {
  @Override
  public String type() {
    return "BatchNormalization";
  }

  @Override
  public void infer(Inference inference) {
    ElementwiseOperators.requireReal(inference);
    if (inference.rank(0) < 2) {
      throw inference.error("input is " + inference.dims(0) + ", expected [batch, channels, …]");
    }
    for (int input = 1; input < 5; input++) {
      inference.expect(input, inference.dim(0, 1));
    }
    inference.output(inference.type(0), inference.dims(0));
    if (ofBatch(inference.attributes())) {
      inference.output(inference.type(3), inference.dims(3));
      inference.output(inference.type(4), inference.dims(4));
    }
  }

  private static boolean ofBatch(Attributes attributes) {
    return attributes.integer("training_mode", 0) != 0;
  }

  @Override
  public boolean steers(Node node, int input) {
    return input > 0 && !ofBatch(node.attributes());
  }

  @Override
  public void compute(Call call) {
    HostArray x = call.in(0);
    int channels = (int) x.dims[1];
    int inner = x.product(2, x.dims.length);
    double epsilon = call.attributes().real("epsilon", 1e-5f);
    double momentum = call.attributes().real("momentum", 0.9f);
    double[] means = new double[channels];
    double[] variances = new double[channels];
    double each = (double) x.count / Math.max(1, channels);
    for (int i = 0; i < x.count; i++) {
      means[i / inner % channels] += x.reals[i] / each;
    }
    for (int i = 0; i < x.count; i++) {
      double d = x.reals[i] - means[i / inner % channels];
      variances[i / inner % channels] += d * d / each;
    }
    for (int i = 0; i < x.count; i++) {
      int c = i / inner % channels;
      double normal = (x.reals[i] - means[c]) / Math.sqrt(variances[c] + epsilon);
      call.out(0).reals[i] = normal * call.in(1).reals[c] + call.in(2).reals[c];
    }
    for (int c = 0; c < channels; c++) {
      if (call.out(1) != null) {
        call.out(1).reals[c] = call.in(3).reals[c] * momentum + means[c] * (1 - momentum);
      }
      if (call.out(2) != null) {
        call.out(2).reals[c] = call.in(4).reals[c] * momentum + variances[c] * (1 - momentum);
      }
    }
  }

  @Override
  public Compiled compile(Compilation compilation) {
    if (ofBatch(compilation.attributes())) {
      return new OnHost(this);
    }
    double epsilon = compilation.attributes().real("epsilon", 1e-5f);
    double[] scale = numbers(compilation, 1, "the scale");
    double[] shift = numbers(compilation, 2, "the shift");
    double[] mean = numbers(compilation, 3, "the mean");
    double[] variance = numbers(compilation, 4, "the variance");
    int channels = scale.length;
    double[] factors = new double[channels];
    double[] addends = new double[channels];
    for (int i = 0; i < channels; i++) {
      factors[i] = scale[i] / Math.sqrt(variance[i] + epsilon);
      addends[i] = shift[i] - mean[i] * factors[i];
    }
    Buffer factor = buffer(compilation, factors);
    Buffer addend = buffer(compilation, addends);
    Region times = new Region(factor);
    Region plus = new Region(addend);
    return ShapeGradients.reading(
        0,
        binding -> {
          long[] dims = binding.inputDims(0);
          long inner = 1;
          for (int axis = 2; axis < dims.length; axis++) {
            inner *= dims[axis];
          }
          long[] extent = {dims[0], dims[1], inner};
          long[] whole = {dims[1] * inner, inner, 1};
          long[] each = {0, 1, 0};
          DType type = binding.inputType(0);
          Region in = binding.input(0);
          Region out = binding.output(0);
          return kernels -> {
            kernels.binary(BinaryOperation.MULTIPLY, type, in, whole, times, each, out, extent);
            kernels.binary(BinaryOperation.ADD, type, out, whole, plus, each, out, extent);
          };
        });
  }

  private static double[] numbers(Compilation compilation, int input, String what) {
    return compilation.requireConstant(input, what).tensor(compilation.scratch()).toDoubles();
  }

  private static Buffer buffer(Compilation compilation, double[] numbers) {
    Tensor tensor = Tensor.ofDoubles(compilation.scratch(), numbers, numbers.length);
    // In the device's own type, so that a copy is made: the scratch memory does not stay.
    Tensor real =
        Tensor.allocate(compilation.scratch(), compilation.device().real(), numbers.length)
            .copyFrom(tensor);
    return compilation.own(compilation.device().constant(real, compilation.node().name()));
  }

  @Override
  public void copyForTraining(TrainingCopy copy) {
    if (!copy.active() || ofBatch(copy.node().attributes())) {
      copy.asItIs();
      return;
    }
    String name = copy.node().name();
    Value x = copy.inputs().get(0);
    long[] columns = new long[x.rank() - 2];
    Arrays.setAll(columns, i -> i + 1);
    ByteBuffer bytes = ByteBuffer.allocateDirect(Float.BYTES).order(ByteOrder.nativeOrder());
    bytes.putFloat(0, copy.node().attributes().real("epsilon", 1e-5f));
    Value epsilon = copy.constant(name + "/epsilon", Tensor.wrap(bytes, DType.FLOAT32));
    Value safe = add(copy, name + "/safe", "Add", copy.inputs().get(4), epsilon);
    Value deviation = add(copy, name + "/deviation", "Sqrt", safe);
    Value factor = add(copy, name + "/factor", "Div", copy.inputs().get(1), deviation);
    Value[] each = {copy.inputs().get(3), factor, copy.inputs().get(2)};
    for (int i = 0; i < each.length && columns.length > 0; i++) {
      String wide = name + "/channels." + i;
      each[i] =
          copy.add(
                  wide,
                  Operators.get("Unsqueeze"),
                  Attributes.of("axes", columns),
                  List.of(each[i]),
                  List.of(wide))
              .get(0);
    }
    Value centred = add(copy, name + "/centred", "Sub", x, each[0]);
    Value scaled = add(copy, name + "/scaled", "Mul", centred, each[1]);
    add(copy, copy.outputs().get(0), "Add", scaled, each[2]);
  }

  private static Value add(TrainingCopy copy, String name, String operator, Value... in) {
    return copy.add(
            name,
            Operators.get(operator),
            Attributes.NONE,
            new ArrayList<>(Arrays.asList(in)),
            List.of(name))
        .get(0);
  }
}
