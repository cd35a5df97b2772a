package io.gatun.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import io.gatun.Seeds;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.IntToDoubleFunction;

/**
 * Two devices side by side, the one that is tested and the reference in float64, and operands that
 * both have: the same numbers, exact in either real type. What is written on a device is surrounded
 * by guards, which {@link #close} checks.
 */
public final class KernelBench implements AutoCloseable {
  /** Sizes where vectors of 4, 8 and 16 lanes have tails, or are not filled at all. */
  static final int[] SIZES = {0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 15, 16, 17, 31, 32, 33, 61, 127, 257};

  /** A prime beyond the blocks that kernels may work in. */
  static final int LARGE = 10_007;

  private static final int GUARD = 64;
  private static final byte PATTERN = 0x5a;

  /**
   * One of the devices, with kernels of its own. Several orders of work of the tested device take
   * turns: who comes next begins when the one before is done.
   */
  final class Side implements AutoCloseable {
    private final int index;
    private final Device device;
    private final Workers workers;
    private final Kernels kernels;

    Side(int index, Device device, int workers) {
      this.index = index;
      this.device = device;
      this.workers = workers == 1 ? Workers.none() : new Workers(workers);
      this.kernels = device.open(this.workers);
    }

    Device device() {
      return device;
    }

    Kernels kernels() {
      if (index == 0 && working != this) {
        if (working != null) {
          working.kernels.synchronize();
        }
        working = this;
      }
      return kernels;
    }

    /** Where an operand lies on this device. */
    Region of(Operand operand) {
      return operand == null ? null : operand.regions[index];
    }

    /** What was packed for this device. */
    <T extends AutoCloseable> T of(Packed<T> packed) {
      return packed.each.get(index);
    }

    @Override
    public void close() {
      if (working == this) {
        kernels.synchronize();
        working = null;
      }
      kernels.close();
      workers.close();
    }
  }

  /** Numbers that both devices have. */
  static final class Operand {
    final DType type;
    final int count;
    private final Buffer[] buffers = new Buffer[2];
    private final Region[] regions = new Region[2];

    private Operand(DType type, int count) {
      this.type = type;
      this.count = count;
    }
  }

  /** Weights that were packed for both devices. */
  static final class Packed<T extends AutoCloseable> {
    private final List<T> each = new ArrayList<>();
  }

  /** An operation that is done on either device. */
  interface Operation {
    void on(Side side);
  }

  final Random random;

  /** What tests of packed weights pack them in. */
  final WeightFormat format;

  /** Whose kernels of the tested device worked last. */
  private Side working;

  final Side tested;
  final Side reference;
  final Arena arena = Arena.ofShared();
  private final List<Operand> operands = new ArrayList<>();
  private final List<AutoCloseable> resources = new ArrayList<>();

  /** With weights in float32. */
  public KernelBench(String test, Device device) {
    this(test, device, WeightFormat.FLOAT32);
  }

  /** With weights in a format, that tests pack them in. */
  KernelBench(String test, Device device, WeightFormat format) {
    this.format = format;
    random = Seeds.random(device.name() + " " + format.label() + " " + test);
    tested = new Side(0, device, 1);
    reference = new Side(1, new ScalarDevice(DType.FLOAT64), 1);
  }

  /** The type in which the tested device computes. */
  DType real() {
    return tested.device.real();
  }

  /** Another order of work of the tested device, with so many workers. */
  Side withWorkers(int workers) {
    Side side = new Side(0, tested.device, workers);
    resources.add(side);
    return side;
  }

  // ---- operands -------------------------------------------------------------------------------

  /** A random size: an awkward one, or any up to {@code most}. */
  int size(int most) {
    int size = random.nextBoolean() ? SIZES[random.nextInt(SIZES.length)] : random.nextInt(most);
    return Math.min(size, most);
  }

