package io.gatun.jmh.peer;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.List;

/**
 * The part of oneDNN's C interface that is needed here (its documentation is the header {@code
 * oneapi/dnnl/dnnl.h}), from the jar {@code org.bytedeco:dnnl}, which is built with GNU OpenMP. One
 * engine and one stream, used by one thread. What it makes lives as long as the process, as
 * benchmarks do.
 */
@SuppressWarnings("restricted") // calling native code is what this is for
final class OneDnn {
  /** Any layout: oneDNN chooses. */
  static final int ANY = 1;

  /** A vector, a matrix row by row. */
  static final int A = 2;

  static final int AB = 3;

  /** {@code [time, batch, features]}. */
  static final int TNC = 4;

  /** {@code [layer, direction, gate, hidden]}: biases. */
  static final int LDGO = 5;

  /** {@code [layer, direction, input, gate, hidden]} written gate by gate, as ONNX has it. */
  static final int LDGOI = 31;

  static final int SRC = 1;
  static final int DST = 17;
  static final int WEIGHTS = 33;
  static final int WEIGHTS_ITER = 34;
  static final int BIAS = 41;

  private static final int FLOAT32 = 3;
  private static final int CPU = 1;
  private static final int IN_ORDER = 1;
  private static final int FORWARD_INFERENCE = 96;
  private static final int LEFT_TO_RIGHT = 1;
  private static final int ELTWISE_TANH = 33;
  private static final int QUERY_IMPLEMENTATION = 8;
  private static final int QUERY_SRC = 129;
  private static final int QUERY_WEIGHTS = 131;
  private static final int QUERY_DST = 133;
  private static final MemorySegment ALLOCATE = MemorySegment.ofAddress(-1);
  private static final int ARGUMENT_BYTES = 16;

  private static OneDnn only;

  private final NativeLibraries library;
  private final MethodHandle setThreads;
  private final MethodHandle descriptor;
  private final MethodHandle memory;
  private final MethodHandle data;
  private final MethodHandle size;
  private final MethodHandle query;
  private final MethodHandle create;
  private final MethodHandle execute;
  private final MethodHandle await;
  private final MethodHandle destroyMemory;
  private final MethodHandle destroyPrimitive;
  private final MethodHandle destroyDescriptor;
  private final MethodHandle destroyPrimitiveDescriptor;
  private final MemorySegment engine;
  private final MemorySegment stream;

