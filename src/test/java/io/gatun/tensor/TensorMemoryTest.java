package io.gatun.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class TensorMemoryTest {
  private static final List<String> READS = List.of("get", "toFloats", "copy", "toLongs");

  private static Executable read(String how, Tensor x) {
    return switch (how) {
      case "get" -> () -> x.getFloat(0, 0);
      case "toFloats" -> x::toFloats;
      case "toLongs" -> x::toLongs;
      default ->
          () -> {
            try (Arena arena = Arena.ofConfined()) {
              x.copy(arena);
            }
          };
    };
  }

  @Test
  void allocatedMemoryIsZeroedAndAligned() {
    try (Arena arena = Arena.ofConfined()) {
      for (DType type : DType.values()) {
        Tensor x = Tensor.allocate(arena, type, 3, 5);
        assertEquals(0, x.segment().address() % 64);
        assertEquals(15L * type.bytes(), x.byteSize());
        assertEquals(15L * type.bytes(), x.segment().byteSize());
        assertArrayEquals(new long[15], x.toLongs());
      }
      assertEquals(2.5f, Tensor.scalar(arena, 2.5f).getFloat());
      assertEquals(0, Tensor.scalar(arena, 2.5f).rank());
    }
  }

  @Test
  void closedMemoryIsNamedInTheException() {
    Arena arena = Arena.ofShared();
    Tensor x = Tensor.allocate(arena, DType.FLOAT32, 2, 3);
    arena.close();
    for (String how : READS) {
      IllegalStateException e =
          assertThrows(IllegalStateException.class, read(how, x.slice(0, 0, 2)), how);
      assertEquals(
          "float32[2, 3]: its memory is closed, with the arena it is from", e.getMessage());
    }
    assertThrows(IllegalStateException.class, () -> x.setFloat(1, 0, 0));
    assertThrows(IllegalStateException.class, () -> x.fill(1));
    assertThrows(IllegalStateException.class, x::checkAccess);
    assertEquals("float32[2, 3]", x.toString());
    assertEquals("float32[2, 3] (closed)", Tensor.describe(x));
    assertEquals(Shape.of(3, 2), x.transpose().shape());
  }

  @Test
  void anotherThreadsMemoryIsNamedInTheException() throws InterruptedException {
    try (Arena arena = Arena.ofConfined()) {
      Tensor x = Tensor.allocate(arena, DType.FLOAT32, 2, 3);
      for (String how : READS) {
        WrongThreadException e = assertThrows(WrongThreadException.class, elsewhere(read(how, x)));
        assertTrue(e.getMessage().startsWith("float32[2, 3]: its memory is confined"), how);
        assertTrue(e.getMessage().contains("'elsewhere'"), e.getMessage());
      }
      assertThrows(WrongThreadException.class, elsewhere(() -> x.fill(1)));
      elsewhereRun(
          () -> assertEquals("float32[2, 3] (confined to another thread)", Tensor.describe(x)));
    }
  }

  private static Executable elsewhere(Executable what) {
    return () -> {
      AtomicReference<Throwable> thrown = new AtomicReference<>();
      Thread thread =
          new Thread(
              () -> {
                try {
                  what.execute();
                } catch (Throwable e) {
                  thrown.set(e);
                }
              },
              "elsewhere");
      thread.start();
      thread.join();
      if (thrown.get() != null) {
        throw thrown.get();
      }
    };
  }

  private static void elsewhereRun(Executable what) {
    try {
      elsewhere(what).execute();
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void sharedMemoryIsReadByOtherThreads() {
    try (Arena arena = Arena.ofShared()) {
      Tensor x = Tensor.ofFloats(arena, new float[] {1, 2}, 2);
      elsewhereRun(() -> assertArrayEquals(new float[] {1, 2}, x.toFloats()));
    }
  }

  @Test
  void anIndexOutsideIsNamedWithTheShape() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor x = Tensor.allocate(arena, DType.FLOAT32, 2, 3);
      long[][] outside = {{2, 0}, {0, 3}, {-1, 0}, {0, Long.MAX_VALUE}, {Long.MIN_VALUE, 0}};
      for (long[] index : outside) {
        IndexOutOfBoundsException e =
            assertThrows(IndexOutOfBoundsException.class, () -> x.getFloat(index));
        assertTrue(e.getMessage().startsWith("float32[2, 3]: index ["), e.getMessage());
        assertThrows(IndexOutOfBoundsException.class, () -> x.setDouble(1, index));
      }
      ShapeException e = assertThrows(ShapeException.class, () -> x.getFloat(1));
      assertEquals("float32[2, 3]: expected 2 indices, got [1]", e.getMessage());
      assertThrows(ShapeException.class, () -> x.setLong(1));
    }
  }

  @Test
  void readOnlyMemoryIsNotWritten() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor x = Tensor.ofFloats(arena, new float[] {1, 2}, 2);
      Tensor locked = x.asReadOnly();
      assertTrue(locked.isReadOnly());
      assertFalse(x.isReadOnly());
      assertSame(locked, locked.asReadOnly());
      UnsupportedOperationException e =
          assertThrows(UnsupportedOperationException.class, () -> locked.setFloat(3, 0));
      assertEquals("float32[2]: its memory is read-only", e.getMessage());
      assertThrows(UnsupportedOperationException.class, () -> locked.flip(0).fill(3));
      assertThrows(UnsupportedOperationException.class, () -> locked.copyFrom(x));
      assertArrayEquals(new float[] {1, 2}, locked.toFloats());
      assertArrayEquals(new float[] {1, 2}, x.copyFrom(locked).toFloats());
    }
  }

  @Test
  void aBroadcastViewIsNotWritten() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor x = Tensor.allocate(arena, DType.FLOAT32, 2, 1).broadcastTo(2, 3);
      UnsupportedOperationException e =
          assertThrows(UnsupportedOperationException.class, () -> x.setFloat(3, 0, 0));
      assertTrue(e.getMessage().contains("repeats one element along axis 1"), e.getMessage());
      assertThrows(UnsupportedOperationException.class, () -> x.fill(3));
      x.slice(1, 2, 3).fill(3);
      assertArrayEquals(new int[] {3, 3, 3, 3, 3, 3}, x.toInts());
    }
  }

  @Test
  void aWrappedSegmentMayBeUnalignedAndLongerThanNeeded() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(64, 64);
      for (DType type : DType.values()) {
        Tensor x = Tensor.wrap(memory.asSlice(1), type, 2, 3);
        x.fill(1);
        assertArrayEquals(new int[] {1, 1, 1, 1, 1, 1}, x.transpose().copy(arena).toInts());
        assertEquals(memory.address() + 1, x.segment().address());
        assertEquals(6L * type.bytes(), x.segment().byteSize());
      }
    }
  }

  @Test
  void aShortSegmentIsRefusedWithBytesNeededAndGiven() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(23, 1);
      ShapeException e =
          assertThrows(ShapeException.class, () -> Tensor.wrap(memory, DType.FLOAT32, 2, 3));
      assertEquals("float32[2, 3] needs 24 bytes, the segment has 23", e.getMessage());
      assertThrows(ShapeException.class, () -> Tensor.wrap(memory, DType.INT8, -1));
      assertThrows(ShapeException.class, () -> Tensor.wrap(memory, DType.INT8, 1L << 62, 4));
      assertThrows(ShapeException.class, () -> Tensor.allocate(arena, DType.INT8, -4));
      assertThrows(
          ShapeException.class, () -> Tensor.allocate(arena, DType.INT8, 1L << 32, 1L << 32));
      assertThrows(ShapeException.class, () -> Tensor.ofFloats(arena, new float[5], 2, 3));
      assertEquals(0, Tensor.wrap(MemorySegment.NULL, DType.FLOAT32, 0, 3).elements());
    }
  }

  @Test
  void memoryOnTheHeapIsRefused() {
    MemorySegment heap = MemorySegment.ofArray(new float[6]);
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> Tensor.wrap(heap, DType.FLOAT32, 6));
    assertTrue(e.getMessage().contains("Java heap"), e.getMessage());
    assertThrows(
        IllegalArgumentException.class,
        () -> Tensor.wrap(heap, DType.FLOAT32, Shape.of(6), new long[] {1}));
    assertThrows(
        IllegalArgumentException.class, () -> Tensor.wrap(ByteBuffer.allocate(8), DType.INT8, 8));
  }

  @Test
  void stridesAreAcceptedExactlyWhenEveryElementLiesInTheSegment() {
    Random random = Seeds.random("stridesAreAcceptedExactlyWhenEveryElementLiesInTheSegment");
    List<DType> types = List.of(DType.values());
    int accepted = 0;
    for (int round = 0; round < 2000; round++) {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment memory = arena.allocate(1 + random.nextInt(64), 1);
        DType type = types.get(random.nextInt(types.size()));
        long[] dims = new long[random.nextInt(4)];
        long[] strides = new long[dims.length];
        for (int axis = 0; axis < dims.length; axis++) {
          dims[axis] = random.nextInt(4);
          strides[axis] = random.nextLong(-4, 5);
        }
        long offset = random.nextInt(40);
        Shape shape = Shape.of(dims);
        boolean fits = true;
        long[] index = new long[dims.length];
        for (long i = 0; i < shape.elements(); i++) {
          long rest = i;
          long at = offset;
          for (int axis = dims.length - 1; axis >= 0; axis--) {
            index[axis] = rest % dims[axis];
            rest /= dims[axis];
            at += index[axis] * strides[axis] * type.bytes();
          }
          fits &= at >= 0 && at + type.bytes() <= memory.byteSize();
        }
        if (shape.elements() == 0) {
          fits = offset <= memory.byteSize();
        }
        if (fits) {
          accepted++;
          Tensor x = Tensor.wrap(memory, type, shape, strides, offset);
          assertEquals(shape.elements(), x.toDoubles().length);
          assertArrayEquals(strides, x.strides());
          assertEquals(offset, x.byteOffset());
          assertSame(memory, x.baseSegment());
        } else {
          assertThrows(
              ShapeException.class, () -> Tensor.wrap(memory, type, shape, strides, offset));
        }
      }
    }
    assertTrue(accepted > 100, "only " + accepted + " views were accepted");
  }

  @Test
  void absurdStridesAreRefused() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate(64, 64);
      long[][] absurd = {
        {Long.MAX_VALUE, 1}, {Long.MIN_VALUE, 1}, {1L << 61, 1L << 61}, {1}, {1, 1, 1}, {-1, 1}
      };
      for (long[] strides : absurd) {
        assertThrows(
            ShapeException.class,
            () -> Tensor.wrap(memory, DType.FLOAT32, Shape.of(3, 3), strides));
      }
      assertThrows(
          ShapeException.class,
          () -> Tensor.wrap(memory, DType.FLOAT32, Shape.SCALAR, new long[0], Long.MAX_VALUE));
      assertThrows(
          ShapeException.class,
          () -> Tensor.wrap(memory, DType.FLOAT32, Shape.SCALAR, new long[0], -1));
    }
  }

  @Test
  void aDirectBufferIsViewedFromItsPositionOn() {
    ByteBuffer buffer = ByteBuffer.allocateDirect(20).order(ByteOrder.LITTLE_ENDIAN);
    buffer.putInt(4, 7).putInt(8, 9).position(4);
    Tensor x = Tensor.wrap(buffer, DType.INT32, 2);
    assertArrayEquals(new int[] {7, 9}, x.toInts());
    x.setLong(11, 0);
    assertEquals(11, buffer.getInt(4));
    assertTrue(
        Tensor.wrap(buffer.asReadOnlyBuffer().order(buffer.order()), DType.INT32, 2).isReadOnly());
    assertThrows(ShapeException.class, () -> Tensor.wrap(buffer, DType.INT32, 5));
  }

  @Test
  void aBigEndianBufferIsRefusedUnlessElementsAreBytes() {
    ByteBuffer buffer = ByteBuffer.allocateDirect(8);
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> Tensor.wrap(buffer, DType.FLOAT32, 2));
    assertTrue(e.getMessage().contains("order(ByteOrder.LITTLE_ENDIAN)"), e.getMessage());
    assertNotNull(Tensor.wrap(buffer, DType.UINT8, 8));
  }

  @Test
  void aDescriptionShowsTypeShapeAndTheFirstValues() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor x = Tensor.ofFloats(arena, new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
      assertEquals("float32[2, 3]", x.toString());
      assertEquals("float32[2, 3] 1.0, 2.0, 3.0, 4.0, 5.0, 6.0", Tensor.describe(x));
      assertEquals(
          "float32[3] strides [-1] 3.0, 2.0, 1.0", Tensor.describe(x.select(0, 0).flip(0)));
      assertEquals("int64[] 5", Tensor.describe(Tensor.ofLongs(arena, new long[] {5})));
      assertEquals(
          "int32[9] 0, 0, 0, 0, 0, 0, 0, 0, …",
          Tensor.describe(Tensor.allocate(arena, DType.INT32, 9)));
      assertEquals("bool[0]", Tensor.describe(Tensor.allocate(arena, DType.BOOL, 0)));
    }
  }

  @Test
  void segmentsTellWhoMayUseThemAndForHowLong() {
    try (Arena confined = Arena.ofConfined();
        Arena shared = Arena.ofShared()) {
      assertTrue(Segments.isThreadConfined(confined.allocate(8, 8)));
      assertFalse(Segments.isThreadConfined(shared.allocate(8, 8)));
      assertFalse(Segments.isThreadConfined(Arena.global().allocate(8, 8)));
      assertFalse(Segments.staysAlive(confined.allocate(8, 8)));
      assertFalse(Segments.staysAlive(shared.allocate(8, 8)));
      assertTrue(Segments.staysAlive(Arena.global().allocate(8, 8).asSlice(4).asReadOnly()));
      assertFalse(Segments.staysAlive(MemorySegment.ofBuffer(ByteBuffer.allocateDirect(8))));
    }
  }

  @Test
  void theExampleOfThePackageRuns() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor x = Tensor.ofFloats(arena, new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
      Tensor second = x.select(0, 1);
      second.setFloat(40, 0);
      Tensor columns = x.transpose();
      float[] values = columns.toFloats();
      Tensor small = x.to(arena, DType.BFLOAT16);
      assertArrayEquals(new float[] {1, 40, 2, 5, 3, 6}, values);
      assertArrayEquals(new float[] {1, 2, 3, 40, 5, 6}, small.toFloats());
      assertEquals(40, x.segment().get(ValueLayout.JAVA_FLOAT, 12));
    }
  }
}
