package io.gatun.format;

import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/**
 * The tensors of a file of weights, int8 ones with their scales: a tensor {@code w} of int8 beside
 * one called {@code w.scale} is the product of both in float32, and the scale by itself is none of
 * the weights. The scale has the axes of its tensor, each of the same size or 1: {@code [outputs,
 * 1]} beside {@code [outputs, inputs]}; or it is one number.
 *
 * <p>Products are made when they are asked for first, in memory that the file owns.
 *
 * <p>Thread-safe.
 */
final class ScaledTensors implements NamedTensors {
  private static final String SCALE = ".scale";

  private final TensorFile file;
  private final Set<String> names = new LinkedHashSet<>();
  private final Set<String> scaled = new LinkedHashSet<>();
  private final Map<String, Tensor> products = new HashMap<>();

  ScaledTensors(TensorFile file) {
    this.file = file;
    for (String name : file.names()) {
      if (file.names().contains(name + SCALE) && file.tensor(name).dtype() == DType.INT8) {
        scaled.add(name);
      }
    }
    for (String name : file.names()) {
      boolean companion =
          name.endsWith(SCALE)
              && scaled.contains(name.substring(0, name.length() - SCALE.length()));
      if (!companion) {
        names.add(name);
      }
    }
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(names);
  }

  @Override
  public Tensor tensor(String name) {
    if (!scaled.contains(name)) {
      return file.tensor(name);
    }
    synchronized (products) {
      return products.computeIfAbsent(name, this::product);
    }
  }

  private Tensor product(String name) {
    Tensor whole = file.tensor(name);
    Tensor scale = file.tensor(name + SCALE);
    boolean fits = scale.dtype().isFloat() && (scale.rank() == whole.rank() || scale.rank() == 0);
    for (int axis = 0; fits && axis < scale.rank(); axis++) {
      fits = scale.dim(axis) == 1 || scale.dim(axis) == whole.dim(axis);
    }
    if (!fits) {
      throw ModelFormatException.in(
          file.path(),
          Json.quoted(name + SCALE)
              + " is "
              + scale
              + ", expected reals whose axes are those of "
              + whole
              + " or 1: for a scale of each row [rows, 1]");
    }
    double[] scales = scale.toDoubles();
    for (double number : scales) {
      if (!(number >= 0 && number <= Float.MAX_VALUE)) {
        throw ModelFormatException.in(
            file.path(),
            Json.quoted(name + SCALE) + " has " + number + ", expected finite numbers from 0 on");
      }
    }
    long[] dims = whole.shape().dims();
    long[] scaleDims = dims.clone();
    for (int axis = 0; axis < dims.length; axis++) {
      scaleDims[axis] = scale.rank() == 0 ? 1 : scale.dim(axis);
    }
    float[] product = whole.toFloats();
    // A row lies along the last axis and has one number of the scale, or one for each of its own.
    int last = Math.max(0, dims.length - 1);
    int columns = dims.length == 0 ? 1 : Math.toIntExact(dims[last]);
    int scaleColumns = dims.length == 0 ? 1 : Math.toIntExact(scaleDims[last]);
    int[] rows = channels(Arrays.copyOf(dims, last), Arrays.copyOf(scaleDims, last));
    for (int row = 0; row < rows.length; row++) {
      int step = scaleColumns == 1 ? 0 : 1;
      scale(product, row * columns, columns, scales, rows[row] * scaleColumns, step);
    }
    return Tensor.ofFloats(file.arena(), product, whole.shape().dims());
  }

  /** Multiplies some numbers by those of a scale that begin at a place and are a step apart. */
  private static void scale(
      float[] numbers, int from, int count, double[] scales, int at, int step) {
    for (int i = 0; i < count; i++) {
      numbers[from + i] = (float) (numbers[from + i] * scales[at + i * step]);
    }
  }

  /**
   * Puts a tensor and its scale to what is written to a file, both as {@link WeightFormat#INT8}
   * defines them.
   *
   * @param to gets {@code name} and {@code name.scale}
   * @param dims the shape of the scale: each axis as long as that of the tensor, or 1
   * @param arena where both are allocated
   * @throws IllegalArgumentException if the tensor has a number that is not finite
   */
  static void put(Map<String, Tensor> to, String name, Tensor weights, long[] dims, Arena arena) {
    float[] numbers = weights.toFloats();
    int[] channels = channels(weights.shape().dims(), dims);
    float[] scales = new float[Math.toIntExact(Shape.of(dims).elements())];
    for (int i = 0; i < numbers.length; i++) {
      if (!Float.isFinite(numbers[i])) {
        throw new IllegalArgumentException(
            name + " has " + numbers[i] + ", which int8 cannot stand for; write it as float32");
      }
      scales[channels[i]] = Math.max(scales[channels[i]], Math.abs(numbers[i]));
    }
    for (int i = 0; i < scales.length; i++) {
      scales[i] = WeightFormat.scale(scales[i]);
    }
    int[] whole = new int[numbers.length];
    for (int i = 0; i < numbers.length; i++) {
      whole[i] = WeightFormat.int8(numbers[i], scales[channels[i]]);
    }
    try (Arena aside = Arena.ofConfined()) {
      to.put(name, Tensor.ofInts(aside, whole, weights.shape().dims()).to(arena, DType.INT8));
    }
    to.put(name + SCALE, Tensor.ofFloats(arena, scales, dims));
  }

  /** Which number of a scale each number of a tensor belongs to. */
  private static int[] channels(long[] dims, long[] scaleDims) {
    int[] channels = {0};
    for (int axis = 0; axis < dims.length; axis++) {
      int size = Math.toIntExact(dims[axis]);
      int[] longer = new int[channels.length * size];
      for (int i = 0; i < longer.length; i++) {
        int along = scaleDims[axis] == 1 ? 0 : i % size;
        longer[i] = channels[i / size] * (int) scaleDims[axis] + along;
      }
      channels = longer;
    }
    return channels;
  }

  /** The file, as error messages show it. */
  @Override
  public String toString() {
    return file.toString();
  }
}
