package io.gatun.representation;

import io.gatun.graph.Attributes;
import io.gatun.graph.Node;
import io.gatun.graph.Value;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Map;
import java.util.Set;

/**
 * One node walked back: from the indices of an output that count to those of its inputs. A set for
 * each axis; together they stand for their product.
 */
final class Windows {
  /** Each element of the output depends on the same element of the inputs, broadcast. */
  static final Set<String> SAME =
      Set.of(
          "Relu",
          "Tanh",
          "Sigmoid",
          "HardSigmoid",
          "LeakyRelu",
          "ThresholdedRelu",
          "ScaledTanh",
          "Elu",
          "Selu",
          "Celu",
          "Softsign",
          "Softplus",
          "Affine",
          "Gelu",
          "Swish",
          "HardSwish",
          "Mish",
          "Exp",
          "Neg",
          "Abs",
          "Log",
          "Sqrt",
          "Reciprocal",
          "Add",
          "Sub",
          "Mul",
          "Div",
          "Pow",
          "Max",
          "Min",
          "Cast",
          "Identity",
          "Dropout",
          "Clip",
          "Erf",
          "PRelu",
          "Where",
          "Sign",
          "Floor",
          "Ceil",
          "Round",
          "Expand",
          "BatchNormalization",
          "Not",
          "Sin",
          "Cos");

  private static final Set<String> OTHERS =
      Set.of(
          "Conv",
          "ConvTranspose",
          "MaxPool",
          "AveragePool",
          "GlobalMaxPool",
          "GlobalAveragePool",
          "MatMul",
          "Gemm",
          "RNN",
          "GRU",
          "LSTM",
          "Softmax",
          "LogSoftmax",
          "LayerNormalization",
          "Reshape",
          "Flatten",
          "Squeeze",
          "Unsqueeze",
          "Transpose",
          "Concat",
          "Slice",
          "Gather",
          "Pad");

  /** More elements than this are not looked at one by one. */
  private static final long MOST = 1L << 20;

  private final Node node;
  private final Attributes attributes;
  private final int output;
  private final BitSet[] set;
  private final Map<Value, long[]> sizes;
  private final BitSet[][] inputs;

  Windows(Node node, int output, BitSet[] set, Map<Value, long[]> sizes) {
    this.node = node;
    this.attributes = node.attributes();
    this.output = output;
    this.set = set;
    this.sizes = sizes;
    inputs = new BitSet[node.inputs().size()][];
  }

  static BitSet only(int index) {
    BitSet one = new BitSet();
    one.set(index);
    return one;
  }

  private static BitSet range(long from, long to) {
    BitSet all = new BitSet();
    if (to > from) {
      all.set((int) from, (int) to);
    }
    return all;
  }

  private long[] dims(int input) {
    return sizes.get(node.inputs().get(input));
  }

  private boolean has(int input) {
    Value value = input < node.inputs().size() ? node.inputs().get(input) : null;
    return value != null && value.constant() == null && sizes.containsKey(value);
  }

  private BitSet[] all(int input) {
    long[] dims = dims(input);
    BitSet[] full = new BitSet[dims.length];
    Arrays.setAll(full, axis -> range(0, dims[axis]));
    return full;
  }

  private static BitSet[] copy(BitSet[] set) {
    BitSet[] copy = new BitSet[set.length];
    Arrays.setAll(copy, axis -> (BitSet) set[axis].clone());
    return copy;
  }

  /** What counts of each input; {@code null} for constants and for what is left out. */
  BitSet[][] inputs() {
    String type = node.operator().type();
    if (SAME.contains(type)) {
      for (int i = 0; i < inputs.length; i++) {
        if (has(i)) {
          inputs[i] = broadcast(dims(i));
        }
      }
      return inputs;
    }
    for (int i = 0; i < inputs.length; i++) {
      if (has(i)) {
        inputs[i] = all(i);
      }
    }
    if (inputs.length > 0 && has(0) && OTHERS.contains(type)) {
      first(type);
    } else if (type.equals("Gather") && has(1)) {
      indices();
    } else if (type.equals("Concat")) {
      concat();
    } else if (type.equals("MatMul") && has(1)) {
      product();
    }
    return inputs;
  }

