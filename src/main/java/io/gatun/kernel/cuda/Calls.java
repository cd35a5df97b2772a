package io.gatun.kernel.cuda;

import io.gatun.bindings.Cublas;
import io.gatun.bindings.Cudart;
import io.gatun.bindings.Cudnn;
import io.gatun.bindings.Driver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;

/** What every call of the bindings goes through: a code that is not 0 becomes an exception. */
final class Calls {
  private static final int LONGEST_TEXT = 4096;

  private Calls() {}

  /** Checks what a function of the runtime gave. */
  static void cuda(String function, int code) {
    if (code != 0) {
      throw cudaError(function, code);
    }
  }

  static CudaException cudaError(String function, int code) {
    // A call's error is kept by the runtime until it is asked for; the next call is not its cause.
    Cudart.cudaGetLastError();
    return new CudaException(
        function, code, text(Cudart.cudaGetErrorName(code)), text(Cudart.cudaGetErrorString(code)));
  }

  /** Checks what a function of the driver gave. */
  static void driver(String function, int code) {
    if (code != 0) {
      throw driverError(function, code, "");
    }
  }

  static CudaException driverError(String function, int code, String more) {
    String name = "unknown";
    String text = "unknown error";
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
      if (Driver.cuGetErrorName(code, pointer) == 0) {
        name = text(pointer.get(ValueLayout.ADDRESS, 0));
      }
      if (Driver.cuGetErrorString(code, pointer) == 0) {
        text = text(pointer.get(ValueLayout.ADDRESS, 0));
      }
    }
    return new CudaException(function, code, name, more.isEmpty() ? text : text + "; " + more);
  }

  /** Checks what a function of cuBLAS gave. */
  static void cublas(String function, int code) {
    if (code != 0) {
      throw new CudaException(
          function,
          code,
          text(Cublas.cublasGetStatusName(code)),
          text(Cublas.cublasGetStatusString(code)));
    }
  }

  /** Checks what a function of cuDNN gave. */
  static void cudnn(String function, int code) {
    if (code != 0) {
      String name = text(Cudnn.cudnnGetErrorString(code));
      throw new CudaException(function, code, name, "cuDNN refused it, or the device failed");
    }
  }

  /** A text of C's. */
  @SuppressWarnings("restricted")
  static String text(MemorySegment pointer) {
    if (pointer.address() == 0) {
      return "";
    }
    MemorySegment bytes = pointer.reinterpret(LONGEST_TEXT);
    int length = 0;
    while (length < LONGEST_TEXT && bytes.get(ValueLayout.JAVA_BYTE, length) != 0) {
      length++;
    }
    byte[] copy = bytes.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE);
    return new String(copy, StandardCharsets.UTF_8);
  }

  /** A text for C. */
  static MemorySegment text(Arena arena, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    MemorySegment segment = arena.allocate(bytes.length + 1L, 1);
    MemorySegment.copy(bytes, 0, segment, ValueLayout.JAVA_BYTE, 0, bytes.length);
    return segment;
  }
}
