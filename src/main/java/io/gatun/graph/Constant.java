package io.gatun.graph;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * A value that is known when the graph is built: a weight. It is one tensor, or several that follow
 * one another in row-major order, so that the gates of a recurrent layer can be put into another
 * order without a copy: each block is a view of wherever its numbers lie.
 *
 * <p>A constant does not own memory: what it views must stay open until the plans made from its
 * graph are built, and longer where a plan uses it in place (then a lease keeps it).
 */
public final class Constant {
  private final Shape shape;
  private final List<Tensor> blocks;

  private Constant(Shape shape, List<Tensor> blocks) {
    this.shape = shape;
    this.blocks = blocks;
  }

  /** One tensor. */
  public static Constant of(Tensor tensor) {
    return new Constant(tensor.shape(), List.of(tensor));
  }

  /**
   * Blocks of one shape and type that together, one behind the other, are a tensor of the given
   * shape.
   *
   * @throws ShapeException if they differ or are not as many elements as the shape
   */
  public static Constant of(Shape shape, List<Tensor> blocks) {
    long elements = 0;
    for (Tensor block : blocks) {
      elements += block.elements();
      if (!block.shape().equals(blocks.get(0).shape()) || block.dtype() != blocks.get(0).dtype()) {
        throw new ShapeException("a constant of blocks " + blocks.get(0) + " and " + block);
      }
    }
    if (blocks.isEmpty() || elements != shape.elements()) {
      throw new ShapeException(
          "a constant of shape " + shape + " from blocks of " + elements + " elements in all");
    }
    return new Constant(shape, List.copyOf(blocks));
  }

  /** The shape of the whole. */
  public Shape shape() {
    return shape;
  }

  /** The storage type. */
  public DType dtype() {
    return blocks.get(0).dtype();
  }

  /** The whole as one tensor: a view if it is one already, else a copy in {@code arena}. */
  public Tensor tensor(Arena arena) {
    if (blocks.size() == 1) {
      Tensor block = blocks.get(0);
      return block.shape().equals(shape) ? block : block.contiguous(arena).reshape(shape.dims());
    }
    Tensor whole = Tensor.allocate(arena, dtype(), shape.dims());
    long[] dims = new long[blocks.get(0).rank() + 1];
    dims[0] = blocks.size();
    System.arraycopy(blocks.get(0).shape().dims(), 0, dims, 1, dims.length - 1);
    Tensor rows = whole.reshape(dims);
    for (int i = 0; i < blocks.size(); i++) {
      rows.select(0, i).copyFrom(blocks.get(i));
    }
    return whole;
  }

  /**
   * The whole as a view of the memory it lies in; empty where its blocks do not lie one behind the
   * other.
   */
  public Optional<Tensor> view() {
    Tensor first = blocks.get(0);
    if (blocks.size() == 1) {
      return first.shape().equals(shape)
          ? Optional.of(first)
          : first.isContiguous() ? Optional.of(first.reshape(shape.dims())) : Optional.empty();
    }
    long at = first.byteOffset();
    for (Tensor block : blocks) {
      boolean follows =
          block.isContiguous()
              && block.baseSegment().equals(first.baseSegment())
              && block.byteOffset() == at;
      if (!follows) {
        return Optional.empty();
      }
      at += block.byteSize();
    }
    return Optional.of(
        Tensor.wrap(
            first.baseSegment().asSlice(first.byteOffset(), bytes()), dtype(), shape.dims()));
  }

  /**
   * The whole cut into consecutive blocks of a shape; no copy where the blocks it was made from
   * have that shape or its tensor can be viewed so.
   *
   * @throws ShapeException if the shape does not divide the whole
   */
  public List<Tensor> blocks(Arena arena, long... blockDims) {
    Shape block = Shape.of(blockDims);
    if (blocks.get(0).shape().equals(block)) {
      return blocks;
    }
    if (block.elements() == 0 || shape.elements() % block.elements() != 0) {
      throw new ShapeException("a constant of shape " + shape + " cannot be cut into " + block);
    }
    Tensor whole = tensor(arena).contiguous(arena);
    long[] dims = new long[blockDims.length + 1];
    dims[0] = shape.elements() / block.elements();
    System.arraycopy(blockDims, 0, dims, 1, blockDims.length);
    Tensor rows = whole.reshape(dims);
    List<Tensor> cut = new ArrayList<>();
    for (long i = 0; i < dims[0]; i++) {
      cut.add(rows.select(0, i));
    }
    return cut;
  }

  /** The number of bytes its elements take. */
  public long bytes() {
    return shape.elements() * dtype().bytes();
  }

  /**
   * The elements as whole numbers, in row-major order: axes, shapes and other small constants that
   * steer an operator.
   */
  public long[] longs() {
    long[] all = new long[Math.toIntExact(shape.elements())];
    int at = 0;
    for (Tensor block : blocks) {
      long[] part = block.toLongs();
      System.arraycopy(part, 0, all, at, part.length);
      at += part.length;
    }
    return all;
  }

  @Override
  public String toString() {
    return dtype().label() + Arrays.toString(shape.dims());
  }
}
