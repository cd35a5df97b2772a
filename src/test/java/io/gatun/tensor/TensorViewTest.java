package io.gatun.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

class TensorViewTest {
  /** An array with sizes, and the index arithmetic spelled out: what a view must agree with. */
  private record Model(long[] dims, int[] cells) {
    static Model of(long... dims) {
      int[] cells = new int[(int) Shape.of(dims).elements()];
      Arrays.setAll(cells, i -> i);
      return new Model(dims, cells);
    }

    /** The array of the given sizes whose cell at an index is this one's at the mapped index. */
    Model map(long[] newDims, UnaryOperator<long[]> toOld) {
      int[] result = new int[(int) Shape.of(newDims).elements()];
      for (int i = 0; i < result.length; i++) {
        result[i] = cells[position(toOld.apply(index(i, newDims)), dims)];
      }
      return new Model(newDims, result);
    }

    static long[] index(int position, long[] dims) {
      long[] index = new long[dims.length];
      for (int axis = dims.length - 1; axis >= 0; axis--) {
        index[axis] = position % dims[axis];
        position /= (int) dims[axis];
      }
      return index;
    }

    static int position(long[] index, long[] dims) {
      long position = 0;
      for (int axis = 0; axis < dims.length; axis++) {
        position = position * dims[axis] + index[axis];
      }
      return (int) position;
    }
  }

  private static long[] without(long[] values, int at) {
    long[] result = new long[values.length - 1];
    for (int i = 0; i < result.length; i++) {
      result[i] = values[i < at ? i : i + 1];
    }
    return result;
  }

  private static long[] inserted(long[] values, int at, long value) {
    long[] result = new long[values.length + 1];
    for (int i = 0; i < result.length; i++) {
      result[i] = i == at ? value : values[i < at ? i : i - 1];
    }
    return result;
  }

  private static long[] replaced(long[] values, int at, long value) {
    long[] result = values.clone();
    result[at] = value;
    return result;
  }

  private static void assertSameElements(String path, Model model, Tensor tensor) {
    assertArrayEquals(model.dims, tensor.shape().dims(), path);
    assertEquals(model.cells.length, tensor.elements(), path);
    assertArrayEquals(model.cells, tensor.toInts(), path);
    for (int i = 0; i < model.cells.length; i++) {
      assertEquals(model.cells[i], tensor.getLong(Model.index(i, model.dims)), path);
    }
    if (tensor.isContiguous()) {
      MemorySegment segment = tensor.segment();
      assertEquals(tensor.byteSize(), segment.byteSize(), path);
      assertArrayEquals(
          model.cells, Tensor.wrap(segment, tensor.dtype(), tensor.shape().dims()).toInts(), path);
    } else {
      assertThrows(ShapeException.class, tensor::segment);
    }
  }