  private void first(String type) {
    switch (type) {
      case "Conv" -> convolution();
      case "ConvTranspose" -> transposedConvolution();
      case "MaxPool", "AveragePool" -> {
        long[] kernel = attributes.integers("kernel_shape");
        inputs[0] = copy(set);
        windows(kernel);
      }
      case "GlobalMaxPool", "GlobalAveragePool" -> {
        inputs[0][0] = (BitSet) set[0].clone();
        inputs[0][1] = (BitSet) set[1].clone();
      }
      case "MatMul" -> product();
      case "Gemm" -> gemm();
      case "RNN", "GRU", "LSTM" -> recurrent();
      case "Softmax", "LogSoftmax" -> {
        inputs[0] = copy(set);
        int axis = axis(attributes.integer("axis", -1), set.length);
        inputs[0][axis] = all(0)[axis];
      }
      case "LayerNormalization" -> {
        BitSet[] full = all(0);
        int from = axis(attributes.integer("axis", -1), set.length);
        inputs[0] = copy(set);
        System.arraycopy(full, from, inputs[0], from, full.length - from);
      }
      case "Reshape", "Flatten", "Squeeze", "Unsqueeze" -> reshape();
      case "Transpose" -> transpose();
      case "Concat" -> concat();
      case "Slice" -> slice();
      case "Pad" -> pad();
      case "Gather" -> indices();
      default -> throw new AssertionError(type);
    }
  }

  private static int axis(long axis, int rank) {
    return (int) (axis < 0 ? axis + rank : axis);
  }

  private BitSet[] broadcast(long[] dims) {
    BitSet[] of = new BitSet[dims.length];
    int shift = set.length - dims.length;
    for (int axis = 0; axis < dims.length; axis++) {
      BitSet given = axis + shift >= 0 ? set[axis + shift] : only(0);
      of[axis] =
          dims[axis] == 1 ? given.isEmpty() ? new BitSet() : only(0) : (BitSet) given.clone();
    }
    return of;
  }

  // ---- windows ----------------------------------------------------------------------------------

  private void convolution() {
    long[] weights = sizes.get(node.inputs().get(1));
    inputs[0][0] = (BitSet) set[0].clone();
    int groups = (int) attributes.integer("group", 1);
    int perGroup = (int) weights[1];
    int outputs = (int) (weights[0] / groups);
    BitSet channels = new BitSet();
    set[1].stream()
        .forEach(c -> channels.set(c / outputs * perGroup, (c / outputs + 1) * perGroup));
    inputs[0][1] = channels;
    windows(Arrays.copyOfRange(weights, 2, weights.length));
  }

  /** out(o) reads in(o·stride − pad + tap·dilation). */
  private void windows(long[] kernel) {
    long[] in = dims(0);
    long[] out = sizes.get(node.outputs().get(output));
    for (int axis = 0; axis < kernel.length; axis++) {
      long stride = at("strides", axis, 1);
      long dilation = at("dilations", axis, 1);
      long extent = dilation * (kernel[axis] - 1) + 1;
      long pad = padBefore(axis, kernel.length, in[axis + 2], out[axis + 2], stride, extent);
      BitSet places = new BitSet();
      for (int o = set[axis + 2].nextSetBit(0); o >= 0; o = set[axis + 2].nextSetBit(o + 1)) {
        for (long tap = 0; tap < kernel[axis]; tap++) {
          long place = o * stride - pad + tap * dilation;
          if (place >= 0 && place < in[axis + 2]) {
            places.set((int) place);
          }
        }
      }
      inputs[0][axis + 2] = places;
    }
  }

  private long at(String name, int axis, long otherwise) {
    long[] values = attributes.integers(name, new long[0]);
    return axis < values.length ? values[axis] : otherwise;
  }

  private long padBefore(int axis, int axes, long in, long out, long stride, long extent) {
    String auto = attributes.string("auto_pad", "NOTSET");
    if (auto.startsWith("SAME")) {
      long total = Math.max(0, (out - 1) * stride + extent - in);
      return auto.equals("SAME_UPPER") ? total / 2 : total - total / 2;
    }
    long[] pads = attributes.integers("pads", new long[2 * axes]);
    return auto.equals("VALID") ? 0 : pads[axis];
  }

