package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Exponential.BIAS;
import static io.gatun.kernel.simd.Exponential.BIAS_64;
import static io.gatun.kernel.simd.Exponential.E2;
import static io.gatun.kernel.simd.Exponential.E3;
import static io.gatun.kernel.simd.Exponential.E4;
import static io.gatun.kernel.simd.Exponential.E5;
import static io.gatun.kernel.simd.Exponential.E6;
import static io.gatun.kernel.simd.Exponential.E7;
import static io.gatun.kernel.simd.Exponential.EXP_LIMIT;
import static io.gatun.kernel.simd.Exponential.LN2_HIGH;
import static io.gatun.kernel.simd.Exponential.LN2_LOW;
import static io.gatun.kernel.simd.Exponential.LOG2_E;
import static io.gatun.kernel.simd.Exponential.ROUND;
import static io.gatun.kernel.simd.Exponential.SIGN;
import static io.gatun.kernel.simd.Exponential.TANH_LIMIT;
import static io.gatun.kernel.simd.Exponential.TWO_TO_MINUS_64;
import static io.gatun.kernel.simd.Lanes.LANES;
import static io.gatun.kernel.simd.Lanes.MEMORY;

import io.gatun.kernel.Activation;
import io.gatun.kernel.WeightFormat;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The products of {@link WideTiles} and {@link NarrowTiles} and the steps of {@link Gates}, number
 * by number instead of vector by vector and with the same bits, for {@link ColdStart}.
 *
 * <p>Everything goes through small arrays on the heap, because in the interpreter and to C1 an
 * access to native memory is a chain of calls, and a copy costs no more than one of them. These
 * arrays are made at each call: that is over before a process is in its steady state.
 */
final class PlainLoops {
  /** Numbers of the right side that are fetched at once, to stay in the first cache. */
  private static final int BLOCK = 1 << 12;

  /** Terms that are added to a sum at once. */
  private static final int TERMS = 8;

  private PlainLoops() {}

  /**
   * {@link Product#run}. Rows of all its panels are laid side by side: over a panel alone a loop
   * ends before it has begun to be worth compiling.
   *
   * @param a interleaved rows
   * @param c where the result of the first row and the first of these panels goes
   * @param cStride bytes from one row of the result to the next
   */
  static void product(float[] a, int rows, Panels b, int from, int to, long c, long cStride) {
    int columns = 0;
    for (int i = from; i < to; i++) {
      columns += b.width(i) * LANES;
    }
    int most = fetched(b.inner, columns);
    float[] block = new float[most * columns];
    float[] line = new float[most * Lanes.WIDE * LANES];
    int[] words = new int[b.format == WeightFormat.FLOAT32 ? 0 : line.length];
    float[] sums = new float[rows * columns];
    for (int first = 0; first < b.inner; first += most) {
      int some = Math.min(most, b.inner - first);
      int column = 0;
      for (int i = from; i < to; i++) {
        int width = b.width(i) * LANES;
        fetch(b, i, first, some, words, line);
        for (int k = 0; k < some; k++) {
          System.arraycopy(line, k * width, block, k * columns + column, width);
        }
        column += width;
      }
      multiply(a, rows, b.inner, first, some, block, columns, sums);
    }
    if (b.format == WeightFormat.INT8) {
      scale(sums, b, from, to);
    }
    for (int row = 0; row < rows; row++) {
      write(sums, row * columns, c + row * cStride, columns);
    }
  }

  /**
   * {@link Product#panel}.
   *
   * @param b the panel, {@code width} vectors wide
   */
  static void panel(float[] a, int rows, int inner, int width, long b, long c, long cStride) {
    int columns = width * LANES;
    int most = fetched(inner, columns);
    float[] block = new float[most * columns];
    float[] sums = new float[rows * columns];
    for (int first = 0; first < inner; first += most) {
      int some = Math.min(most, inner - first);
      read(b + (long) first * columns * Float.BYTES, block, some * columns);
      multiply(a, rows, inner, first, some, block, columns, sums);
    }
    for (int row = 0; row < rows; row++) {
      write(sums, row * columns, c + row * cStride, columns);
    }
  }

  /** How many rows of the right side are fetched at once: whole {@link #TERMS}. */
  private static int fetched(int inner, int columns) {
    return Math.min(inner, Math.max(1, BLOCK / columns / TERMS) * TERMS);
  }