  private OneDnn() {
    library =
        NativeLibraries.open(
            "org/bytedeco/dnnl/linux-x86_64", List.of("libgomp.so.1", "libdnnl.so.3"));
    setThreads = library.function("omp_set_num_threads", FunctionDescriptor.ofVoid(JAVA_INT));
    descriptor =
        status("dnnl_memory_desc_create_with_tag", ADDRESS, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT);
    memory = status("dnnl_memory_create", ADDRESS, ADDRESS, ADDRESS, ADDRESS);
    data = status("dnnl_memory_get_data_handle", ADDRESS, ADDRESS);
    size = library.function("dnnl_memory_desc_get_size", FunctionDescriptor.of(JAVA_LONG, ADDRESS));
    query =
        library.function(
            "dnnl_primitive_desc_query_md",
            FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_INT, JAVA_INT));
    create = status("dnnl_primitive_create", ADDRESS, ADDRESS);
    execute = status("dnnl_primitive_execute", ADDRESS, ADDRESS, JAVA_INT, ADDRESS);
    await = status("dnnl_stream_wait", ADDRESS);
    destroyMemory = status("dnnl_memory_destroy", ADDRESS);
    destroyPrimitive = status("dnnl_primitive_destroy", ADDRESS);
    destroyDescriptor = status("dnnl_memory_desc_destroy", ADDRESS);
    destroyPrimitiveDescriptor = status("dnnl_primitive_desc_destroy", ADDRESS);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      call(status("dnnl_engine_create", ADDRESS, JAVA_INT, JAVA_LONG), out, CPU, 0L);
      engine = out.get(ADDRESS, 0);
      call(status("dnnl_stream_create", ADDRESS, ADDRESS, JAVA_INT), out, engine, IN_ORDER);
      stream = out.get(ADDRESS, 0);
    }
  }

  /**
   * The library.
   *
   * @throws UnsupportedOperationException if it is not there
   */
  static synchronized OneDnn get() {
    if (only == null) {
      only = new OneDnn();
    }
    return only;
  }

  /** Its version, as in 3.13.0. */
  String version() {
    MethodHandle version =
        library.function(
            "dnnl_version",
            FunctionDescriptor.of(
                ADDRESS.withTargetLayout(MemoryLayout.sequenceLayout(3, JAVA_INT))));
    try {
      MemorySegment numbers = (MemorySegment) version.invokeExact();
      return numbers.getAtIndex(JAVA_INT, 0)
          + "."
          + numbers.getAtIndex(JAVA_INT, 1)
          + "."
          + numbers.getAtIndex(JAVA_INT, 2);
    } catch (Throwable e) {
      throw new IllegalStateException("dnnl_version", e);
    }
  }

  private MethodHandle status(String name, MemoryLayout... arguments) {
    return library.function(name, FunctionDescriptor.of(JAVA_INT, arguments));
  }

  private static void call(MethodHandle function, Object... arguments) {
    int status;
    try {
      status = (int) function.invokeWithArguments(arguments);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
    if (status != 0) {
      throw new UnsupportedOperationException("oneDNN answers with status " + status);
    }
  }

  /** From now on oneDNN computes with so many threads when this thread calls it. */
  void threads(int threads) {
    try {
      setThreads.invokeExact(threads);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  /** The description of a float32 tensor in a layout. */
  MemorySegment descriptor(int layout, long... dims) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      MemorySegment sizes = arena.allocate(8L * dims.length, 8);
      MemorySegment.copy(dims, 0, sizes, JAVA_LONG, 0, dims.length);
      call(descriptor, out, dims.length, sizes, FLOAT32, layout);
      return out.get(ADDRESS, 0);
    }
  }

  /** New memory of a description. */
  MemorySegment memory(MemorySegment description) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      call(memory, out, description, engine, ALLOCATE);
      return out.get(ADDRESS, 0);
    }
  }

  /** The numbers of a memory. */
  MemorySegment numbers(MemorySegment memory, long count) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      call(data, memory, out);
      return out.get(ADDRESS, 0).reinterpret(4 * count);
    }
  }

  /** New memory in a plain layout with these numbers. */
  MemorySegment filled(float[] values, int layout, long... dims) {
    MemorySegment result = memory(descriptor(layout, dims));
    MemorySegment.copy(values, 0, numbers(result, values.length), JAVA_FLOAT, 0, values.length);
    return result;
  }

  /** What a primitive wants for an operand. */
  MemorySegment wanted(MemorySegment primitive, int argument) {
    int what =
        switch (argument) {
          case SRC -> QUERY_SRC;
          case DST -> QUERY_DST;
          default -> QUERY_WEIGHTS;
        };
    int index = argument == WEIGHTS_ITER ? 1 : 0;
    try {
      return (MemorySegment) query.invokeExact(primitive, what, index);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  /** Bytes of a description: padding and packing included. */
  long bytes(MemorySegment description) {
    try {
      return (long) size.invokeExact(description);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  /** These numbers, reordered into what the primitive wants for this operand. */
  MemorySegment packed(
      MemorySegment primitive, int argument, float[] values, int layout, long... dims) {
    MemorySegment from = filled(values, layout, dims);
    MemorySegment description = wanted(primitive, argument);
    MemorySegment to = memory(description);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment plain = descriptor(layout, dims);
      MemorySegment out = arena.allocate(ADDRESS);
      call(
          status(
              "dnnl_reorder_primitive_desc_create",
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS),
          out,
          plain,
          engine,
          description,
          engine,
          MemorySegment.NULL);
      MemorySegment reorder = out.get(ADDRESS, 0);
      Call call = new Call(reorder, arena).with(SRC, from).with(DST, to);
      call.run();
      call.close();
      call(destroyDescriptor, plain);
    }
    call(destroyMemory, from);
    return to;
  }

  /** Which of its implementations oneDNN chose. */
  String implementation(MemorySegment primitive) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      call(
          status("dnnl_primitive_desc_query", ADDRESS, JAVA_INT, JAVA_INT, ADDRESS),
          primitive,
          QUERY_IMPLEMENTATION,
          0,
          out);
      MemorySegment text = out.get(ADDRESS, 0).reinterpret(256);
      StringBuilder name = new StringBuilder();
      for (int i = 0; text.get(java.lang.foreign.ValueLayout.JAVA_BYTE, i) != 0; i++) {
        name.append((char) text.get(java.lang.foreign.ValueLayout.JAVA_BYTE, i));
      }
      return name.toString();
    }
  }

  /** Description of a layer: LSTM, GRU with the reset after the product, or tanh RNN. */
  MemorySegment layer(
      String cell,
      MemorySegment x,
      MemorySegment w,
      MemorySegment r,
      MemorySegment b,
      MemorySegment y) {
    MemorySegment none = MemorySegment.NULL;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      switch (cell) {
        case "LSTM" ->
            call(
                status(
                    "dnnl_lstm_forward_primitive_desc_create",
                    ADDRESS,
                    ADDRESS,
                    JAVA_INT,
                    JAVA_INT,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    JAVA_INT,
                    ADDRESS),
                out,
                engine,
                FORWARD_INFERENCE,
                LEFT_TO_RIGHT,
                x,
                none,
                none,
                w,
                r,
                none,
                none,
                b,
                y,
                none,
                none,
                0,
                none);
        case "GRU" ->
            call(
                status(
                    "dnnl_lbr_gru_forward_primitive_desc_create",
                    ADDRESS,
                    ADDRESS,
                    JAVA_INT,
                    JAVA_INT,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    JAVA_INT,
                    ADDRESS),
                out,
                engine,
                FORWARD_INFERENCE,
                LEFT_TO_RIGHT,
                x,
                none,
                w,
                r,
                b,
                y,
                none,
                0,
                none);
        default ->
            call(
                status(
                    "dnnl_vanilla_rnn_forward_primitive_desc_create",
                    ADDRESS,
                    ADDRESS,
                    JAVA_INT,
                    JAVA_INT,
                    JAVA_INT,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    ADDRESS,
                    JAVA_INT,
                    JAVA_FLOAT,
                    JAVA_FLOAT,
                    ADDRESS),
                out,
                engine,
                FORWARD_INFERENCE,
                ELTWISE_TANH,
                LEFT_TO_RIGHT,
                x,
                none,
                w,
                r,
                b,
                y,
                none,
                0,
                0f,
                0f,
                none);
      }
      return out.get(ADDRESS, 0);
    }
  }

  /** Description of a product. */
  MemorySegment product(MemorySegment a, MemorySegment b, MemorySegment c) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment out = arena.allocate(ADDRESS);
      call(
          status(
              "dnnl_matmul_primitive_desc_create",
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS,
              ADDRESS),
          out,
          engine,
          a,
          b,
          MemorySegment.NULL,
          c,
          MemorySegment.NULL);
      return out.get(ADDRESS, 0);
    }
  }

  /** A primitive with its operands, ready to run. */
  final class Call {
    private static final int MOST = 8;
    private final MemorySegment primitiveDescription;
    private final MemorySegment primitive;
    private final MemorySegment arguments;
    private int count;

    /** Makes the primitive; the list of operands lives as long as the arena. */
    Call(MemorySegment description, Arena arena) {
      primitiveDescription = description;
      MemorySegment out = arena.allocate(ADDRESS);
      call(create, out, description);
      primitive = out.get(ADDRESS, 0);
      arguments = arena.allocate((long) MOST * ARGUMENT_BYTES, 8);
    }

    Call with(int argument, MemorySegment memory) {
      arguments.set(JAVA_INT, (long) count * ARGUMENT_BYTES, argument);
      arguments.set(ADDRESS, (long) count * ARGUMENT_BYTES + 8, memory);
      count++;
      return this;
    }

    void run() {
      int status;
      try {
        status = (int) execute.invokeExact(primitive, stream, count, arguments);
        status |= (int) await.invokeExact(stream);
      } catch (Throwable e) {
        throw new IllegalStateException(e);
      }
      if (status != 0) {
        throw new IllegalStateException("oneDNN answers with status " + status);
      }
    }

    void close() {
      call(destroyPrimitive, primitive);
      call(destroyPrimitiveDescriptor, primitiveDescription);
    }
  }

  /** Gives memory back. */
  void free(MemorySegment memory) {
    call(destroyMemory, memory);
  }
}