  /** out(i·stride − pad + tap·dilation) reads in(i). */
  private void transposedConvolution() {
    long[] weights = sizes.get(node.inputs().get(1));
    long[] in = dims(0);
    long[] out = sizes.get(node.outputs().get(output));
    inputs[0][0] = (BitSet) set[0].clone();
    int axes = in.length - 2;
    String auto = attributes.string("auto_pad", "NOTSET");
    for (int axis = 0; axis < axes; axis++) {
      long stride = at("strides", axis, 1);
      long dilation = at("dilations", axis, 1);
      long extent = dilation * (weights[axis + 2] - 1) + 1;
      if (auto.startsWith("SAME") || attributes.has("output_shape")) {
        continue; // how it is cut is the operator's own business: everything counts
      }
      long pad = attributes.integers("pads", new long[2 * axes])[axis];
      BitSet places = new BitSet();
      for (int i = 0; i < in[axis + 2]; i++) {
        for (long tap = 0; tap < extent; tap += dilation) {
          long o = i * stride - pad + tap;
          if (o >= 0 && o < out[axis + 2] && set[axis + 2].get((int) o)) {
            places.set(i);
          }
        }
      }
      inputs[0][axis + 2] = places;
    }
  }

  private void pad() {
    long[] pads = attributes.integers("pads", new long[0]);
    Value given = node.inputs().size() > 1 ? node.inputs().get(1) : null;
    if (pads.length == 0 && given != null && given.constant() != null) {
      pads = given.constant().longs();
    }
    boolean constant = attributes.string("mode", "constant").equals("constant");
    long[] in = dims(0);
    if (pads.length != 2 * in.length || !constant) {
      return;
    }
    for (int axis = 0; axis < in.length; axis++) {
      inputs[0][axis] = shifted(set[axis], -pads[axis], in[axis]);
    }
  }

  private static BitSet shifted(BitSet set, long by, long size) {
    BitSet moved = new BitSet();
    set.stream()
        .mapToLong(i -> i + by)
        .filter(i -> i >= 0 && i < size)
        .forEach(i -> moved.set((int) i));
    return moved;
  }

  // ---- products and loops -----------------------------------------------------------------------

  private void product() {
    for (int input = 0; input < 2; input++) {
      if (!has(input)) {
        continue;
      }
      long[] dims = dims(input);
      if (dims.length < 2 || set.length < 2) {
        continue;
      }
      int shift = set.length - dims.length;
      BitSet[] of = all(input);
      for (int axis = 0; axis < dims.length - 2; axis++) {
        of[axis] = dims[axis] == 1 ? only(0) : (BitSet) set[axis + shift].clone();
      }
      int own = input == 0 ? dims.length - 2 : dims.length - 1;
      of[own] = (BitSet) set[own + shift].clone();
      inputs[input] = of;
    }
  }

  private void gemm() {
    boolean across = attributes.integer("transA", 0) != 0;
    inputs[0][across ? 1 : 0] = (BitSet) set[0].clone();
  }

  private void recurrent() {
    int layout = (int) attributes.integer("layout", 0);
    boolean steps = output == 0;
    int directionAxis = steps ? (layout == 0 ? 1 : 2) : (layout == 1 ? 1 : 0);
    int batchAxis = steps ? (layout == 1 ? 0 : layout == 2 ? 1 : 2) : (layout == 1 ? 0 : 1);
    int timeAxis = layout == 1 ? 1 : 0;
    long time = dims(0)[timeAxis];
    BitSet[] of = inputs[0];
    of[layout == 1 ? 0 : 1] = (BitSet) set[batchAxis].clone();
    if (steps) {
      String direction = attributes.string("direction", "forward");
      BitSet times = set[timeAxis];
      BitSet seen = new BitSet();
      for (int d = set[directionAxis].nextSetBit(0);
          d >= 0;
          d = set[directionAxis].nextSetBit(d + 1)) {
        boolean back = d == 1 || direction.equals("reverse");
        if (!times.isEmpty()) {
          seen.or(back ? range(times.nextSetBit(0), time) : range(0, times.length()));
        }
      }
      of[timeAxis] = seen;
    }
  }

