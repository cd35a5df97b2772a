package io.gatun.kernel.cuda;

import io.gatun.bindings.Driver;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The kernels of our own, compiled for a device by its driver from PTX. Thread-safe; the device's
 * context must be current.
 */
final class OwnKernels {
  private static final String RESOURCE = "kernels.ptx";
  private static final int LOG_BYTES = 8192;

  private final MemorySegment module;
  private final Map<String, MemorySegment> functions = new ConcurrentHashMap<>();

  OwnKernels() {
    try (Arena arena = Arena.ofConfined();
        InputStream in = OwnKernels.class.getResourceAsStream(RESOURCE)) {
      if (in == null) {
        throw new IllegalStateException("the library's jar lacks " + RESOURCE);
      }
      byte[] ptx = in.readAllBytes();
      MemorySegment image = arena.allocate(ptx.length + 1L, 8);
      MemorySegment.copy(ptx, 0, image, ValueLayout.JAVA_BYTE, 0, ptx.length);
      MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
      MemorySegment log = arena.allocate(LOG_BYTES, 1);
      MemorySegment options = arena.allocate(2L * Integer.BYTES, Integer.BYTES);
      options.set(ValueLayout.JAVA_INT, 0, Driver.CU_JIT_ERROR_LOG_BUFFER);
      options.set(ValueLayout.JAVA_INT, Integer.BYTES, Driver.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
      MemorySegment values = arena.allocate(2L * Long.BYTES, Long.BYTES);
      values.set(ValueLayout.JAVA_LONG, 0, log.address());
      values.set(ValueLayout.JAVA_LONG, Long.BYTES, LOG_BYTES);
      int code = Driver.cuModuleLoadDataEx(pointer, image, 2, options, values);
      if (code != 0) {
        throw Calls.driverError("cuModuleLoadDataEx", code, Calls.text(log).strip());
      }
      module = pointer.get(ValueLayout.ADDRESS, 0);
    } catch (IOException e) {
      throw new IllegalStateException("the library's jar: " + RESOURCE + " cannot be read", e);
    }
  }

  /** The function of a kernel. */
  MemorySegment function(String name) {
    MemorySegment function = functions.get(name);
    if (function == null) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
        Calls.driver(
            "cuModuleGetFunction of " + name,
            Driver.cuModuleGetFunction(pointer, module, Calls.text(arena, name)));
        function = pointer.get(ValueLayout.ADDRESS, 0);
      }
      functions.put(name, function);
    }
    return function;
  }

  MemorySegment module() {
    return module;
  }
}
