package io.gatun.graph;

import io.gatun.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Reals as whole numbers, {@code real = (whole − zero point) · scale}, and products of such. On the
 * host, with exact sums.
 */
final class QuantizationOperators {
  private QuantizationOperators() {}

  static List<Operator> all() {
    return List.of(
        new Quantize(),
        new Dequantize(),
        new DynamicQuantize(),
        new IntegerProduct(),
        new QuantizedProduct(),
        new IntegerConvolution("ConvInteger", false),
        new IntegerConvolution("QLinearConv", true));
  }

  private static boolean isByte(DType type) {
    return type == DType.INT8 || type == DType.UINT8;
  }

  private static void requireBytes(Inference inference, int input) {
    if (!isByte(inference.type(input))) {
      throw inference.error(
          inference.node().operator().type()
              + " of "
              + inference.type(input).label()
              + ", expected int8 or uint8");
    }
  }

  /** The nearest whole number, of two the even one, and the nearest that the type has. */
  private static long saturated(DType type, double value) {
    long whole = (long) Math.rint(value);
    return switch (type) {
      case INT8 -> Math.max(-128, Math.min(127, whole));
      case UINT8 -> Math.max(0, Math.min(255, whole));
      case INT16 -> Math.max(-32768, Math.min(32767, whole));
      case UINT16 -> Math.max(0, Math.min(65535, whole));
      default -> whole;
    };
  }

  /** The same as float32 divides. */
  private static double quotient(double x, double scale) {
    return (float) (x / scale);
  }

  /** The sizes of scales: one number, one for each index of an axis, or one for each block. */
  private static void checkScales(Inference inference) {
    int axisRank = inference.rank(0);
    long block = inference.attributes().integer("block_size", 0);
    int rank = inference.rank(1);
    if (inference.has(2)) {
      inference.expect(2, inference.dims(1).toArray(new Dim[0]));
    }
    if (block < 0) {
      throw inference.error("block_size is " + block);
    }
    if (block > 0) {
      inference.expectRank(1, axisRank);
      int axis = inference.axis("axis", 1, axisRank);
      for (int i = 0; i < axisRank; i++) {
        Dim size = inference.dim(0, i);
        Dim expected =
            i != axis ? size : size.isKnown() ? Dim.of(Math.ceilDiv(size.size(), block)) : null;
        if (expected != null && !inference.dim(1, i).matches(expected)) {
          throw inference.error(
              "scales are "
                  + inference.dims(1)
                  + " for blocks of "
                  + block
                  + " of "
                  + inference.dims(0));
        }
      }
    } else if (rank == 1 && !inference.dim(1, 0).equals(Dim.ONE)) {
      int axis = inference.axis("axis", 1, axisRank);
      if (!inference.dim(1, 0).matches(inference.dim(0, axis))) {
        throw inference.error(
            "scales are " + inference.dims(1) + " for axis " + axis + " of " + inference.dims(0));
      }
    } else if (rank > 1) {
      throw inference.error("scales are " + inference.dims(1) + ", expected one axis at most");
    }
  }

  /** Which scale each element has. */
  private static int[] scales(HostOperator.Call call) {
    HostArray x = call.in(0);
    HostArray scale = call.in(1);
    if (scale.count == 1) {
      return new int[x.count];
    }
    int axis = call.axis("axis", 1, x.dims.length);
    long block = call.attributes().integer("block_size", 0);
    long[] own = x.strides();
    int[] places = new int[x.count];
    if (block == 0) {
      Arrays.setAll(places, i -> (int) (i / own[axis] % x.dims[axis]));
      return places;
    }
    long[] strides = scale.strides();
    for (int i = 0; i < places.length; i++) {
      long at = 0;
      for (int k = 0; k < own.length; k++) {
        long index = i / own[k] % x.dims[k];
        at += (k == axis ? index / block : index) * strides[k];
      }
      places[i] = (int) at;
    }
    return places;
  }

  /** Reals to whole numbers. */
  private record Quantize() implements HostOperator {
    @Override
    public String type() {
      return "QuantizeLinear";
    }

