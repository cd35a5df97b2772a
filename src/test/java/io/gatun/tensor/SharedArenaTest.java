package io.gatun.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.WeakReference;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SharedArenaTest {
  @TempDir Path folder;

  @Test
  void memoryIsAlignedZeroedAndShared() {
    try (SharedArena arena = SharedArena.open("weights")) {
      assertEquals("weights", arena.name());
      for (long alignment : new long[] {1, 8, 64, 4096}) {
        MemorySegment segment = arena.allocate(100, alignment);
        assertEquals(0, segment.address() % Math.max(64, alignment));
        assertEquals(100, segment.byteSize());
        assertEquals(-1, segment.mismatch(segment.asSlice(0)));
        assertFalse(Segments.isThreadConfined(segment));
        assertEquals(arena.scope(), segment.scope());
      }
      assertEquals(0, arena.allocate(3).address() % 64);
      assertEquals(0, Tensor.allocate(arena, DType.FLOAT32, 3).getFloat(2));
      assertThrows(IllegalArgumentException.class, () -> arena.allocate(-1, 1));
      assertThrows(IllegalArgumentException.class, () -> arena.allocate(1, 3));
      assertThrows(IllegalArgumentException.class, () -> arena.allocate(1, 0));
    }
  }

  @Test
  void closingIsRefusedWhileLeasesAreOutAndNamesTheHolders() {
    SharedArena arena = SharedArena.open("weights");
    Tensor x = Tensor.allocate(arena, DType.FLOAT32, 2);
    SharedArena.Lease first = arena.lease("plan encoder");
    SharedArena.Lease second = arena.lease("plan decoder");
    assertSame(arena, first.arena());
    IllegalStateException e = assertThrows(IllegalStateException.class, arena::close);
    assertEquals(
        "shared arena 'weights' cannot be closed: still in use by plan encoder, plan decoder;"
            + " close them first",
        e.getMessage());
    first.close();
    first.close();
    assertEquals(List.of("plan decoder"), arena.holders());
    assertThrows(IllegalStateException.class, arena::close);
    assertEquals(0, x.getFloat(1));
    second.close();
    arena.close();
    assertThrows(IllegalStateException.class, () -> x.getFloat(1));
  }

  @Test
  void afterCloseEveryCallNamesTheArena() {
    SharedArena arena = SharedArena.open("weights");
    SharedArena.Lease lease = arena.lease("plan");
    lease.close();
    arena.close();
    lease.close();
    IllegalStateException e = assertThrows(IllegalStateException.class, () -> arena.lease("x"));
    assertEquals("shared arena 'weights' is closed", e.getMessage());
    assertThrows(IllegalStateException.class, arena::close);
    assertThrows(IllegalStateException.class, () -> arena.allocate(1, 1));
    assertFalse(arena.scope().isAlive());
  }

  @Test
  void theOwnerOfASegmentIsFoundThroughSlicesAndViews() {
    try (SharedArena a = SharedArena.open("a");
        SharedArena b = SharedArena.open("b");
        Arena plain = Arena.ofShared()) {
      MemorySegment ofA = a.allocate(64, 1);
      MemorySegment ofB = b.allocate(64, 1);
      assertSame(a, SharedArena.ownerOf(ofA).orElseThrow());
      assertSame(a, SharedArena.ownerOf(ofA.asSlice(8, 8).asReadOnly()).orElseThrow());
      assertSame(b, SharedArena.ownerOf(ofB).orElseThrow());
      assertEquals(Optional.empty(), SharedArena.ownerOf(plain.allocate(8, 8)));
      assertEquals(Optional.empty(), SharedArena.ownerOf(Arena.global().allocate(8, 8)));
      assertEquals(Optional.empty(), SharedArena.ownerOf(MemorySegment.ofArray(new int[1])));
    }
    SharedArena closed = SharedArena.open("closed");
    MemorySegment segment = closed.allocate(8, 8);
    closed.close();
    assertEquals(Optional.empty(), SharedArena.ownerOf(segment));
  }

  private static WeakReference<SharedArena> forgotten() {
    SharedArena arena = SharedArena.open("forgotten");
    arena.allocate(8, 8);
    return new WeakReference<>(arena);
  }

  @Test
  void theSearchForOwnersDoesNotKeepAForgottenArena() {
    WeakReference<SharedArena> arena = forgotten();
    for (int i = 0; i < 50 && arena.get() != null; i++) {
      System.gc();
    }
    assertNull(arena.get());
  }

  @Test
  void aMappedFileBelongsToTheArena() throws IOException {
    Path file = folder.resolve("weights.bin");
    Files.write(file, new byte[] {0, 1, 2, 3, 4, 5, 6, 7});
    try (SharedArena arena = SharedArena.open(file.toString())) {
      MemorySegment mapped;
      try (FileChannel channel = FileChannel.open(file)) {
        mapped = arena.map(channel, FileChannel.MapMode.READ_ONLY, 3, 4);
        assertThrows(
            IllegalArgumentException.class,
            () -> arena.map(channel, FileChannel.MapMode.READ_ONLY, -1, 4));
        assertThrows(
            IOException.class, () -> arena.map(channel, FileChannel.MapMode.READ_ONLY, 3, 40));
        assertEquals(0, arena.map(channel, FileChannel.MapMode.READ_ONLY, 8, 0).byteSize());
      }
      assertEquals(8, Files.size(file));
      Tensor x = Tensor.wrap(mapped, DType.UINT8, 4);
      assertArrayEquals(new int[] {3, 4, 5, 6}, x.toInts());
      assertTrue(x.isReadOnly());
      assertSame(arena, SharedArena.ownerOf(mapped).orElseThrow());
    }
    SharedArena writing = SharedArena.open("out");
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      Tensor out =
          Tensor.wrap(writing.map(channel, FileChannel.MapMode.READ_WRITE, 0, 8), DType.FLOAT32, 2);
      out.fill(1);
    }
    writing.close();
    assertArrayEquals(
        new byte[] {0, 0, (byte) 0x80, 0x3f, 0, 0, (byte) 0x80, 0x3f}, Files.readAllBytes(file));
  }

  @Test
  void whileALeaseIsOutNoOtherThreadClosesTheMemory() throws Exception {
    int threads = 4;
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      for (int round = 0; round < 30; round++) {
        SharedArena arena = SharedArena.open("round " + round);
        MemorySegment memory = arena.allocate(8, 8);
        CountDownLatch start = new CountDownLatch(1);
        List<Future<Integer>> readers = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
          readers.add(
              pool.submit(
                  () -> {
                    start.await();
                    int reads = 0;
                    while (reads < 2000) {
                      SharedArena.Lease lease;
                      try {
                        lease = arena.lease("reader");
                      } catch (IllegalStateException closed) {
                        return reads;
                      }
                      try (lease) {
                        // Would throw if the arena could be closed under a lease.
                        reads += 1 + (int) memory.get(ValueLayout.JAVA_LONG, 0);
                      }
                    }
                    return reads;
                  }));
        }
        start.countDown();
        boolean closed = false;
        while (!closed) {
          try {
            arena.close();
            closed = true;
          } catch (IllegalStateException inUse) {
            assertTrue(inUse.getMessage().contains("still in use by reader"), inUse.getMessage());
          }
        }
        for (Future<Integer> reader : readers) {
          assertTrue(reader.get() >= 0);
        }
        assertEquals(List.of(), arena.holders());
      }
    } finally {
      pool.shutdownNow();
    }
  }

  @Test
  void onlyOneOfManyThreadsCloses() throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(4);
    try {
      SharedArena arena = SharedArena.open("once");
      List<Future<Boolean>> closers = new ArrayList<>();
      for (int t = 0; t < 4; t++) {
        closers.add(
            pool.submit(
                () -> {
                  try {
                    arena.close();
                    return true;
                  } catch (IllegalStateException closed) {
                    return false;
                  }
                }));
      }
      int closed = 0;
      for (Future<Boolean> closer : closers) {
        closed += closer.get() ? 1 : 0;
      }
      assertEquals(1, closed);
    } finally {
      pool.shutdownNow();
    }
  }
}
