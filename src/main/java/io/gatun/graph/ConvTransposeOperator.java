package io.gatun.graph;

import io.gatun.kernel.Activation;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.PackedConvolution;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * ONNX ConvTranspose: input {@code [batch, channels, spatial...]}, weights {@code [channels,
 * outputChannels / group, kernel...]}. It is the convolution with the kernel turned round of the
 * input with zeros between its elements and around it.
 */
final class ConvTransposeOperator implements Operator {
  @Override
  public String type() {
    return "ConvTranspose";
  }

  @Override
  public boolean steers(Node node, int input) {
    return input > 0;
  }

  /** The sizes of one transposed convolution. */
  private record Sizes(long[] kernel, long[] strides, long[] dilations, long[] begin, long[] out) {}

  private static Sizes sizes(Node node, List<Dim> weights, long[] in) {
    Attributes attributes = node.attributes();
    int axes = in.length;
    long[] kernel = new long[axes];
    Arrays.setAll(kernel, i -> weights.get(i + 2).size());
    long[] strides = attributes.integers("strides", Windows.repeated(axes, 1));
    long[] dilations = attributes.integers("dilations", Windows.repeated(axes, 1));
    long[] pads = attributes.integers("pads", Windows.repeated(2 * axes, 0));
    long[] extra = attributes.integers("output_padding", Windows.repeated(axes, 0));
    long[] shape = attributes.has("output_shape") ? attributes.integers("output_shape") : null;
    String autoPad = attributes.string("auto_pad", "NOTSET");
    if (shape != null && shape.length == axes + 2) {
      shape = Arrays.copyOfRange(shape, 2, shape.length);
    }
    if (strides.length != axes
        || dilations.length != axes
        || pads.length != 2 * axes
        || extra.length != axes
        || (shape != null && shape.length != axes)) {
      throw new io.gatun.tensor.ShapeException(
          node.name()
              + ": strides, dilations, pads, output_padding or output_shape are not of "
              + axes
              + " spatial axes");
    }
    long[] begin = new long[axes];
    long[] out = new long[axes];
    for (int i = 0; i < axes; i++) {
      long whole = strides[i] * (in[i] - 1) + extra[i] + (kernel[i] - 1) * dilations[i] + 1;
      boolean same = autoPad.startsWith("SAME_");
      if (shape == null && !same) {
        begin[i] = autoPad.equals("VALID") ? 0 : pads[i];
        out[i] = whole - begin[i] - (autoPad.equals("VALID") ? 0 : pads[axes + i]);
      } else {
        out[i] = shape != null ? shape[i] : in[i] * strides[i];
        long total = Math.max(0, whole - out[i]);
        begin[i] = autoPad.equals("SAME_UPPER") ? total / 2 : total - total / 2;
      }
      out[i] = Math.max(0, out[i]);
    }
    return new Sizes(kernel, strides, dilations, begin, out);
  }

  @Override
  public void infer(Inference inference) {
    ElementwiseOperators.requireReal(inference);
    int rank = inference.rank(0);
    if (rank < 3) {
      throw inference.error("input is " + inference.dims(0) + ", expected [batch, channels, …]");
    }
    inference.expectRank(1, rank);
    List<Dim> weights = inference.dims(1);
    long groups = inference.attributes().integer("group", 1);
    if (!weights.stream().allMatch(Dim::isKnown)
        || !weights.get(0).matches(inference.dim(0, 1))
        || groups < 1
        || weights.get(0).size() % groups != 0) {
      throw inference.error(
          "input is "
              + inference.dims(0)
              + ", weights are "
              + weights
              + " in "
              + groups
              + " groups");
    }
    if (inference.has(2)) {
      inference.expect(2, Dim.of(weights.get(1).size() * groups));
    }
    List<Dim> dims = new ArrayList<>();
    dims.add(inference.dim(0, 0));
    dims.add(Dim.of(weights.get(1).size() * groups));
    List<Dim> spatial = inference.dims(0).subList(2, rank);
    long[] in = spatial.stream().mapToLong(dim -> dim.isKnown() ? dim.size() : 1).toArray();
    Sizes sizes = sizes(inference.node(), weights, in);
    for (int i = 0; i < in.length; i++) {
      dims.add(spatial.get(i).isKnown() ? Dim.of(sizes.out[i]) : inference.unknown(i));
    }
    inference.output(inference.type(0), dims);
  }

