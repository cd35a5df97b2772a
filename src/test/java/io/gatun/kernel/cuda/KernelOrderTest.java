package io.gatun.kernel.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import io.gatun.Seeds;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * On a GPU the threads of a block run in any order. The kernels that let them work together give
 * the same bits with the first thread first and with the last one first, whatever the grid.
 */
class KernelOrderTest {
  private static final int REALS = 4096;
  private static final int[] SIZES = {1, 2, 31, 32, 33, 100, 257, 600};

  private final Random random = Seeds.random("KernelOrderTest");
  private final Arena arena = Arena.ofConfined();
  private final List<MemorySegment> devices = new ArrayList<>();
  private StandIn libraries;
  private long aliveBefore;
  private MemorySegment module;
  private MemorySegment input;
  private MemorySegment gradient;
  private MemorySegment doubles;
  private MemorySegment labels;
  private MemorySegment output;

  @BeforeEach
  void open() throws IOException {
    libraries = StandIn.ready();
    aliveBefore = libraries.live("all");
    done("cudaSetDevice", 0);
    try (InputStream resource =
        KernelOrderTest.class.getResourceAsStream("/io/gatun/kernel/cuda/kernels.ptx")) {
      assertNotNull(resource, "kernels.ptx");
      byte[] text = resource.readAllBytes();
      MemorySegment image = arena.allocate(text.length + 1L, 8);
      MemorySegment.copy(MemorySegment.ofArray(text), 0, image, 0, text.length);
      module = created("cuModuleLoadDataEx", image, 0, MemorySegment.NULL, MemorySegment.NULL);
    }
    input = numbers();
    gradient = numbers();
    doubles = device();
    MemorySegment precise = arena.allocate(REALS * 8L, 8);
    for (int i = 0; i < REALS; i++) {
      precise.setAtIndex(ValueLayout.JAVA_DOUBLE, i, random.nextGaussian());
    }
    done("cudaMemcpyAsync", doubles, precise, REALS * 8L, 1, MemorySegment.NULL);
    labels = device();
    MemorySegment drawn = arena.allocate(REALS * 4L, 8);
    for (int i = 0; i < REALS; i++) {
      drawn.setAtIndex(ValueLayout.JAVA_INT, i, random.nextInt(9) - 4);
    }
    done("cudaMemcpyAsync", labels, drawn, REALS * 4L, 1, MemorySegment.NULL);
    output = device();
  }

  @AfterEach
  void close() {
    libraries.turned(false);
    done("cuModuleUnload", module);
    devices.forEach(pointer -> done("cudaFree", pointer));
    libraries.checkNoFaults();
    assertEquals(aliveBefore, libraries.live("all"), "what is left behind");
    arena.close();
  }

  private void done(String name, Object... arguments) {
    MemoryLayout[] layouts = new MemoryLayout[arguments.length];
    for (int i = 0; i < arguments.length; i++) {
      layouts[i] =
          arguments[i] instanceof MemorySegment
              ? ValueLayout.ADDRESS
              : arguments[i] instanceof Long ? ValueLayout.JAVA_LONG : ValueLayout.JAVA_INT;
    }
    Object code =
        libraries.call(name, FunctionDescriptor.of(ValueLayout.JAVA_INT, layouts), arguments);
    assertEquals(0, code, () -> name + ": " + libraries.fault());
  }

  private MemorySegment created(String name, Object... others) {
    MemorySegment place = arena.allocate(8, 8);
    Object[] arguments = new Object[others.length + 1];
    arguments[0] = place;
    System.arraycopy(others, 0, arguments, 1, others.length);
    done(name, arguments);
    return place.get(ValueLayout.ADDRESS, 0);
  }

  private MemorySegment device() {
    MemorySegment pointer = created("cudaMalloc", REALS * 8L);
    devices.add(pointer);
    return pointer;
  }