  @Test
  void chainsOfRandomViewsShowWhatTheIndexArithmeticSays() {
    Random random = Seeds.random("chainsOfRandomViewsShowWhatTheIndexArithmeticSays");
    DType[] types = {DType.INT32, DType.INT64, DType.FLOAT32, DType.FLOAT64};
    for (int round = 0; round < 400; round++) {
      try (Arena arena = Arena.ofConfined()) {
        long[] dims = new long[random.nextInt(5)];
        Arrays.setAll(dims, i -> random.nextInt(12) == 0 ? 0 : 1 + random.nextInt(5));
        Model model = Model.of(dims);
        DType type = types[random.nextInt(types.length)];
        Tensor tensor = Tensor.ofInts(arena, model.cells, dims).to(arena, type);
        String path = tensor.toString();
        for (int step = 0; step < 6; step++) {
          long[] old = model.dims;
          int rank = old.length;
          int axis = rank == 0 ? -1 : random.nextInt(rank);
          int asked = random.nextBoolean() ? axis : axis - rank;
          switch (random.nextInt(9)) {
            case 0 -> {
              if (rank == 0) {
                continue;
              }
              long from = random.nextLong(old[axis] + 1);
              long to = from + random.nextLong(old[axis] - from + 1);
              long stride = random.nextLong(1, 4);
              path += ".slice(" + asked + ", " + from + ", " + to + ", " + stride + ")";
              model =
                  model.map(
                      replaced(old, axis, (to - from + stride - 1) / stride),
                      index -> replaced(index, axis, from + index[axis] * stride));
              tensor = tensor.slice(asked, from, to, stride);
            }
            case 1 -> {
              if (rank == 0 || old[axis] == 0) {
                continue;
              }
              long at = random.nextLong(old[axis]);
              path += ".select(" + asked + ", " + at + ")";
              model = model.map(without(old, axis), index -> inserted(index, axis, at));
              tensor = tensor.select(asked, at);
            }
            case 2 -> {
              List<Integer> order = new ArrayList<>();
              for (int i = 0; i < rank; i++) {
                order.add(i);
              }
              Collections.shuffle(order, random);
              int[] permutation = order.stream().mapToInt(i -> i).toArray();
              path += ".transpose(" + order + ")";
              model =
                  model.map(
                      Arrays.stream(permutation).mapToLong(i -> old[i]).toArray(),
                      index -> {
                        long[] result = new long[rank];
                        for (int i = 0; i < rank; i++) {
                          result[permutation[i]] = index[i];
                        }
                        return result;
                      });
              tensor = tensor.transpose(permutation);
            }
            case 3 -> {
              path += ".transpose()";
              UnaryOperator<long[]> reverse =
                  values -> {
                    long[] result = new long[values.length];
                    Arrays.setAll(result, i -> values[values.length - 1 - i]);
                    return result;
                  };
              model = model.map(reverse.apply(old), reverse);
              tensor = tensor.transpose();
            }
            case 4 -> {
              int at = random.nextInt(rank + 1);
              path += ".unsqueeze(" + at + ")";
              model = model.map(inserted(old, at, 1), index -> without(index, at));
              tensor = tensor.unsqueeze(random.nextBoolean() ? at : at - rank - 1);
            }
            case 5 -> {
              if (rank == 0 || old[axis] != 1) {
                continue;
              }
              path += ".squeeze(" + asked + ")";
              model = model.map(without(old, axis), index -> inserted(index, axis, 0));
              tensor = tensor.squeeze(asked);
            }
            case 6 -> {
              if (rank == 0) {
                continue;
              }
              path += ".flip(" + asked + ")";
              model = model.map(old, index -> replaced(index, axis, old[axis] - 1 - index[axis]));
              tensor = tensor.flip(asked);
            }
            case 7 -> {
              long[] wider = inserted(old, 0, random.nextInt(3));
              for (int i = 1; i < wider.length; i++) {
                wider[i] = wider[i] == 1 ? random.nextInt(4) : wider[i];
              }
              path += ".broadcastTo(" + Arrays.toString(wider) + ")";
              model =
                  model.map(
                      wider,
                      index -> {
                        long[] result = without(index, 0);
                        for (int i = 0; i < rank; i++) {
                          result[i] = old[i] == 1 ? 0 : result[i];
                        }
                        return result;
                      });
              tensor = tensor.broadcastTo(wider);
            }
            default -> {
              path += ".contiguous().reshape(-1, …)";
              Tensor dense = tensor.contiguous(arena);
              if (rank == 0 || model.cells.length == 0) {
                continue;
              }
              long[] folded = {-1, old[axis]};
              model =
                  new Model(new long[] {model.cells.length / old[axis], old[axis]}, model.cells);
              tensor = dense.reshape(folded);
            }
          }
          assertSameElements(path, model, tensor);
        }
      }
    }
  }

