package io.gatun.jmh.peer;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/**
 * MKL's product with a right-hand side packed beforehand: {@code cblas_sgemm_pack} and {@code
 * cblas_sgemm_compute}, with GNU OpenMP.
 */
@SuppressWarnings("restricted") // calling native code is what this is for
public final class MklProduct implements Peer<ProductProblem> {
  private static final int ROW_MAJOR = 101;
  private static final int NO_TRANSPOSE = 111;
  private static final int PACKED = 151;
  private static final int B_MATRIX = 162;
  private static final int GNU_THREADS = 3;
  private static final int VERSION_BYTES = 198;
  private static final int ALIGNMENT = 64;

  private static NativeLibraries library;
  private static MethodHandle compute;
  private static MethodHandle setThreads;

  private final Arena arena = Arena.ofConfined();
  private ProductProblem problem;
  private int threads;
  private MemorySegment a;
  private MemorySegment b;
  private MemorySegment c;

  /**
   * Loads it.
   *
   * @throws UnsupportedOperationException if it is not there
   */
  static synchronized void load() {
    if (library != null) {
      return;
    }
    // MKL opens those it wants by name, and looks where the first one lies.
    NativeLibraries.open("org/bytedeco/dnnl/linux-x86_64", List.of("libgomp.so.1"));
    NativeLibraries loaded =
        NativeLibraries.open(
            "org/bytedeco/mkl/linux-x86_64",
            List.of(
                "libmkl_def.so.3",
                "libmkl_avx2.so.3",
                "libmkl_avx512.so.3",
                "libmkl_avx10.so.3",
                "libmkl_gnu_thread.so.3",
                "libmkl_intel_lp64.so.3",
                "libmkl_core.so.3",
                "libmkl_rt.so.3"));
    try {
      MethodHandle layer =
          loaded.function("MKL_Set_Threading_Layer", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
      if ((int) layer.invokeExact(GNU_THREADS) != GNU_THREADS) {
        throw new UnsupportedOperationException("MKL does not take GNU OpenMP");
      }
    } catch (UnsupportedOperationException e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
    setThreads = loaded.function("MKL_Set_Num_Threads", FunctionDescriptor.ofVoid(JAVA_INT));
    compute =
        loaded.function(
            "cblas_sgemm_compute",
            FunctionDescriptor.ofVoid(
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                JAVA_INT,
                ADDRESS,
                JAVA_INT,
                ADDRESS,
                JAVA_INT,
                JAVA_FLOAT,
                ADDRESS,
                JAVA_INT));
    library = loaded;
  }

  /** Its own words for its version and the processor that it thinks it is on. */
  static String version() {
    load();
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment text = scratch.allocate(VERSION_BYTES);
      library
          .function("MKL_Get_Version_String", FunctionDescriptor.ofVoid(ADDRESS, JAVA_INT))
          .invoke(text, VERSION_BYTES);
      StringBuilder version = new StringBuilder();
      for (int i = 0; i < VERSION_BYTES && text.get(JAVA_BYTE, i) != 0; i++) {
        version.append((char) text.get(JAVA_BYTE, i));
      }
      return version.toString().strip();
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public String name() {
    return "MKL";
  }

  @Override
  public void prepare(ProductProblem given, int threads) {
    load();
    problem = given;
    this.threads = threads;
    int rows = given.rows();
    int inner = given.inner();
    int columns = given.columns();
    try {
      setThreads.invokeExact(threads);
      MethodHandle size =
          library.function(
              "cblas_sgemm_pack_get_size",
              FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT));
      long bytes = (long) size.invokeExact(B_MATRIX, rows, columns, inner);
      MemorySegment plain = copy(given.b());
      a = copy(given.a());
      b = arena.allocate(bytes, ALIGNMENT);
      c = arena.allocate(4L * rows * columns, ALIGNMENT);
      MethodHandle pack =
          library.function(
              "cblas_sgemm_pack",
              FunctionDescriptor.ofVoid(
                  JAVA_INT,
                  JAVA_INT,
                  JAVA_INT,
                  JAVA_INT,
                  JAVA_INT,
                  JAVA_INT,
                  JAVA_FLOAT,
                  ADDRESS,
                  JAVA_INT,
                  ADDRESS));
      pack.invokeExact(
          ROW_MAJOR, B_MATRIX, NO_TRANSPOSE, rows, columns, inner, 1f, plain, columns, b);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  private MemorySegment copy(float[] numbers) {
    MemorySegment memory = arena.allocate(4L * numbers.length, ALIGNMENT);
    MemorySegment.copy(numbers, 0, memory, JAVA_FLOAT, 0, numbers.length);
    return memory;
  }

  @Override
  public void run() {
    int inner = problem.inner();
    int columns = problem.columns();
    try {
      setThreads.invokeExact(threads);
      compute.invokeExact(
          ROW_MAJOR,
          NO_TRANSPOSE,
          PACKED,
          problem.rows(),
          columns,
          inner,
          a,
          inner,
          b,
          columns,
          0f,
          c,
          columns);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public float[] output() {
    return c.toArray(JAVA_FLOAT);
  }

  @Override
  public void close() {
    arena.close();
  }
}