  private MemorySegment numbers() {
    MemorySegment pointer = device();
    MemorySegment drawn = arena.allocate(REALS * 4L, 8);
    for (int i = 0; i < REALS; i++) {
      drawn.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    done("cudaMemcpyAsync", pointer, drawn, REALS * 4L, 1, MemorySegment.NULL);
    return pointer;
  }

  /** The bytes that a kernel leaves in the output; what it does not write is 0. */
  private byte[] run(String kernel, int blocks, int threads, Object... parameters) {
    MemorySegment structure = arena.allocate(512, 8);
    long end = 0;
    for (Object parameter : parameters) {
      long bytes = parameter instanceof Integer ? Integer.BYTES : Long.BYTES;
      long at = (end + bytes - 1) / bytes * bytes;
      if (parameter instanceof MemorySegment pointer) {
        structure.set(ValueLayout.JAVA_LONG, at, pointer.address());
      } else if (parameter instanceof Double number) {
        structure.set(ValueLayout.JAVA_DOUBLE, at, number);
      } else if (parameter instanceof Long number) {
        structure.set(ValueLayout.JAVA_LONG, at, number);
      } else {
        structure.set(ValueLayout.JAVA_INT, at, (int) parameter);
      }
      end = at + bytes;
    }
    MemorySegment name = arena.allocate(kernel.length() + 1L, 1);
    for (int i = 0; i < kernel.length(); i++) {
      name.set(ValueLayout.JAVA_BYTE, i, (byte) kernel.charAt(i));
    }
    MemorySegment function = created("cuModuleGetFunction", module, name);
    MemorySegment addresses = arena.allocate(ValueLayout.ADDRESS);
    addresses.set(ValueLayout.ADDRESS, 0, structure);
    done("cudaMemsetAsync", output, 0, REALS * 8L, MemorySegment.NULL);
    done(
        "cuLaunchKernel",
        function,
        blocks,
        1,
        1,
        threads,
        1,
        1,
        0,
        MemorySegment.NULL,
        addresses,
        MemorySegment.NULL);
    byte[] left = new byte[REALS * 8];
    MemorySegment copy = arena.allocate(left.length, 8);
    done("cudaMemcpyAsync", copy, output, (long) left.length, 2, MemorySegment.NULL);
    MemorySegment.copy(copy, 0, MemorySegment.ofArray(left), 0, left.length);
    return left;
  }

  /** Both orders, and another grid, give the same. */
  private void same(String kernel, int threads, Object... parameters) {
    libraries.turned(false);
    byte[] expected = run(kernel, 1, threads, parameters);
    libraries.turned(true);
    assertArrayEquals(expected, run(kernel, 1, threads, parameters), kernel + ", turned around");
    assertArrayEquals(expected, run(kernel, 3, threads, parameters), kernel + ", three blocks");
  }

  @Test
  void theOrderOfThreadsAndTheGridMakeNoDifference() {
    MemorySegment none = MemorySegment.NULL;
    MemorySegment half = MemorySegment.ofAddress(output.address() + REALS * 4L);
    for (int size : SIZES) {
      long wide = size;
      long rows = 5;
      long k = Math.min(size, 4);
      int threads = size <= 128 ? 32 : 256;
      same("softmax", threads, input, output, none, rows, wide, 1L);
      same("logSoftmax", threads, input, output, rows, wide);
      same("topK", threads, input, output, half, rows, wide, k, 1);
      same("topLogSoftmax", threads, input, output, half, rows, wide, k, 0);
      same("layerNorm", threads, input, output, gradient, none, rows, wide, wide, wide, 1e-3);
      same("softmaxGradient", threads, input, gradient, output, rows, wide, 0);
      same("softmaxGradient", threads, input, gradient, output, rows, wide, 1);
      same(
          "layerNormGradient",
          threads,
          input,
          gradient,
          gradient,
          output,
          half,
          rows,
          wide,
          wide,
          wide,
          1e-3);
      same(
          "layerNormWeightsGradient",
          256,
          input,
          gradient,
          doubles,
          output,
          half,
          rows,
          wide,
          wide,
          wide);
      same("crossEntropy", threads, input, labels, none, output, half, rows, wide, 0.1, 0);
      for (int reduction = 0; reduction < 6; reduction++) {
        same("reduce", 256, input, output, rows, wide, 1L, reduction);
        same("reduce", 256, input, output, 1L, rows, wide, reduction);
      }
      same("scatterAddRows", 32, input, labels, output, 40L, Math.min(wide, 100), 9L, 0);
    }
    same("crossEntropyCounted", 256, labels, none, output, 1000L, 0);
    same("sumOfDoubles", 256, doubles, output, 1000L);
  }
}
