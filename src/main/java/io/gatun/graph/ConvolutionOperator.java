package io.gatun.graph;

import io.gatun.kernel.Activation;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.PackedConvolution;
import io.gatun.kernel.Region;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** ONNX Conv with constant weights: input {@code [batch, channels, spatial...]}. */
final class ConvolutionOperator implements Operator {
  @Override
  public String type() {
    return "Conv";
  }

  @Override
  public String limits() {
    return "reals only; auto_pad SAME_UPPER and SAME_LOWER with strides need known sizes";
  }

  private static List<Integer> ints(long[] longs) {
    return Arrays.stream(longs).mapToObj(Math::toIntExact).toList();
  }

  /** The convolution a node describes; its weights' shape is known even if they are not. */
  static ConvolutionSpec spec(Node node, List<Dim> weights) {
    Attributes attributes = node.attributes();
    int axes = weights.size() - 2;
    int groups = Math.toIntExact(attributes.integer("group", 1));
    long[] kernel = new long[axes];
    Arrays.setAll(kernel, i -> weights.get(i + 2).size());
    long[] strides = attributes.integers("strides", Windows.repeated(axes, 1));
    long[] dilations = attributes.integers("dilations", Windows.repeated(axes, 1));
    long[] pads = attributes.integers("pads", Windows.repeated(2 * axes, 0));
    String autoPad = attributes.string("auto_pad", "NOTSET");
    long[] named = attributes.integers("kernel_shape", kernel);
    if (strides.length != axes
        || dilations.length != axes
        || pads.length != 2 * axes
        || !Arrays.equals(named, kernel)) {
      throw new io.gatun.tensor.ShapeException(
          node.name()
              + ": kernel_shape, strides, dilations and pads do not fit weights of "
              + weights);
    }
    if (autoPad.equals("VALID")) {
      pads = Windows.repeated(2 * axes, 0);
    } else if (!autoPad.equals("NOTSET")) {
      List<Dim> dims = node.inputs().get(0).dims();
      for (int i = 0; i < axes; i++) {
        long extent = dilations[i] * (kernel[i] - 1) + 1;
        Dim size = dims.get(i + 2);
        if (!size.isKnown() && strides[i] != 1) {
          throw new UnsupportedOperationException(
              node.name()
                  + ": auto_pad "
                  + autoPad
                  + " with strides of an axis of unknown size "
                  + size
                  + "; give pads");
        }
        Windows.same(autoPad, size.isKnown() ? size.size() : extent, extent, strides[i], pads, i);
      }
    }
    return new ConvolutionSpec(
        Math.toIntExact(weights.get(1).size() * groups),
        Math.toIntExact(weights.get(0).size()),
        groups,
        ints(kernel),
        ints(strides),
        ints(dilations),
        ints(Arrays.copyOfRange(pads, 0, pads.length / 2)),
        ints(Arrays.copyOfRange(pads, pads.length / 2, pads.length)));
  }

  @Override
  public void infer(Inference inference) {
    ElementwiseOperators.requireReal(inference);
    int rank = inference.rank(0);
    if (rank < 3) {
      throw inference.error("input is " + inference.dims(0) + ", expected [batch, channels, …]");
    }
    inference.expectRank(1, rank);
    if (!inference.dims(1).stream().allMatch(Dim::isKnown)) {
      throw inference.error("the weights' shape " + inference.dims(1) + " is not known");
    }
    ConvolutionSpec spec = spec(inference.node(), inference.dims(1));
    if (!inference.dim(0, 1).matches(Dim.of(spec.inputChannels()))) {
      throw inference.error(
          "input is " + inference.dims(0) + ", expected " + spec.inputChannels() + " channels");
    }
    List<Dim> dims = new ArrayList<>();
    dims.add(inference.dim(0, 0));
    dims.add(Dim.of(spec.outputChannels()));
    for (int axis = 0; axis < rank - 2; axis++) {
      Dim size = inference.dim(0, axis + 2);
      int extent = spec.dilations().get(axis) * (spec.kernel().get(axis) - 1) + 1;
      int pads = spec.padsBegin().get(axis) + spec.padsEnd().get(axis);
      dims.add(
          size.isKnown()
              ? Dim.of(spec.outputSize(axis, size.size()))
              : pads + 1 >= extent
                  ? size.plus(Dim.of(pads + 1 - extent))
                      .plus(Dim.of(spec.strides().get(axis) - 1))
                      .dividedBy(Dim.of(spec.strides().get(axis)))
                  : size.minus(Dim.of(extent - pads))
                      .dividedBy(Dim.of(spec.strides().get(axis)))
                      .plus(Dim.ONE));
    }
    inference.output(inference.type(0), dims);
  }

  @Override
  public void differentiate(Differentiation d) {
    WindowGradients.convolution(d);
  }

  @Override
  public Compiled compile(Compilation compilation) {
    boolean changes =
        compilation.constant(1) == null || (compilation.has(2) && compilation.constant(2) == null);
    if (changes) {
      return WindowGradients.changing(compilation);
    }
    ConvolutionSpec spec = spec(compilation.node(), compilation.node().inputs().get(1).dims());
    Tensor weights = compilation.requireConstant(1, "the kernel").tensor(compilation.scratch());
    Tensor bias =
        compilation.has(2)
            ? compilation.requireConstant(2, "the bias").tensor(compilation.scratch())
            : null;
    PackedConvolution packed = compilation.own(compilation.device().pack(spec, weights, bias));
    return new Compiled() {
      @Override
      public List<Value> operands(Node node) {
        return List.of(node.inputs().get(0));
      }

      @Override
      public Step bind(Binding binding) {
        long[] dims = binding.inputDims(0);
        int batch = Math.toIntExact(dims[0]);
        long[] spatial = Arrays.copyOfRange(dims, 2, dims.length);
        Region in = binding.input(0);
        Region out = binding.output(0);
        return kernels -> kernels.convolve(packed, in, batch, spatial, Activation.IDENTITY, out);
      }
    };
  }
}