    @Override
    public void infer(Inference inference) {
      if (!inference.type(0).isFloat() && inference.type(0) != DType.INT32) {
        ElementwiseOperators.requireReal(inference);
      }
      checkScales(inference);
      DType given =
          inference.has(2)
              ? inference.type(2)
              : DType.of(inference.attributes().string("output_dtype", "uint8"));
      if (!isByte(given) && given != DType.INT16 && given != DType.UINT16) {
        throw inference.error("quantised to " + given.label());
      }
      inference.output(given, inference.dims(0));
    }

    @Override
    public void compute(Call call) {
      int[] scale = scales(call);
      HostArray y = call.out(0);
      for (int i = 0; i < y.count; i++) {
        double divided = quotient(call.in(0).real(i), call.in(1).reals[scale[i]]);
        double zero = call.in(2) == null ? 0 : call.in(2).real(scale[i]);
        y.wholes[i] = saturated(y.type, Math.rint(divided) + zero);
      }
    }
  }

  /** Whole numbers to reals. */
  private record Dequantize() implements HostOperator {
    @Override
    public String type() {
      return "DequantizeLinear";
    }

    @Override
    public void infer(Inference inference) {
      if (!inference.type(0).isInteger()) {
        throw inference.error("input is " + inference.type(0).label() + ", expected integers");
      }
      checkScales(inference);
      String type = inference.attributes().string("output_dtype", inference.type(1).label());
      inference.output(DType.of(type), inference.dims(0));
    }

    @Override
    public void compute(Call call) {
      int[] scale = scales(call);
      for (int i = 0; i < call.out(0).count; i++) {
        long zero = call.in(2) == null ? 0 : call.in(2).wholes[scale[i]];
        call.out(0).reals[i] = (call.in(0).wholes[i] - zero) * call.in(1).reals[scale[i]];
      }
    }
  }

  /** Reals to uint8, with the scale and zero point that their range asks for. */
  private record DynamicQuantize() implements HostOperator {
    @Override
    public String type() {
      return "DynamicQuantizeLinear";
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      inference.output(DType.UINT8, inference.dims(0));
      inference.output(inference.type(0));
      inference.output(DType.UINT8);
    }

    @Override
    public void compute(Call call) {
      double low = 0;
      double high = 0;
      for (double x : call.in(0).reals) {
        low = Math.min(low, x);
        high = Math.max(high, x);
      }
      double scale = (float) ((high - low) / 255);
      double zero = scale == 0 ? 0 : saturated(DType.UINT8, quotient(-low, scale));
      for (int i = 0; i < call.in(0).count; i++) {
        double divided = scale == 0 ? 0 : quotient(call.in(0).reals[i], scale);
        call.out(0).wholes[i] = saturated(DType.UINT8, Math.rint(divided) + zero);
      }
      if (call.out(1) != null) {
        call.out(1).reals[0] = scale;
      }
      if (call.out(2) != null) {
        call.out(2).wholes[0] = (long) zero;
      }
    }
  }

  /** The sizes of a product of matrices, as MatMul has them. */
  private static List<Dim> productDims(Inference inference, int left, int right) {
    List<Dim> a = inference.dims(left);
    List<Dim> b = inference.dims(right);
    if (a.size() < 2 || b.size() < 2 || !a.get(a.size() - 1).matches(b.get(b.size() - 2))) {
      throw inference.error("a product of " + a + " and " + b);
    }
    List<Dim> dims =
        new ArrayList<>(
            inference.broadcast(a.subList(0, a.size() - 2), b.subList(0, b.size() - 2)));
    dims.add(a.get(a.size() - 2));
    dims.add(b.get(b.size() - 1));
    return dims;
  }

  private interface Sink {
    void put(int i, int row, int column, long sum);
  }

  /** The element of a zero point or scale that belongs to a row or a column. */
  private static int one(HostArray numbers, int index) {
    return numbers.count == 1 ? 0 : index % numbers.count;
  }

