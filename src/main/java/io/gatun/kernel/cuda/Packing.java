package io.gatun.kernel.cuda;

import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/** Weights on their way to the device: checked, put in order and rounded, in the host's memory. */
final class Packing {
  private Packing() {}

  static void requireFloat(String what, Tensor tensor) {
    if (!tensor.dtype().isFloat()) {
      throw new IllegalArgumentException(
          what + " is " + tensor.dtype().label() + ", expected a floating-point type");
    }
  }

  static int size(String what, long size) {
    if (size > Integer.MAX_VALUE - 8) {
      throw new ShapeException(what + " are " + size + ", expected less than 2^31");
    }
    return (int) size;
  }

  /** A tensor as contiguous float32. */
  static Tensor plain(Arena arena, String what, Tensor tensor) {
    requireFloat(what, tensor);
    return Tensor.allocate(arena, DType.FLOAT32, tensor.shape().dims()).copyFrom(tensor);
  }

  /** Gates {@code [hidden, size]} side by side: {@code [size, gates × hidden]}. */
  static Tensor gates(Arena arena, List<Tensor> gates, int size, int hidden) {
    long columns = Math.multiplyExact((long) gates.size(), hidden);
    Tensor packed = Tensor.allocate(arena, DType.FLOAT32, size, columns);
    for (int gate = 0; gate < gates.size(); gate++) {
      requireFloat("weights of gate " + gate, gates.get(gate));
      packed
          .slice(1, (long) gate * hidden, (gate + 1L) * hidden)
          .copyFrom(gates.get(gate).transpose(1, 0));
    }
    return packed;
  }

  /** Vectors one after the other; {@code null} if there are none. */
  static Tensor vectors(Arena arena, List<Tensor> vectors) {
    if (vectors.isEmpty()) {
      return null;
    }
    long size = 0;
    for (Tensor vector : vectors) {
      size += vector.elements();
    }
    Tensor joined = Tensor.allocate(arena, DType.FLOAT32, size);
    long at = 0;
    for (Tensor vector : vectors) {
      joined.slice(0, at, at + vector.elements()).copyFrom(vector);
      at += vector.elements();
    }
    return joined;
  }

  /** Rounds a contiguous matrix {@code [rows, columns]} to a format, a channel being a column. */
  static void round(Tensor matrix, WeightFormat format) {
    if (format == WeightFormat.FLOAT32) {
      return;
    }
    MemorySegment memory = matrix.segment();
    long rows = matrix.dim(0);
    long columns = matrix.dim(1);
    for (long column = 0; column < columns; column++) {
      float scale = format == WeightFormat.INT8 ? scale(memory, rows, columns, column) : 0;
      for (long row = 0; row < rows; row++) {
        long at = row * columns + column;
        float weight = memory.getAtIndex(ValueLayout.JAVA_FLOAT, at);
        float rounded =
            format == WeightFormat.INT8
                ? WeightFormat.int8(weight, scale) * scale
                : WeightFormat.bfloat16(weight);
        memory.setAtIndex(ValueLayout.JAVA_FLOAT, at, rounded);
      }
    }
  }

  private static float scale(MemorySegment memory, long rows, long columns, long column) {
    float largest = 0;
    for (long row = 0; row < rows; row++) {
      float weight = Math.abs(memory.getAtIndex(ValueLayout.JAVA_FLOAT, row * columns + column));
      largest = weight > largest || Float.isNaN(weight) ? weight : largest;
    }
    return WeightFormat.scale(largest);
  }

  /** Uploads a contiguous float32 tensor. */
  static CudaBuffer upload(CudaDevice device, Tensor tensor) {
    return tensor == null ? null : device.upload(tensor.segment(), tensor.elements() * Float.BYTES);
  }

  static long address(CudaBuffer buffer) {
    return buffer == null ? 0 : buffer.address();
  }

  static long bytes(CudaBuffer... buffers) {
    long bytes = 0;
    for (CudaBuffer buffer : buffers) {
      bytes += buffer == null ? 0 : buffer.bytes();
    }
    return bytes;
  }

  static void close(CudaBuffer... buffers) {
    for (CudaBuffer buffer : buffers) {
      if (buffer != null) {
        buffer.close();
      }
    }
  }
}