  /** Some rows of a panel, as float32. */
  private static void fetch(Panels b, int panel, int first, int rows, int[] words, float[] to) {
    int width = b.width(panel);
    long from = b.at(panel) + width * SmallWeights.vectorBytes(first, b.format);
    if (b.format == WeightFormat.FLOAT32) {
      read(from, to, rows * width * LANES);
      return;
    }
    int count = (int) (width * SmallWeights.vectorBytes(rows, b.format) / Integer.BYTES);
    MemorySegment.copy(MEMORY, ValueLayout.JAVA_INT_UNALIGNED, from, words, 0, count);
    if (b.format == WeightFormat.INT8) {
      widenInt8(words, width * rows, to);
    } else {
      widenBfloat16(words, width * rows, to);
    }
  }

  private static void widenBfloat16(int[] words, int vectors, float[] to) {
    for (int i = 0; i < vectors; i += 2) {
      for (int lane = 0; lane < LANES; lane++) {
        int word = words[i / 2 * LANES + lane];
        to[i * LANES + lane] = Float.intBitsToFloat(word << 16);
        to[(i + 1) * LANES + lane] = Float.intBitsToFloat(word & 0xffff0000);
      }
    }
  }

  /** Gives the 2²⁴-fold, as {@link Int8Tiles} does. */
  private static void widenInt8(int[] words, int vectors, float[] to) {
    for (int i = 0; i < vectors; i++) {
      int shift = 24 - 8 * (i % 4);
      for (int lane = 0; lane < LANES; lane++) {
        to[i * LANES + lane] = words[i / 4 * LANES + lane] << shift & 0xff000000;
      }
    }
  }

  private static void scale(float[] sums, Panels b, int from, int to) {
    int columns = 0;
    for (int i = from; i < to; i++) {
      columns += b.width(i) * LANES;
    }
    float[] scales = new float[columns];
    read(b.scales(from), scales, columns);
    for (int i = 0; i < sums.length; i++) {
      sums[i] *= scales[i % columns];
    }
  }

  /** {@code sums += a b} for some rows of the right side. */
  private static void multiply(
      float[] a, int rows, int inner, int first, int some, float[] b, int columns, float[] sums) {
    for (int tile = 0, height; tile < rows; tile += height) {
      height = Product.tileRows(rows - tile);
      for (int row = 0; row < height; row++) {
        int at = tile * inner + row + first * height;
        int to = (tile + row) * columns;
        int k = 0;
        for (; k + TERMS <= some; k += TERMS) {
          addProducts(a, at + k * height, height, b, k * columns, columns, sums, to);
        }
        for (; k < some; k++) {
          addProduct(a[at + k * height], b, k * columns, columns, sums, to);
        }
      }
    }
  }

  private static void addProduct(float x, float[] b, int from, int columns, float[] sums, int to) {
    for (int i = 0; i < columns; i++) {
      sums[to + i] = Math.fma(x, b[from + i], sums[to + i]);
    }
  }

  /** Eight terms at once, in their order. */
  private static void addProducts(
      float[] a, int at, int step, float[] b, int from, int columns, float[] sums, int to) {
    float x0 = a[at];
    float x1 = a[at + step];
    float x2 = a[at + 2 * step];
    float x3 = a[at + 3 * step];
    float x4 = a[at + 4 * step];
    float x5 = a[at + 5 * step];
    float x6 = a[at + 6 * step];
    float x7 = a[at + 7 * step];
    int b1 = from + columns;
    int b2 = b1 + columns;
    int b3 = b2 + columns;
    int b4 = b3 + columns;
    int b5 = b4 + columns;
    int b6 = b5 + columns;
    int b7 = b6 + columns;
    for (int i = 0; i < columns; i++) {
      float sum = Math.fma(x0, b[from + i], sums[to + i]);
      sum = Math.fma(x1, b[b1 + i], sum);
      sum = Math.fma(x2, b[b2 + i], sum);
      sum = Math.fma(x3, b[b3 + i], sum);
      sum = Math.fma(x4, b[b4 + i], sum);
      sum = Math.fma(x5, b[b5 + i], sum);
      sum = Math.fma(x6, b[b6 + i], sum);
      sums[to + i] = Math.fma(x7, b[b7 + i], sum);
    }
  }

  /**
   * {@code out[i] = sum over k of a[at + step k] lines[k][i], + bias}.
   *
   * @param lines where the numbers begin that a term is taken from
   */
  static void taps(
      float[] a, int at, int step, long[] lines, int terms, float bias, long out, int count) {
    float[] sums = new float[count];
    float[] line = new float[count];
    for (int k = 0; k < terms; k++) {
      read(lines[k], line, count);
      addProduct(a[at + step * k], line, 0, count, sums, 0);
    }
    for (int i = 0; i < count; i++) {
      sums[i] += bias;
    }
    write(sums, 0, out, count);
  }