  @Override
  public Compiled compile(Compilation compilation) {
    Node node = compilation.node();
    List<Dim> dims = node.inputs().get(1).dims();
    int groups = Math.toIntExact(node.attributes().integer("group", 1));
    int axes = dims.size() - 2;
    Tensor turned = turned(compilation, groups);
    Tensor bias = compilation.tensor(2);
    Sizes any = sizes(node, dims, Windows.repeated(axes, 1));
    List<Integer> zeros = ints(new long[axes]);
    ConvolutionSpec spec =
        new ConvolutionSpec(
            Math.toIntExact(dims.get(0).size()),
            Math.toIntExact(dims.get(1).size() * groups),
            groups,
            ints(any.kernel),
            ints(Windows.repeated(axes, 1)),
            ints(any.dilations),
            zeros,
            zeros);
    PackedConvolution packed = compilation.own(compilation.device().pack(spec, turned, bias));
    return ShapeGradients.reading(0, binding -> bind(binding, packed, dims));
  }

  private static List<Integer> ints(long[] longs) {
    return Arrays.stream(longs).mapToObj(Math::toIntExact).toList();
  }

  /** The weights as those of a convolution: {@code [outputs, channels / group, kernel...]}. */
  private static Tensor turned(Compilation compilation, int groups) {
    Tensor weights = compilation.requireConstant(1, "the kernel").tensor(compilation.scratch());
    double[] from = weights.toDoubles();
    double[] to = new double[from.length];
    int channels = Math.toIntExact(weights.dim(0) / groups);
    int outputs = Math.toIntExact(weights.dim(1));
    int taps = channels == 0 || outputs == 0 ? 0 : from.length / (groups * channels * outputs);
    for (int i = 0; i < to.length; i++) {
      int tap = i % taps;
      int channel = i / taps % channels;
      int output = i / (taps * channels) % outputs;
      int group = i / (taps * channels * outputs);
      to[i] = from[((group * channels + channel) * outputs + output) * taps + taps - 1 - tap];
    }
    long[] dims = weights.shape().dims();
    dims[0] = (long) outputs * groups;
    dims[1] = channels;
    Tensor turned = Tensor.allocate(compilation.scratch(), DType.FLOAT32, dims);
    if (compilation.device().real() == DType.FLOAT64) {
      turned = Tensor.allocate(compilation.scratch(), DType.FLOAT64, dims);
    }
    return turned.copyFrom(Tensor.ofDoubles(compilation.scratch(), to, dims));
  }

  private static Step bind(Binding binding, PackedConvolution packed, List<Dim> weights) {
    long[] dims = binding.inputDims(0);
    long[] in = Arrays.copyOfRange(dims, 2, dims.length);
    Sizes sizes = sizes(binding.node(), weights, in);
    int axes = in.length;
    long[] wide = dims.clone();
    long[] extent = dims.clone();
    long[] from = Shape.of(dims).contiguousStrides();
    for (int i = 0; i < axes; i++) {
      wide[i + 2] = sizes.out[i] + (sizes.kernel[i] - 1) * sizes.dilations[i];
    }
    long[] to = Shape.of(wide).contiguousStrides();
    long source = 0;
    long target = 0;
    for (int i = 0; i < axes; i++) {
      // Where the first element goes; what lies before the first or behind the last is left out.
      long first = (sizes.kernel[i] - 1) * sizes.dilations[i] - sizes.begin[i];
      long skipped = first < 0 ? Math.ceilDiv(-first, sizes.strides[i]) : 0;
      long begin = first + skipped * sizes.strides[i];
      long room = wide[i + 2] - begin;
      long count = Math.min(in[i] - skipped, room <= 0 ? 0 : (room - 1) / sizes.strides[i] + 1);
      extent[i + 2] = Math.max(0, count);
      source += skipped * from[i + 2];
      target += begin * to[i + 2];
      to[i + 2] *= sizes.strides[i];
    }
    long offset = source;
    long put = target;
    long count = Shape.of(wide).elements();
    DType type = binding.inputType(0);
    Region spread = binding.scratch(Math.multiplyExact(count, (long) type.bytes()));
    Region x = binding.input(0);
    Region y = binding.output(0);
    int batch = Math.toIntExact(dims[0]);
    long[] spatial = Arrays.copyOfRange(wide, 2, wide.length);
    return kernels -> {
      kernels.fill(spread, type, count, 0);
      kernels.copyStrided(x, offset, from, spread, put, to, extent, type.bytes());
      kernels.convolve(packed, spread, batch, spatial, Activation.IDENTITY, y);
    };
  }
}
