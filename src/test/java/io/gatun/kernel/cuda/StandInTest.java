package io.gatun.kernel.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
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

/** The libraries that stand in for NVIDIA's do what those promise, and tell what those do not. */
@SuppressWarnings("restricted")
class StandInTest {
  private static final int HOST_TO_DEVICE = 1;
  private static final int DEVICE_TO_HOST = 2;

  private final Random random = Seeds.random("StandInTest");
  private final Arena arena = Arena.ofConfined();
  private StandIn libraries;
  private long aliveBefore;
  private MemorySegment stream;
  private final List<MemorySegment> devices = new ArrayList<>();
  private final List<MemorySegment> hosts = new ArrayList<>();

  @BeforeEach
  void open() {
    libraries = StandIn.ready();
    aliveBefore = libraries.live("all");
    stream = created("cudaStreamCreateWithFlags", 1);
  }

  @AfterEach
  void close() {
    libraries.reset();
    devices.forEach(pointer -> call("cudaFree", pointer));
    hosts.forEach(pointer -> call("cudaFreeHost", pointer));
    call("cudaStreamDestroy", stream);
    assertEquals(aliveBefore, libraries.live("all"), "what is left behind");
    arena.close();
  }

  /** Calls a function that returns a code. */
  private int call(String name, Object... arguments) {
    MemoryLayout[] layouts = new MemoryLayout[arguments.length];
    for (int i = 0; i < arguments.length; i++) {
      Object argument = arguments[i];
      layouts[i] =
          argument instanceof MemorySegment
              ? ValueLayout.ADDRESS
              : argument instanceof Long
                  ? ValueLayout.JAVA_LONG
                  : argument instanceof Float ? ValueLayout.JAVA_FLOAT : ValueLayout.JAVA_INT;
    }
    return (int)
        libraries.call(name, FunctionDescriptor.of(ValueLayout.JAVA_INT, layouts), arguments);
  }

  private void done(String name, Object... arguments) {
    assertEquals(0, call(name, arguments), () -> name + ": " + libraries.fault());
  }

  /** What a function gives through its first argument. */
  private MemorySegment created(String name, Object... others) {
    MemorySegment place = arena.allocate(8, 8);
    Object[] arguments = new Object[others.length + 1];
    arguments[0] = place;
    System.arraycopy(others, 0, arguments, 1, others.length);
    done(name, arguments);
    return place.get(ValueLayout.ADDRESS, 0);
  }

  private MemorySegment device(long bytes) {
    MemorySegment pointer = created("cudaMalloc", bytes);
    devices.add(pointer);
    return pointer;
  }

  private MemorySegment pinned(long bytes) {
    MemorySegment pointer = created("cudaHostAlloc", bytes, 0);
    hosts.add(pointer);
    return pointer.reinterpret(bytes);
  }

  private MemorySegment floats(float... values) {
    MemorySegment memory = arena.allocate(Math.max(4, values.length * 4L), 8);
    MemorySegment.copy(MemorySegment.ofArray(values), 0, memory, 0, values.length * 4L);
    return memory;
  }

  private MemorySegment uploaded(float... values) {
    MemorySegment pointer = device(Math.max(4, values.length * 4L));
    if (values.length > 0) {
      done("cudaMemcpyAsync", pointer, floats(values), values.length * 4L, HOST_TO_DEVICE, stream);
    }
    return pointer;
  }

  private float[] downloaded(MemorySegment pointer, int count) {
    MemorySegment memory = arena.allocate(Math.max(4, count * 4L), 8);
    done("cudaMemcpyAsync", memory, pointer, count * 4L, DEVICE_TO_HOST, stream);
    float[] values = new float[count];
    MemorySegment.copy(memory, 0, MemorySegment.ofArray(values), 0, count * 4L);
    return values;
  }

  private float[] numbers(int count) {
    float[] numbers = new float[count];
    for (int i = 0; i < count; i++) {
      numbers[i] = (float) random.nextGaussian();
    }
    return numbers;
  }

  @Test
  void workHappensWhenSomebodyWaitsForIt() {
    MemorySegment target = device(4);
    MemorySegment source = pinned(4);
    MemorySegment back = pinned(4);
    source.set(ValueLayout.JAVA_FLOAT, 0, 1);
    done("cudaMemcpyAsync", target, source, 4L, HOST_TO_DEVICE, stream);
    done("cudaMemcpyAsync", back, target, 4L, DEVICE_TO_HOST, stream);
    // The copy has not happened, so it takes what is there when it does.
    source.set(ValueLayout.JAVA_FLOAT, 0, 2);
    assertTrue(Float.isNaN(back.get(ValueLayout.JAVA_FLOAT, 0)), "nothing has happened");
    done("cudaStreamSynchronize", stream);
    assertEquals(2, back.get(ValueLayout.JAVA_FLOAT, 0));
    libraries.checkNoFaults();
  }