  /**
   * The rest of an LSTM's step from the products on, for some groups of units.
   *
   * @param z per group of units the gates i, o, f, g, a vector each
   * @param xs the same of the input's products
   * @param bias the same of the biases
   */
  static void lstm(
      long z,
      long zStride,
      long xs,
      long xStride,
      long bias,
      long c,
      long cStride,
      long h,
      long hStride,
      int rows,
      int groups) {
    int units = groups * LANES;
    float[] products = new float[4 * units];
    float[] inputs = new float[4 * units];
    float[] biases = new float[4 * units];
    float[] cell = new float[units];
    float[] hidden = new float[units];
    read(bias, biases, 4 * units);
    for (int row = 0; row < rows; row++) {
      read(z + row * zStride, products, 4 * units);
      read(xs + row * xStride, inputs, 4 * units);
      read(c + row * cStride, cell, units);
      for (int u = 0; u < units; u++) {
        int at = u / LANES * 4 * LANES + u % LANES;
        float i = sigmoid(products[at] + inputs[at] + biases[at]);
        at += LANES;
        float o = sigmoid(products[at] + inputs[at] + biases[at]);
        at += LANES;
        float f = sigmoid(products[at] + inputs[at] + biases[at]);
        at += LANES;
        float g = tanh(products[at] + inputs[at] + biases[at]);
        cell[u] = Math.fma(f, cell[u], i * g);
        hidden[u] = tanh(cell[u]) * o;
      }
      write(cell, 0, c + row * cStride, units);
      write(hidden, 0, h + row * hStride, units);
    }
  }

  /**
   * The rest of the step of a GRU with the reset gate behind the product, for some groups.
   *
   * @param z per group of units the gates z, r and the product for n, a vector each
   * @param xs the same of the input's products
   * @param bias per group the bias of z, of r, and of the input side of n
   * @param resetBias bias of the recurrent side of n
   */
  static void gru(
      long z,
      long zStride,
      long xs,
      long xStride,
      long bias,
      long resetBias,
      long h,
      long hStride,
      int rows,
      int groups) {
    int units = groups * LANES;
    float[] products = new float[3 * units];
    float[] inputs = new float[3 * units];
    float[] biases = new float[3 * units];
    float[] resets = new float[units];
    float[] hidden = new float[units];
    read(bias, biases, 3 * units);
    read(resetBias, resets, units);
    for (int row = 0; row < rows; row++) {
      read(z + row * zStride, products, 3 * units);
      read(xs + row * xStride, inputs, 3 * units);
      read(h + row * hStride, hidden, units);
      for (int u = 0; u < units; u++) {
        int at = u / LANES * 3 * LANES + u % LANES;
        float update = sigmoid(products[at] + inputs[at] + biases[at]);
        at += LANES;
        float reset = sigmoid(products[at] + inputs[at] + biases[at]);
        at += LANES;
        float n = tanh(Math.fma(reset, products[at] + resets[u], inputs[at] + biases[at]));
        hidden[u] = Math.fma(hidden[u] - n, update, n);
      }
      write(hidden, 0, h + row * hStride, units);
    }
  }

  /** The rest of a tanh layer's step from the products on, for some groups of units. */
  static void rnn(
      long z,
      long zStride,
      long xs,
      long xStride,
      long bias,
      long h,
      long hStride,
      int rows,
      int groups) {
    int units = groups * LANES;
    float[] products = new float[units];
    float[] inputs = new float[units];
    float[] biases = new float[units];
    read(bias, biases, units);
    for (int row = 0; row < rows; row++) {
      read(z + row * zStride, products, units);
      read(xs + row * xStride, inputs, units);
      for (int u = 0; u < units; u++) {
        products[u] = tanh(products[u] + inputs[u] + biases[u]);
      }
      write(products, 0, h + row * hStride, units);
    }
  }

  /** {@code c = c + bias} over rows of whole vectors. */
  static void addBias(long c, long cStride, int rows, int vectors, long bias) {
    int size = vectors * LANES;
    float[] biases = new float[size];
    float[] sums = new float[size];
    read(bias, biases, size);
    for (int row = 0; row < rows; row++) {
      read(c + row * cStride, sums, size);
      for (int i = 0; i < size; i++) {
        sums[i] += biases[i];
      }
      write(sums, 0, c + row * cStride, size);
    }
  }