  @Test
  void writingThroughAViewChangesWhatItViews() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor x = Tensor.allocate(arena, DType.FLOAT32, 3, 4);
      x.transpose().select(0, 2).flip(0).slice(0, 0, 2).setFloat(5, 1);
      assertEquals(5, x.getFloat(1, 2));
      x.slice(1, 1, 4, 2).fill(7);
      assertArrayEquals(new int[] {0, 7, 0, 7, 0, 7, 5, 7, 0, 7, 0, 7}, replacedFive(x));
    }
  }

  private static int[] replacedFive(Tensor x) {
    x.setFloat(5, 1, 2);
    return x.toInts();
  }

  @Test
  void aViewThatChangesNothingIsContiguousAndSharesTheSegment() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor x = Tensor.allocate(arena, DType.FLOAT32, 2, 3);
      assertSame(x, x.broadcastTo(2, 3));
      assertSame(x, x.contiguous(arena));
      assertSame(x, x.to(arena, DType.FLOAT32));
      assertTrue(x.slice(0, 1, 2).isContiguous());
      assertTrue(x.slice(1, 1, 2).slice(0, 1, 2).isContiguous());
      assertTrue(x.unsqueeze(1).transpose(1, 0, 2).isContiguous());
      assertFalse(x.transpose().isContiguous());
      assertFalse(x.flip(1).isContiguous());
      assertFalse(x.broadcastTo(2, 2, 3).isContiguous());
      assertEquals(12, x.slice(0, 1, 2).segment().byteSize());
      assertEquals(x.segment().address() + 12, x.slice(0, 1, 2).segment().address());
      assertEquals(12, x.slice(0, 1, 2).byteOffset());
      assertEquals(x.segment().address(), x.slice(0, 1, 2).baseSegment().address());
    }
  }

  @Test
  void emptyTensorsHaveAnAddressAndNoElements() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor x = Tensor.allocate(arena, DType.FLOAT32, 0, 3);
      assertTrue(x.segment().address() != 0);
      assertEquals(0, x.segment().byteSize());
      assertEquals(0, x.elements());
      assertEquals(0, x.toFloats().length);
      assertEquals(0, x.toDoubles().length);
      assertArrayEquals(new long[] {3, 0}, x.transpose().shape().dims());
      assertEquals(0, x.select(1, 2).segment().byteSize());
      assertEquals(0, x.fill(1).flip(0).copy(arena).elements());
      assertArrayEquals(new long[] {0, 5}, x.reshape(-1, 5).shape().dims());
      assertThrows(ShapeException.class, () -> x.reshape(-1, 0));
      assertThrows(ShapeException.class, () -> x.reshape(1));
    }
  }

  @Test
  void reshapeFillsInTheOpenSizeAndRefusesWhatDoesNotFit() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor x = Tensor.allocate(arena, DType.FLOAT32, 2, 6);
      assertEquals(Shape.of(3, 4), x.reshape(3, -1).shape());
      assertEquals(Shape.of(12), x.reshape(-1).shape());
      assertEquals(Shape.SCALAR, x.slice(0, 0, 1).slice(1, 0, 1).reshape().shape());
      ShapeException count = assertThrows(ShapeException.class, () -> x.reshape(5, -1));
      assertEquals("float32[2, 6]: cannot reshape 12 elements to [5, -1]", count.getMessage());
      assertThrows(ShapeException.class, () -> x.reshape(3, 5));
      assertThrows(ShapeException.class, () -> x.reshape(-1, -1));
      assertThrows(ShapeException.class, () -> x.reshape(-2, 6));
      assertThrows(ShapeException.class, () -> x.reshape(Long.MAX_VALUE, 2));
      ShapeException strided = assertThrows(ShapeException.class, () -> x.transpose().reshape(12));
      assertTrue(strided.getMessage().contains("call contiguous(arena) first"), strided::toString);
    }
  }

  @Test
  void viewsThatDoNotFitAreRefusedByName() {
    try (Arena arena = Arena.ofConfined()) {
      Tensor x = Tensor.allocate(arena, DType.FLOAT32, 2, 3);
      assertThrows(IndexOutOfBoundsException.class, () -> x.slice(0, -1, 1));
      assertThrows(IndexOutOfBoundsException.class, () -> x.slice(0, 0, 3));
      assertThrows(IndexOutOfBoundsException.class, () -> x.slice(0, 2, 1));
      assertThrows(IllegalArgumentException.class, () -> x.slice(0, 0, 1, 0));
      assertThrows(IllegalArgumentException.class, () -> x.slice(0, 0, 1, -1));
      assertEquals(1, x.slice(1, 1, 3, Long.MAX_VALUE).dim(1));
      IndexOutOfBoundsException select =
          assertThrows(IndexOutOfBoundsException.class, () -> x.select(1, 3));
      assertEquals("float32[2, 3]: index 3 is not within axis 1 of size 3", select.getMessage());
      assertThrows(IndexOutOfBoundsException.class, () -> x.select(1, -1));
      assertThrows(ShapeException.class, () -> x.slice(2, 0, 1));
      assertThrows(ShapeException.class, () -> x.transpose(0));
      assertThrows(ShapeException.class, () -> x.transpose(0, 0));
      assertThrows(ShapeException.class, () -> x.transpose(0, 2));
      assertThrows(ShapeException.class, () -> x.squeeze(0));
      assertThrows(ShapeException.class, () -> x.unsqueeze(3));
      assertThrows(ShapeException.class, () -> x.unsqueeze(-4));
      assertThrows(ShapeException.class, () -> x.broadcastTo(3));
      assertThrows(ShapeException.class, () -> x.broadcastTo(4, 3));
      assertThrows(ShapeException.class, () -> x.broadcastTo(1L << 58, 2, 3));
    }
  }
}
