package io.gatun.kernel.simd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.kernel.Activation;
import io.gatun.kernel.BinaryOperation;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.Device;
import io.gatun.kernel.HostBuffer;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedConvolution;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The several ways a convolution is computed give the same bits. */
class ConvolutionRunsTest {
  private static final int LENGTH = 300;

  private final long seed = Long.getLong("gatun.seed", 20_261_125);
  private final Random random = new Random(seed);

  @AfterEach
  void vectors() {
    ColdStart.set(false);
  }

  private static ConvolutionSpec line(int in, int out, int groups, int kernel, int stride) {
    List<Integer> one = List.of(1);
    List<Integer> none = List.of(0);
    return new ConvolutionSpec(in, out, groups, List.of(kernel), List.of(stride), one, none, none);
  }

  private Tensor some(Arena arena, long... dims) {
    Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
    for (long i = 0; i < tensor.elements(); i++) {
      tensor
          .segment()
          .setAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i, (float) random.nextGaussian());
    }
    return tensor;
  }

  /** The output of a convolution of a part of each channel of {@code [channels, LENGTH]}. */
  private static float[] convolve(
      Kernels kernels, PackedConvolution packed, Tensor input, int from, int length) {
    ConvolutionSpec spec = packed.spec();
    int places = (int) spec.outputSize(0, length);
    try (HostBuffer in = HostBuffer.allocate((long) spec.inputChannels() * length * Float.BYTES);
        HostBuffer out = HostBuffer.allocate((long) spec.outputChannels() * places * Float.BYTES)) {
      for (int channel = 0; channel < spec.inputChannels(); channel++) {
        for (int i = 0; i < length; i++) {
          float x = input.getFloat(channel, from + i);
          in.segment().setAtIndex(ValueLayout.JAVA_FLOAT, (long) channel * length + i, x);
        }
      }
      kernels.convolve(
          packed, new Region(in), 1, new long[] {length}, Activation.RELU, new Region(out));
      return out.segment()
          .asSlice(0, (long) spec.outputChannels() * places * Float.BYTES)
          .toArray(ValueLayout.JAVA_FLOAT);
    }
  }

  @Test
  void aPlaceHasTheSameBitsByItselfAndAmongMany() {
    int places = Lanes.WIDE * Lanes.LANES;
    try (Arena arena = Arena.ofConfined();
        Workers workers = new Workers(3);
        Device device = new SimdProvider().open();
        Kernels kernels = device.open(Workers.none());
        Kernels several = device.open(workers)) {
      for (int[] sizes :
          new int[][] {
            {1, 130, 1, 50, 3}, {70, 129, 1, 3, 1}, {64, 5, 1, 1, 2}, {6, 200, 2, 4, 2}
          }) {
        ConvolutionSpec spec = line(sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]);
        String name = "seed " + seed + ", " + spec;
        Tensor weights = some(arena, sizes[1], sizes[0] / sizes[2], sizes[3]);
        Tensor input = some(arena, sizes[0], LENGTH);
        try (PackedConvolution packed = device.pack(spec, weights, some(arena, sizes[1]))) {
          int all = (int) spec.outputSize(0, LENGTH);
          assertTrue(all > places, name);
          float[] whole = convolve(kernels, packed, input, 0, LENGTH);
          for (int count : new int[] {1, 2, 5}) {
            int first = random.nextInt(all - count);
            int length = (count - 1) * sizes[4] + sizes[3];
            for (Kernels k : List.of(kernels, several)) {
              float[] few = convolve(k, packed, input, first * sizes[4], length);
              for (int channel = 0; channel < sizes[1]; channel++) {
                for (int i = 0; i < count; i++) {
                  assertEquals(
                      Float.floatToRawIntBits(whole[channel * all + first + i]),
                      Float.floatToRawIntBits(few[channel * count + i]),
                      name + ", channel " + channel + ", place " + first + " + " + i);
                }
              }
            }
          }
        }
      }
    }
  }

  @Test
  void whatIsComputedBeforeTheCompilerCameHasTheSameBits() {
    try (Arena arena = Arena.ofConfined();
        Device device = new SimdProvider().open();
        Kernels kernels = device.open(Workers.none())) {
      for (int[] sizes : new int[][] {{7, 40, 1, 3, 1}, {12, 12, 12, 5, 1}, {4, 12, 4, 3, 2}}) {
        ConvolutionSpec spec = line(sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]);
        Tensor weights = some(arena, sizes[1], sizes[0] / sizes[2], sizes[3]);
        Tensor input = some(arena, sizes[0], LENGTH);
        try (PackedConvolution packed = device.pack(spec, weights, some(arena, sizes[1]))) {
          ColdStart.set(true);
          float[] cold = convolve(kernels, packed, input, 3, 13);
          assertTrue(ColdStart.lasts());
          ColdStart.set(false);
          float[] warm = convolve(kernels, packed, input, 3, 13);
          for (int i = 0; i < warm.length; i++) {
            assertEquals(
                Float.floatToRawIntBits(warm[i]),
                Float.floatToRawIntBits(cold[i]),
                "seed " + seed + ", " + spec + ", element " + i);
          }
        }
      }
    }
  }

  @Test
  void weightsThatWereClosedAreRefusedWhereTheyAreNativeMemory() {
    try (Arena arena = Arena.ofConfined();
        Device device = new SimdProvider().open();
        Kernels kernels = device.open(Workers.none())) {
      for (boolean before : new boolean[] {false, true}) {
        PackedConvolution packed = device.pack(line(3, 64, 1, 3, 1), some(arena, 64, 3, 3), null);
        Tensor input = some(arena, 3, LENGTH);
        long bytes = packed.bytes();
        if (before) {
          convolve(kernels, packed, input, 0, 4);
          assertTrue(packed.bytes() > bytes);
        }
        packed.close();
        packed.close();
        assertThrows(IllegalStateException.class, () -> convolve(kernels, packed, input, 0, 4));
      }
    }
  }

  @Test
  void aSquareHasTheBitsOfAPower() {
    int count = 1003;
    long[] extent = {count};
    long[] dense = {1};
    long[] repeated = {0};
    try (Device device = new SimdProvider().open();
        Kernels kernels = device.open(Workers.none());
        Buffer x = device.allocate((long) count * Float.BYTES);
        Buffer two = device.allocate(2L * Float.BYTES);
        Buffer y = device.allocate((long) count * Float.BYTES)) {
      var numbers = ((HostBuffer) x).segment();
      var exponent = ((HostBuffer) two).segment();
      var squares = ((HostBuffer) y).segment();
      for (int i = 0; i < count; i++) {
        numbers.setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt());
      }
      exponent.setAtIndex(ValueLayout.JAVA_FLOAT, 0, 2);
      kernels.binary(
          BinaryOperation.POWER,
          DType.FLOAT32,
          new Region(x),
          dense,
          new Region(two),
          repeated,
          new Region(y),
          extent);
      boolean any = false;
      for (int i = 0; i < count; i++) {
        float expected = (float) StrictMath.pow(numbers.getAtIndex(ValueLayout.JAVA_FLOAT, i), 2);
        float actual = squares.getAtIndex(ValueLayout.JAVA_FLOAT, i);
        assertEquals(expected, actual, "seed " + seed + ", element " + i);
        any |= expected > 0 && expected < Float.POSITIVE_INFINITY;
      }
      assertTrue(any);
    }
  }
}