  /**
   * Softmax or its logarithm of one row. What is added up is added up lane by lane, as vectors do.
   */
  static void softmax(long in, long out, int size, boolean logarithm) {
    float[] x = new float[Lanes.padded(size)];
    float[] terms = new float[x.length];
    java.util.Arrays.fill(x, size, x.length, Float.NEGATIVE_INFINITY);
    read(in, x, size);
    float maximum = Float.NEGATIVE_INFINITY;
    for (int lane = 0; lane < LANES; lane++) {
      float largest = Float.NEGATIVE_INFINITY;
      for (int i = lane; i < x.length; i += LANES) {
        largest = x[i] > largest ? x[i] : largest;
      }
      maximum = Math.max(maximum, largest);
    }
    for (int i = 0; i < x.length; i++) {
      terms[i] = negativeExp(x[i] - maximum);
    }
    double sum = 0;
    for (int lane = 0; lane < LANES; lane++) {
      float total = 0;
      for (int i = lane; i < x.length; i += LANES) {
        total += terms[i];
      }
      sum += total;
    }
    if (logarithm) {
      float log = (float) Math.log(sum);
      for (int i = 0; i < size; i++) {
        x[i] = x[i] - maximum - log;
      }
      write(x, 0, out, size);
    } else {
      float factor = 1 / (float) sum;
      for (int i = 0; i < size; i++) {
        terms[i] *= factor;
      }
      write(terms, 0, out, size);
    }
  }

  /** {@code e^x} for {@code x <= 0}, as {@link RowPasses#expSum} has it. */
  private static float negativeExp(float x) {
    float u = Math.abs(x);
    u = u > EXP_LIMIT ? EXP_LIMIT : u;
    float m = Math.fma(u, -LOG2_E, ROUND);
    float n = m - ROUND;
    float s = Math.fma(n, LN2_HIGH, u);
    s = Math.fma(n, LN2_LOW, s);
    float p = Math.fma(s, -E7, E6);
    p = Math.fma(p, s, -E5);
    p = Math.fma(p, s, E4);
    p = Math.fma(p, s, -E3);
    p = Math.fma(p, s, E2);
    float t = Math.fma(p, s * s, -s) + 1f;
    float scale = Float.intBitsToFloat((Float.floatToRawIntBits(m) << 23) + BIAS_64);
    return t * scale * TWO_TO_MINUS_64;
  }

  /** {@link Activations#sigmoid} of one number. */
  static float sigmoid(float x) {
    float t = negativeExp(x < 0 ? x : -x);
    return (x < 0 ? t : 1f) / (t + 1f);
  }

  /** {@link Activations#tanh} of one number. */
  static float tanh(float x) {
    float u = Math.abs(x);
    u = u > TANH_LIMIT ? TANH_LIMIT : u;
    float m = Math.fma(u, 2 * LOG2_E, ROUND);
    float n = m - ROUND;
    float r = Math.fma(n, -LN2_HIGH, u + u);
    r = Math.fma(n, -LN2_LOW, r);
    float p = Math.fma(r, E7, E6);
    p = Math.fma(p, r, E5);
    p = Math.fma(p, r, E4);
    p = Math.fma(p, r, E3);
    p = Math.fma(p, r, E2);
    float scale = Float.intBitsToFloat((Float.floatToRawIntBits(m) << 23) + BIAS);
    float e = Math.fma(scale, Math.fma(p, r * r, r), scale - 1f);
    boolean large = e > 2f;
    float q = (large ? 2f : e) / (e + 2f);
    float y = large ? -q + 1f : q;
    return Float.intBitsToFloat(Float.floatToRawIntBits(y) | Float.floatToRawIntBits(x) & SIGN);
  }

  /** Some of {@link Activations#apply}: those of {@link ColdStart#activation}. */
  static void activate(
      Activation.Kind kind,
      long in,
      long inStride,
      long out,
      long outStride,
      int rows,
      int vectors) {
    int size = vectors * LANES;
    float[] x = new float[size];
    for (int row = 0; row < rows; row++) {
      read(in + row * inStride, x, size);
      for (int i = 0; i < size; i++) {
        x[i] =
            switch (kind) {
              case TANH -> tanh(x[i]);
              case SIGMOID -> sigmoid(x[i]);
              default -> x[i] < 0 ? 0 : x[i];
            };
      }
      write(x, 0, out + row * outStride, size);
    }
  }

  private static void read(long from, float[] to, int count) {
    MemorySegment.copy(MEMORY, ValueLayout.JAVA_FLOAT_UNALIGNED, from, to, 0, count);
  }

  private static void write(float[] from, int first, long to, int count) {
    MemorySegment.copy(from, first, MEMORY, ValueLayout.JAVA_FLOAT_UNALIGNED, to, count);
  }
}