  private static void multiply(
      HostArray a, HostArray aZero, HostArray b, HostArray bZero, long[] out, Sink sink) {
    int inner = (int) a.dims[a.dims.length - 1];
    int columns = (int) b.dims[b.dims.length - 1];
    int rows = (int) a.dims[a.dims.length - 2];
    long[] batch = Arrays.copyOf(out, out.length - 2);
    int[] left = batches(a, batch, rows * inner);
    int[] right = batches(b, batch, inner * columns);
    for (int i = 0; i < left.length; i++) {
      for (int row = 0; row < rows; row++) {
        long za = aZero == null ? 0 : aZero.wholes[one(aZero, row)];
        for (int column = 0; column < columns; column++) {
          long zb = bZero == null ? 0 : bZero.wholes[one(bZero, column)];
          long sum = 0;
          for (int k = 0; k < inner; k++) {
            sum +=
                (a.wholes[left[i] + row * inner + k] - za)
                    * (b.wholes[right[i] + k * columns + column] - zb);
          }
          sink.put((i * rows + row) * columns + column, row, column, sum);
        }
      }
    }
  }

  private static int[] batches(HostArray x, long[] batch, int size) {
    long[] own = Arrays.copyOf(x.dims, x.dims.length - 2);
    int[] places =
        HostArray.places(batch, ElementwiseOperators.broadcastStrides(own, batch.length), 0);
    Arrays.setAll(places, i -> places[i] * size);
    return places;
  }

  /** A zero point or scale: one number, or one for each of an axis. */
  private static void checkOneOrEach(Inference inference, int input, Dim each) {
    if (inference.has(input)) {
      for (Dim dim : inference.dims(input)) {
        if (!dim.matches(Dim.ONE) && !dim.matches(each)) {
          throw inference.error(
              "zero point or scale "
                  + input
                  + " is "
                  + inference.dims(input)
                  + ", expected one number or "
                  + each);
        }
      }
    }
  }

  /** ONNX MatMulInteger: int8 or uint8 to int32. */
  private record IntegerProduct() implements HostOperator {
    @Override
    public String type() {
      return "MatMulInteger";
    }

    @Override
    public void infer(Inference inference) {
      requireBytes(inference, 0);
      requireBytes(inference, 1);
      List<Dim> dims = productDims(inference, 0, 1);
      checkOneOrEach(inference, 2, inference.dim(0, -2));
      checkOneOrEach(inference, 3, inference.dim(1, -1));
      inference.output(DType.INT32, dims);
    }

    @Override
    public void compute(Call call) {
      HostArray y = call.out(0);
      multiply(
          call.in(0),
          call.in(2),
          call.in(1),
          call.in(3),
          y.dims,
          (i, row, column, sum) -> y.wholes[i] = sum);
    }
  }

  /** ONNX QLinearMatMul: a, its scale and zero point, b, its, and the result's. */
  private record QuantizedProduct() implements HostOperator {
    @Override
    public String type() {
      return "QLinearMatMul";
    }

    @Override
    public void infer(Inference inference) {
      requireBytes(inference, 0);
      requireBytes(inference, 3);
      requireBytes(inference, 7);
      List<Dim> dims = productDims(inference, 0, 3);
      for (int input = 1; input < 3; input++) {
        checkOneOrEach(inference, input, inference.dim(0, -2));
        checkOneOrEach(inference, input + 3, inference.dim(3, -1));
        checkOneOrEach(inference, input + 5, Dim.ONE);
      }
      inference.output(inference.type(7), dims);
    }

    @Override
    public void compute(Call call) {
      HostArray y = call.out(0);
      double scale = call.in(6).reals[0];
      long zero = call.in(7).wholes[0];
      multiply(
          call.in(0),
          call.in(2),
          call.in(3),
          call.in(5),
          y.dims,
          (i, row, column, sum) -> {
            double a = call.in(1).reals[one(call.in(1), row)];
            double b = call.in(4).reals[one(call.in(4), column)];
            y.wholes[i] = saturated(y.type, Math.rint(sum * a * b / scale) + zero);
          });
    }
  }

  /** ONNX ConvInteger and QLinearConv. */
  private record IntegerConvolution(String type, boolean scaled) implements HostOperator {
    private int weights() {
      return scaled ? 3 : 1;
    }