  private void indices() {
    int axis = axis(attributes.integer("axis", 0), sizes.get(node.inputs().get(0)).length);
    if (has(1)) {
      BitSet[] of = new BitSet[dims(1).length];
      for (int i = 0; i < of.length; i++) {
        of[i] = (BitSet) set[axis + i].clone();
      }
      inputs[1] = of;
    }
    if (has(0)) {
      int rank = sizes.get(node.inputs().get(1)).length;
      for (int i = 0; i < inputs[0].length; i++) {
        if (i != axis) {
          inputs[0][i] = (BitSet) set[i < axis ? i : i - 1 + rank].clone();
        }
      }
    }
  }

  // ---- other looks ------------------------------------------------------------------------------

  private void transpose() {
    long[] order = attributes.integers("perm", new long[0]);
    for (int axis = 0; axis < set.length; axis++) {
      int from = order.length == 0 ? set.length - 1 - axis : (int) order[axis];
      inputs[0][from] = (BitSet) set[axis].clone();
    }
  }

  private void concat() {
    int axis = axis(attributes.integer("axis", 0), set.length);
    long offset = 0;
    for (int i = 0; i < inputs.length; i++) {
      long size = sizes.get(node.inputs().get(i))[axis];
      if (has(i)) {
        inputs[i] = copy(set);
        inputs[i][axis] = shifted(set[axis], -offset, size);
        if (inputs[i][axis].isEmpty()) {
          inputs[i] = null;
        }
      }
      offset += size;
    }
  }

  private long[] numbers(String name, int input) {
    if (attributes.has(name)) {
      return attributes.integers(name);
    }
    Value given = input < node.inputs().size() ? node.inputs().get(input) : null;
    return given == null || given.constant() == null ? null : given.constant().longs();
  }

  private void slice() {
    long[] starts = numbers("starts", 1);
    long[] axes = numbers("axes", 3);
    long[] steps = numbers("steps", 4);
    if (starts == null) {
      return;
    }
    long[] dims = dims(0);
    inputs[0] = copy(set);
    for (int i = 0; i < starts.length; i++) {
      int axis = axes == null ? i : axis(axes[i], dims.length);
      long step = steps == null ? 1 : steps[i];
      long start = starts[i] < 0 ? starts[i] + dims[axis] : starts[i];
      start = Math.max(0, Math.min(start, step < 0 ? dims[axis] - 1 : dims[axis]));
      BitSet of = new BitSet();
      for (int o = set[axis].nextSetBit(0); o >= 0; o = set[axis].nextSetBit(o + 1)) {
        of.set((int) (start + o * step));
      }
      inputs[0][axis] = of;
    }
  }

  /** Axes that stand on both sides keep their sets; what lies between is counted through. */
  private void reshape() {
    long[] in = dims(0);
    long[] out = sizes.get(node.outputs().get(output));
    int i = 0;
    int o = 0;
    while (i < in.length || o < out.length) {
      int fromIn = i;
      int fromOut = o;
      long a = i < in.length ? in[i++] : 1;
      long b = o < out.length ? out[o++] : 1;
      while (a != b) {
        if (a < b && i < in.length) {
          a *= in[i++];
        } else if (o < out.length) {
          b *= out[o++];
        } else {
          return; // sizes of 0: everything counts
        }
      }
      group(in, fromIn, i, out, fromOut, o, a);
    }
  }

  private void group(
      long[] in, int fromIn, int toIn, long[] out, int fromOut, int toOut, long size) {
    boolean full = true;
    for (int axis = fromOut; axis < toOut; axis++) {
      full &= set[axis].cardinality() == out[axis];
    }
    if (full || size > MOST) {
      return;
    }
    BitSet[] of = new BitSet[toIn - fromIn];
    Arrays.setAll(of, axis -> new BitSet());
    for (long flat = 0; flat < size; flat++) {
      long left = flat;
      boolean counts = true;
      for (int axis = toOut - 1; axis >= fromOut && counts; axis--) {
        counts = set[axis].get((int) (left % out[axis]));
        left /= out[axis];
      }
      if (counts) {
        left = flat;
        for (int axis = toIn - 1; axis >= fromIn; axis--) {
          of[axis - fromIn].set((int) (left % in[axis]));
          left /= in[axis];
        }
      }
    }
    System.arraycopy(of, 0, inputs[0], fromIn, of.length);
  }
}