  /** Random numbers from −scale to scale that float32 can hold. */
  double[] numbers(int count, double scale) {
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) ((random.nextDouble() * 2 - 1) * scale);
    }
    return values;
  }

  /** Random reals from −scale to scale. */
  Operand reals(int count, double scale) {
    return reals(numbers(count, scale));
  }

  /** Reals, which must be exact in float32. */
  Operand reals(double... values) {
    Operand operand = operand(DType.FLOAT32, values.length);
    Tensor tensor = Tensor.ofDoubles(arena, values, values.length);
    upload(operand, tensor);
    return operand;
  }

  /** Whole numbers. */
  Operand integers(DType type, long... values) {
    Operand operand = operand(type, values.length);
    Tensor tensor = Tensor.allocate(arena, type, values.length);
    for (int i = 0; i < values.length; i++) {
      tensor.setLong(values[i], i);
    }
    upload(operand, tensor);
    return operand;
  }

  /** Room for reals, filled with NaN. */
  Operand output(int count) {
    double[] nothing = new double[count];
    Arrays.fill(nothing, Double.NaN);
    return reals(nothing);
  }

  /** Room for numbers of a type: reals are NaN, others 77. */
  Operand output(DType type, int count) {
    if (type.isFloat()) {
      return output(count);
    }
    long[] nothing = new long[count];
    Arrays.fill(nothing, 77);
    return integers(type, nothing);
  }

  private Operand operand(DType type, int count) {
    Operand operand = new Operand(type, count);
    for (Side side : List.of(tested, reference)) {
      long bytes = (long) count * side.device.stored(type).bytes();
      Buffer buffer = side.device.allocate(bytes + 2 * GUARD);
      side.kernels().fill(new Region(buffer), DType.INT8, buffer.bytes(), PATTERN);
      operand.buffers[side.index] = buffer;
      operand.regions[side.index] = new Region(buffer, GUARD, bytes);
    }
    operands.add(operand);
    return operand;
  }

  /** Writes a tensor to an operand on both devices. */
  void upload(Operand operand, Tensor tensor) {
    tested.kernels().upload(tensor, tested.of(operand));
    reference.kernels().upload(tensor, reference.of(operand));
  }

  /** A tensor of random numbers that float32 can hold. */
  Tensor tensor(double scale, long... dims) {
    return tensor(numbers((int) Shape.of(dims).elements(), scale), dims);
  }

  /** A tensor of the given numbers, which float32 can hold. */
  Tensor tensor(double[] values, long... dims) {
    return Tensor.ofDoubles(arena, values, dims).to(arena, DType.FLOAT32);
  }

  /** Packs something for both devices. */
  <T extends AutoCloseable> Packed<T> pack(Function<Device, T> packing) {
    Packed<T> packed = new Packed<>();
    for (Side side : List.of(tested, reference)) {
      T one = packing.apply(side.device);
      packed.each.add(one);
      resources.add(one);
    }
    return packed;
  }

  /** Packs something for both devices that belongs to something packed. */
  <S extends AutoCloseable, T extends AutoCloseable> Packed<T> packWith(
      Packed<S> first, BiFunction<Device, S, T> packing) {
    Packed<T> packed = new Packed<>();
    for (Side side : List.of(tested, reference)) {
      T one = packing.apply(side.device, side.of(first));
      packed.each.add(one);
      resources.add(one);
    }
    return packed;
  }

  // ---- running and comparing ------------------------------------------------------------------

  /** Does an operation on both devices. */
  void both(Operation operation) {
    operation.on(tested);
    operation.on(reference);
  }

  /** What the tested device has. */
  double[] got(Operand operand) {
    return download(tested, operand);
  }

  /** What the reference has, rounded to what the tested device can hold. */
  double[] expected(Operand operand) {
    double[] values = download(reference, operand);
    if (real() == DType.FLOAT32 && operand.type.isFloat()) {
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) values[i];
      }
    }
    return values;
  }

  /** Whole numbers on the tested device. */
  long[] gotIntegers(Operand operand) {
    Tensor tensor = Tensor.allocate(arena, operand.type, operand.count);
    tested.kernels().download(tested.of(operand), tensor);
    return tensor.toLongs();
  }

  /** Whole numbers on the reference. */
  long[] expectedIntegers(Operand operand) {
    Tensor tensor = Tensor.allocate(arena, operand.type, operand.count);
    reference.kernels().download(reference.of(operand), tensor);
    return tensor.toLongs();
  }

  /** What one side has. */
  double[] download(Side side, Operand operand) {
    DType type = operand.type.isFloat() ? DType.FLOAT64 : operand.type;
    Tensor tensor = Tensor.allocate(arena, type, operand.count);
    side.kernels().download(side.of(operand), tensor);
    return tensor.toDoubles();
  }

  /**
   * Compares an operand on both devices.
   *
   * @param terms how many terms each number has, see {@link Threshold}
   * @param magnitude of each number
   */
  void compare(String what, Operand operand, double terms, IntToDoubleFunction magnitude) {
    compare(what, expected(operand), got(operand), real(), terms, magnitude);
  }

  /** Compares numbers with what was expected; NaN and infinities must be the same. */
  static void compare(
      String what,
      double[] expected,
      double[] got,
      DType real,
      double terms,
      IntToDoubleFunction magnitude) {
    assertEquals(expected.length, got.length, what);
    for (int i = 0; i < expected.length; i++) {
      double e = expected[i];
      double g = got[i];
      if (Double.isNaN(e) ? Double.isNaN(g) : e == g) {
        continue;
      }
      double bound = Threshold.of(real, terms, magnitude.applyAsDouble(i));
      if (!(Math.abs(e - g) <= bound)) {
        fail(
            what
                + ": element "
                + i
                + " is "
                + g
                + ", expected "
                + e
                + " ± "
                + bound
                + ", off by "
                + Math.abs(e - g));
      }
    }
  }

  /** Checks that two arrays have the same bits, NaN being one value. */
  static void sameBits(String what, double[] expected, double[] got) {
    assertEquals(expected.length, got.length, what);
    for (int i = 0; i < expected.length; i++) {
      if (Double.doubleToLongBits(expected[i]) != Double.doubleToLongBits(got[i])) {
        fail(what + ": element " + i + " is " + got[i] + ", expected the bits of " + expected[i]);
      }
    }
  }

  /** Checks the guards of all operands so far, gives the operands back and begins anew. */
  void clear() {
    for (Operand operand : operands) {
      for (Side side : List.of(tested, reference)) {
        Buffer buffer = operand.buffers[side.index];
        byte[] bytes = bytes(side, buffer);
        for (int i = 0; i < bytes.length; i++) {
          boolean guard = i < GUARD || i >= bytes.length - GUARD;
          if (guard && bytes[i] != PATTERN) {
            fail(
                side.device.name()
                    + " wrote byte "
                    + (i - GUARD)
                    + " of an operand of "
                    + (bytes.length - 2 * GUARD)
                    + " bytes");
          }
        }
        buffer.close();
      }
    }
    operands.clear();
  }

  private static byte[] bytes(Side side, Buffer buffer) {
    try (Arena aside = Arena.ofConfined()) {
      Tensor tensor = Tensor.allocate(aside, DType.INT8, buffer.bytes());
      side.kernels().download(new Region(buffer), tensor);
      return tensor.segment().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
    }
  }

  @Override
  public void close() {
    try {
      clear();
      for (AutoCloseable resource : resources) {
        resource.close();
      }
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new AssertionError(e);
    } finally {
      tested.close();
      reference.close();
      reference.device.close();
      arena.close();
    }
  }
}
