package io.gatun.tensor;

import static io.gatun.tensor.Elements.BYTE;
import static io.gatun.tensor.Elements.DOUBLE;
import static io.gatun.tensor.Elements.FLOAT;
import static io.gatun.tensor.Elements.INT;
import static io.gatun.tensor.Elements.LONG;
import static io.gatun.tensor.Elements.SHORT;

import java.lang.foreign.MemorySegment;

/**
 * Copies between two tensors of one shape that do not overlap. Access has been checked before.
 *
 * <p>Loops count with an {@code int} over blocks: that is the form in which the JIT drops the
 * bounds checks and vectorises.
 */
final class TensorCopy {
  private static final int BLOCK = 1 << 20;

  /** What goes through arrays at a time. */
  private static final int CHUNK = 1 << 10;

  private TensorCopy() {}

  static void copy(Tensor source, Tensor target) {
    DType from = source.dtype();
    DType to = target.dtype();
    MemorySegment in = source.baseSegment();
    MemorySegment out = target.baseSegment();
    StridedWalk walk =
        new StridedWalk(
            target.shape(),
            source.stridesShared(),
            from.bytes(),
            target.stridesShared(),
            to.bytes());
    long inStride = walk.firstStride();
    long outStride = walk.secondStride();
    boolean dense = inStride == from.bytes() && outStride == to.bytes();
    StridedWalk.Run run;
    if (from == to) {
      run =
          dense
              ? (at, into, count) -> MemorySegment.copy(in, at, out, into, count * from.bytes())
              : (at, into, count) ->
                  move(from.bytes(), in, at, inStride, out, into, outStride, count);
    } else if (dense && hasDenseLoop(from, to)) {
      run = (at, into, count) -> convertDense(from, to, in, at, out, into, count);
    } else if (from.isFloat()) {
      // A double holds every float type exactly, so only the write rounds.
      run =
          (at, into, count) -> {
            for (long i = 0; i < count; i++) {
              double value = Elements.getDouble(in, from, at + i * inStride);
              Elements.setDouble(out, to, into + i * outStride, value);
            }
          };
    } else if (from == DType.UINT64 && to.isFloat()) {
      run =
          (at, into, count) -> {
            for (long i = 0; i < count; i++) {
              Elements.setUnsigned(out, to, into + i * outStride, in.get(LONG, at + i * inStride));
            }
          };
    } else {
      run =
          (at, into, count) -> {
            for (long i = 0; i < count; i++) {
              long value = Elements.getLong(in, from, at + i * inStride);
              Elements.setLong(out, to, into + i * outStride, value);
            }
          };
    }
    walk.forEach(source.byteOffset(), target.byteOffset(), run);
  }

  /** Moves bits, not numbers: a NaN keeps its payload. */
  private static void move(
      int bytes,
      MemorySegment in,
      long at,
      long inStride,
      MemorySegment out,
      long into,
      long outStride,
      long count) {
    switch (bytes) {
      case 1 -> {
        for (long i = 0; i < count; i++) {
          out.set(BYTE, into + i * outStride, in.get(BYTE, at + i * inStride));
        }
      }
      case 2 -> {
        for (long i = 0; i < count; i++) {
          out.set(SHORT, into + i * outStride, in.get(SHORT, at + i * inStride));
        }
      }
      case 4 -> {
        for (long i = 0; i < count; i++) {
          out.set(INT, into + i * outStride, in.get(INT, at + i * inStride));
        }
      }
      default -> {
        for (long i = 0; i < count; i++) {
          out.set(LONG, into + i * outStride, in.get(LONG, at + i * inStride));
        }
      }
    }
  }

  private static boolean hasDenseLoop(DType from, DType to) {
    DType other = from == DType.FLOAT32 ? to : from;
    return (from == DType.FLOAT32 || to == DType.FLOAT32) && other.isFloat();
  }

  private static void convertDense(
      DType from, DType to, MemorySegment in, long at, MemorySegment out, long into, long count) {
    for (long done = 0; done < count; done += BLOCK) {
      int block = (int) Math.min(BLOCK, count - done);
      long source = at + done * from.bytes();
      long target = into + done * to.bytes();
      if (from == DType.FLOAT32) {
        switch (to) {
          case FLOAT64 -> floatToDouble(in, source, out, target, block);
          case BFLOAT16 -> floatToBfloat16(in, source, out, target, block);
          default -> floatToFloat16(in, source, out, target, block);
        }
      } else {
        switch (from) {
          case FLOAT64 -> doubleToFloat(in, source, out, target, block);
          case BFLOAT16 -> bfloat16ToFloat(in, source, out, target, block);
          default -> float16ToFloat(in, source, out, target, block);
        }
      }
    }
  }

  private static void floatToDouble(
      MemorySegment in, long at, MemorySegment out, long into, int count) {
    for (int i = 0; i < count; i++) {
      out.set(DOUBLE, into + i * 8L, in.get(FLOAT, at + i * 4L));
    }
  }

  private static void doubleToFloat(
      MemorySegment in, long at, MemorySegment out, long into, int count) {
    for (int i = 0; i < count; i++) {
      out.set(FLOAT, into + i * 4L, (float) in.get(DOUBLE, at + i * 8L));
    }
  }

  private static void floatToBfloat16(
      MemorySegment in, long at, MemorySegment out, long into, int count) {
    for (int i = 0; i < count; i++) {
      out.set(SHORT, into + i * 2L, HalfPrecision.floatToBfloat16(in.get(FLOAT, at + i * 4L)));
    }
  }

  private static void bfloat16ToFloat(
      MemorySegment in, long at, MemorySegment out, long into, int count) {
    // Through arrays: weights are read before the compiler has been here, and an access to memory
    // is
    // then a chain of calls.
    short[] bits = new short[Math.min(count, CHUNK)];
    float[] values = new float[bits.length];
    for (int done = 0; done < count; done += CHUNK) {
      int some = Math.min(CHUNK, count - done);
      MemorySegment.copy(in, SHORT, at + done * 2L, bits, 0, some);
      for (int i = 0; i < some; i++) {
        values[i] = HalfPrecision.bfloat16ToFloat(bits[i]);
      }
      MemorySegment.copy(values, 0, out, FLOAT, into + done * 4L, some);
    }
  }

  private static void floatToFloat16(
      MemorySegment in, long at, MemorySegment out, long into, int count) {
    for (int i = 0; i < count; i++) {
      out.set(SHORT, into + i * 2L, Float.floatToFloat16(in.get(FLOAT, at + i * 4L)));
    }
  }

  private static void float16ToFloat(
      MemorySegment in, long at, MemorySegment out, long into, int count) {
    for (int i = 0; i < count; i++) {
      out.set(FLOAT, into + i * 4L, Float.float16ToFloat(in.get(SHORT, at + i * 2L)));
    }
  }
}
