package io.gatun.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ShapeTest {
  @Test
  void aShapeKnowsItsSizesAndElements() {
    Shape shape = Shape.of(2, 3, 4);
    assertEquals(3, shape.rank());
    assertEquals(24, shape.elements());
    assertEquals(2, shape.dim(0));
    assertEquals(4, shape.dim(-1));
    assertEquals(2, shape.dim(-3));
    assertArrayEquals(new long[] {12, 4, 1}, shape.contiguousStrides());
    assertEquals("[2, 3, 4]", shape.toString());
    assertEquals(Shape.of(2, 5, 4), shape.with(-2, 5));
  }

  @Test
  void aScalarHasRankZeroAndOneElement() {
    assertEquals(Shape.SCALAR, Shape.of());
    assertEquals(0, Shape.SCALAR.rank());
    assertEquals(1, Shape.SCALAR.elements());
    assertEquals("[]", Shape.SCALAR.toString());
  }

  @Test
  void shapesWithEqualSizesAreEqual() {
    assertEquals(Shape.of(2, 3), Shape.of(2, 3));
    assertEquals(Shape.of(2, 3).hashCode(), Shape.of(2, 3).hashCode());
    assertNotEquals(Shape.of(2, 3), Shape.of(3, 2));
    assertNotEquals(Shape.of(2, 3), Shape.of(2, 3, 1));
  }

  @Test
  void aShapeIsNotChangedThroughTheArraysItTookOrGave() {
    long[] given = {2, 3};
    Shape shape = Shape.of(given);
    given[0] = 7;
    shape.dims()[1] = 7;
    shape.contiguousStrides()[0] = 7;
    assertEquals(Shape.of(2, 3), shape);
  }

  @Test
  void aNegativeSizeIsRefusedByNameAndAxis() {
    ShapeException e = assertThrows(ShapeException.class, () -> Shape.of(2, -3));
    assertEquals("shape [2, -3]: size -3 at axis 1 is negative", e.getMessage());
    assertThrows(ShapeException.class, () -> Shape.of(Long.MIN_VALUE));
    assertThrows(ShapeException.class, () -> Shape.of(2, 3).with(0, -1));
  }

  @Test
  void aShapeThatCannotBeCountedInBytesIsRefused() {
    assertEquals(1L << 59, Shape.of(1L << 59).elements());
    for (long[] dims :
        new long[][] {
          {Long.MAX_VALUE},
          {1L << 60},
          {1L << 32, 1L << 32},
          {3037000500L, 3037000500L},
          {1L << 21, 1L << 21, 1L << 22},
          {0, 1L << 40, 1L << 40},
        }) {
      ShapeException e = assertThrows(ShapeException.class, () -> Shape.of(dims));
      assertTrue(e.getMessage().contains("too large"), e.getMessage());
    }
  }

  @Test
  void aSizeOfZeroMakesAnEmptyShape() {
    assertEquals(0, Shape.of(3, 0, 5).elements());
    assertArrayEquals(new long[] {5, 5, 1}, Shape.of(3, 0, 5).contiguousStrides());
  }

  @Test
  void anAxisThatIsNotThereIsRefused() {
    for (int axis : new int[] {2, -3, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
      ShapeException e = assertThrows(ShapeException.class, () -> Shape.of(2, 3).dim(axis));
      assertEquals("shape [2, 3] has no axis " + axis + ": its rank is 2", e.getMessage());
    }
  }

  @Test
  void broadcastingStretchesSizesOfOne() {
    assertEquals(Shape.of(4, 2, 3), Shape.broadcast(Shape.of(2, 1), Shape.of(4, 1, 3)));
    assertEquals(Shape.of(2, 3), Shape.broadcast(Shape.SCALAR, Shape.of(2, 3)));
    assertEquals(Shape.of(0, 3), Shape.broadcast(Shape.of(1, 3), Shape.of(0, 1)));
    assertThrows(ShapeException.class, () -> Shape.broadcast(Shape.of(2), Shape.of(3)));
    assertThrows(ShapeException.class, () -> Shape.broadcast(Shape.of(2), Shape.of(0)));
  }

  @Test
  void aTypeIsFoundByItsLabelAndAnUnknownOneListsThoseThereAre() {
    for (DType type : DType.values()) {
      assertEquals(type, DType.of(type.label()));
    }
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> DType.of("float8"));
    assertEquals(
        "unknown dtype 'float8', expected one of float32, float64, float16, bfloat16, int8,"
            + " uint8, int16, uint16, int32, uint32, int64, uint64, bool",
        e.getMessage());
  }
}