    @Override
    public void infer(Inference inference) {
      requireBytes(inference, 0);
      requireBytes(inference, weights());
      int rank = inference.rank(0);
      inference.expectRank(weights(), rank);
      List<Dim> dims = inference.dims(weights());
      if (rank < 3 || !dims.stream().allMatch(Dim::isKnown)) {
        throw inference.error("a convolution of " + inference.dims(0) + " with " + dims);
      }
      long groups = inference.attributes().integer("group", 1);
      if (groups < 1
          || dims.get(0).size() % groups != 0
          || !inference.dim(0, 1).matches(Dim.of(dims.get(1).size() * groups))) {
        throw inference.error(
            "input is "
                + inference.dims(0)
                + ", weights are "
                + dims
                + " in "
                + groups
                + " groups");
      }
      checkOneOrEach(inference, 2, Dim.ONE);
      checkOneOrEach(inference, scaled ? 5 : 3, dims.get(0));
      List<Dim> result = new ArrayList<>(List.of(inference.dim(0, 0), dims.get(0)));
      boolean known = inference.dims(0).subList(2, rank).stream().allMatch(Dim::isKnown);
      for (int i = 0; i < rank - 2; i++) {
        result.add(inference.unknown(i));
      }
      if (known) {
        long[] spatial = inference.dims(0).subList(2, rank).stream().mapToLong(Dim::size).toArray();
        Windows windows = windows(inference.node(), dims, spatial);
        for (int i = 0; i < rank - 2; i++) {
          result.set(i + 2, Dim.of(windows.out[i]));
        }
      }
      if (scaled) {
        requireBytes(inference, 7);
        checkOneOrEach(inference, 1, Dim.ONE);
        checkOneOrEach(inference, 4, dims.get(0));
        checkOneOrEach(inference, 6, Dim.ONE);
        checkOneOrEach(inference, 7, Dim.ONE);
        if (inference.has(8)) {
          inference.expect(8, dims.get(0));
        }
      }
      inference.output(scaled ? inference.type(7) : DType.INT32, result);
    }

    private static Windows windows(Node node, List<Dim> weights, long[] spatial) {
      long[] kernel = weights.subList(2, weights.size()).stream().mapToLong(Dim::size).toArray();
      return Windows.of(node, kernel, spatial);
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      HostArray w = call.in(weights());
      HostArray y = call.out(0);
      HostArray xZero = call.in(2);
      HostArray wZero = call.in(scaled ? 5 : 3);
      long[] spatial = Arrays.copyOfRange(x.dims, 2, x.dims.length);
      List<Dim> dims = Arrays.stream(w.dims).mapToObj(Dim::of).toList();
      Windows windows = windows(call.node(), dims, spatial);
      int groups = Math.toIntExact(call.attributes().integer("group", 1));
      int channels = (int) w.dims[1];
      int outputs = (int) w.dims[0];
      int taps = w.product(2, w.dims.length);
      int plane = x.product(2, x.dims.length);
      int outPlane = y.product(2, y.dims.length);
      long zero = xZero == null ? 0 : xZero.wholes[0];
      for (int i = 0; i < y.count; i++) {
        int output = i / outPlane % outputs;
        int image = i / (outPlane * outputs);
        long zw = wZero == null ? 0 : wZero.wholes[one(wZero, output)];
        int[] places = windows.taps(i % outPlane);
        long sum = scaled && call.in(8) != null ? call.in(8).wholes[output] : 0;
        for (int c = 0; c < channels; c++) {
          int channel = output / (outputs / groups) * channels + c;
          int from = (image * channels * groups + channel) * plane;
          for (int k = 0; k < taps; k++) {
            if (places[k] >= 0) {
              sum +=
                  (x.wholes[from + places[k]] - zero)
                      * (w.wholes[(output * channels + c) * taps + k] - zw);
            }
          }
        }
        if (scaled) {
          double scale = call.in(1).reals[0] * call.in(4).reals[one(call.in(4), output)];
          double value = Math.rint(sum * scale / call.in(6).reals[0]);
          y.wholes[i] = saturated(y.type, value + call.in(7).wholes[0]);
        } else {
          y.wholes[i] = sum;
        }
      }
    }
  }
}
