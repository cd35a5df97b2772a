package io.gatun.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class WorkspaceTest {
  @Test
  void offsetsAreAlignedAndFollowOneAnother() {
    try (Workspace workspace = new Workspace(1000)) {
      assertEquals(1024, workspace.capacity());
      assertEquals(1024, workspace.segment().byteSize());
      assertEquals(0, workspace.segment().address() % 64);
      assertEquals(0, workspace.allocate(1));
      assertEquals(64, workspace.allocate(64));
      assertEquals(128, workspace.allocate(65));
      assertEquals(256, workspace.allocate(0));
      assertEquals(256, workspace.allocate(768));
      assertEquals(1024, workspace.used());
      assertEquals(1024, workspace.allocate(0));
    }
  }

  @Test
  void resetGivesTheSameMemoryAgainAndRemembersTheHighWater() {
    try (Workspace workspace = new Workspace(256)) {
      MemorySegment slab = workspace.segment();
      workspace.allocate(200);
      workspace.reset();
      assertEquals(0, workspace.used());
      assertEquals(256, workspace.highWater());
      assertEquals(0, workspace.allocate(10));
      assertEquals(256, workspace.highWater());
      assertSame(slab, workspace.segment());
    }
  }

  @Test
  void moreThanIsLeftIsRefusedAndChangesNothing() {
    try (Workspace workspace = new Workspace(128)) {
      workspace.allocate(64);
      IllegalStateException e =
          assertThrows(IllegalStateException.class, () -> workspace.allocate(65));
      assertTrue(e.getMessage().contains("65 bytes asked for, 64 of 128 left"), e.getMessage());
      assertThrows(IllegalArgumentException.class, () -> workspace.allocate(-1));
      assertThrows(IllegalArgumentException.class, () -> workspace.allocate(Long.MAX_VALUE));
      assertEquals(64, workspace.allocate(64));
      assertThrows(IllegalArgumentException.class, () -> new Workspace(-1).close());
    }
  }

  @Test
  void growingReplacesTheSlabAndIsRefusedWhileItIsInUse() {
    try (Workspace workspace = new Workspace(64)) {
      MemorySegment small = workspace.segment();
      workspace.allocate(1);
      assertThrows(IllegalStateException.class, () -> workspace.ensureCapacity(65));
      workspace.ensureCapacity(64);
      assertSame(small, workspace.segment());
      workspace.reset();
      workspace.ensureCapacity(1000);
      assertEquals(1024, workspace.capacity());
      assertFalse(small.scope().isAlive());
      workspace.allocate(1000);
      workspace.segment().set(ValueLayout.JAVA_BYTE, 1023, (byte) 1);
    }
  }

  @Test
  void aFailedGrowthLeavesTheSlabAsItWas() {
    try (Workspace workspace = new Workspace(64)) {
      assertThrows(OutOfMemoryError.class, () -> workspace.ensureCapacity(Long.MAX_VALUE / 2));
      assertEquals(64, workspace.capacity());
      assertEquals(0, workspace.allocate(64));
      workspace.segment().set(ValueLayout.JAVA_BYTE, 63, (byte) 1);
    }
  }

  @Test
  void anEmptyWorkspaceCanGrow() {
    try (Workspace workspace = new Workspace(0)) {
      assertTrue(workspace.capacity() >= 0);
      workspace.ensureCapacity(4096);
      assertEquals(0, workspace.allocate(4096));
    }
  }

  @Test
  void afterCloseEveryCallFailsAndClosingAgainDoesNothing() {
    Workspace workspace = new Workspace(64);
    MemorySegment slab = workspace.segment();
    workspace.close();
    workspace.close();
    assertFalse(slab.scope().isAlive());
    assertThrows(IllegalStateException.class, () -> workspace.allocate(1));
    assertThrows(IllegalStateException.class, workspace::reset);
    assertThrows(IllegalStateException.class, () -> workspace.ensureCapacity(1));
    assertThrows(IllegalStateException.class, workspace::segment);
    assertThrows(IllegalStateException.class, workspace::capacity);
    assertThrows(IllegalStateException.class, workspace::used);
    assertThrows(IllegalStateException.class, workspace::highWater);
  }
}