  @Test
  void whoWaitsForAnEventOfAStreamSeesWhatItDid() {
    MemorySegment other = created("cudaStreamCreateWithFlags", 1);
    MemorySegment event = created("cudaEventCreateWithFlags", 2);
    MemorySegment target = device(4);
    MemorySegment source = pinned(4);
    MemorySegment back = pinned(4);
    source.set(ValueLayout.JAVA_FLOAT, 0, 3);
    done("cudaMemcpyAsync", target, source, 4L, HOST_TO_DEVICE, stream);
    done("cudaEventRecord", event, stream);
    done("cudaMemcpyAsync", back, target, 4L, DEVICE_TO_HOST, other);
    done("cudaStreamSynchronize", other);
    assertTrue(Float.isNaN(back.get(ValueLayout.JAVA_FLOAT, 0)), "the other stream did not wait");
    done("cudaEventSynchronize", event);
    done("cudaMemcpyAsync", back, target, 4L, DEVICE_TO_HOST, other);
    done("cudaStreamSynchronize", other);
    assertEquals(3, back.get(ValueLayout.JAVA_FLOAT, 0));
    done("cudaEventDestroy", event);
    done("cudaStreamDestroy", other);
    libraries.checkNoFaults();
  }

  @Test
  void whatReachesBeyondAnAllocationIsRefused() {
    MemorySegment pointer = device(8);
    MemorySegment host = arena.allocate(16, 8);
    assertNotEquals(0, call("cudaMemcpyAsync", pointer, host, 9L, HOST_TO_DEVICE, stream));
    assertNotEquals(0, call("cudaMemcpyAsync", host, host, 8L, HOST_TO_DEVICE, stream));
    assertNotEquals(0, call("cudaMemcpyAsync", pointer, pointer, 8L, DEVICE_TO_HOST, stream));
    assertNotEquals(0, call("cudaFree", MemorySegment.ofAddress(pointer.address() + 4)));
    assertEquals(4, libraries.faults());
    assertTrue(libraries.fault().startsWith("cudaFree("), libraries.fault());
  }

  @Test
  void callsFailWhereTheyAreToldTo() {
    libraries.fail("cudaMalloc", 2, 2);
    device(16);
    MemorySegment place = arena.allocate(8, 8);
    long alive = libraries.live("device");
    assertEquals(2, call("cudaMalloc", place, 16L));
    assertEquals(alive, libraries.live("device"));
    assertEquals(2, call("cudaGetLastError"));
    assertEquals(0, call("cudaGetLastError"));
    device(16);
    assertEquals(3, libraries.calls("cudaMalloc"));
    libraries.memory(1024);
    assertEquals(2, call("cudaMalloc", place, 2048L));
    libraries.lose(719);
    assertEquals(719, call("cudaStreamSynchronize", stream));
    assertEquals(719, call("cuInit", 0));
  }

  @Test
  void productsOfColumnsAreThoseOfAPlainLoop() {
    MemorySegment handle = created("cublasCreate_v2");
    done("cublasSetStream_v2", handle, stream);
    for (int turn = 0; turn < 24; turn++) {
      boolean turnA = (turn & 1) != 0;
      boolean turnB = (turn & 2) != 0;
      int m = 1 + random.nextInt(9);
      int n = 1 + random.nextInt(9);
      int k = random.nextInt(9);
      int lda = Math.max(1, turnA ? k : m) + random.nextInt(3);
      int ldb = Math.max(1, turnB ? n : k) + random.nextInt(3);
      int ldc = m + random.nextInt(3);
      float beta = turn % 3 == 0 ? 0 : 0.5f;
      float[] a = numbers(lda * Math.max(1, turnA ? m : k));
      float[] b = numbers(ldb * Math.max(1, turnB ? k : n));
      float[] c = numbers(ldc * n);
      MemorySegment target = uploaded(c);
      done(
          "cublasGemmEx",
          handle,
          turnA ? 1 : 0,
          turnB ? 1 : 0,
          m,
          n,
          k,
          floats(2),
          uploaded(a),
          0,
          lda,
          uploaded(b),
          0,
          ldb,
          floats(beta),
          target,
          0,
          ldc,
          68,
          -1);
      float[] come = downloaded(target, c.length);
      for (int i = 0; i < ldc * n; i++) {
        int row = i % ldc;
        int column = i / ldc;
        double sum = 0;
        for (int j = 0; j < k && row < m; j++) {
          sum +=
              (double) a[turnA ? j + row * lda : row + j * lda]
                  * b[turnB ? column + j * ldb : j + column * ldb];
        }
        double expected = row < m ? 2 * sum + beta * c[i] : c[i];
        assertEquals(expected, come[i], 1e-5 * Math.max(1, Math.abs(expected)), "turn " + turn);
      }
    }
    done("cublasDestroy_v2", handle);
    libraries.checkNoFaults();
  }
}
