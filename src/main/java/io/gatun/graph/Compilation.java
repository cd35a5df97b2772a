package io.gatun.graph;

import io.gatun.kernel.Device;
import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.function.Predicate;

/** What a node needs to prepare itself for a device. */
public final class Compilation {
  private final Node node;
  private final Device device;
  private final WeightFormat format;
  private final Arena scratch;
  private final List<AutoCloseable> owned;
  private final Predicate<Value> wanted;

  Compilation(
      Node node,
      Device device,
      WeightFormat format,
      Arena scratch,
      List<AutoCloseable> owned,
      Predicate<Value> wanted) {
    this.node = node;
    this.device = device;
    this.format = format;
    this.scratch = scratch;
    this.owned = owned;
    this.wanted = wanted;
  }

  /** The node. */
  public Node node() {
    return node;
  }

  /** The node's settings. */
  public Attributes attributes() {
    return node.attributes();
  }

  /** The device. */
  public Device device() {
    return device;
  }

  /** The format that was asked for; {@code null} for the one weights are stored in. */
  WeightFormat format() {
    return format;
  }

  /**
   * The format in which to pack matrices that go together: the one that was asked for, or else
   * bfloat16 where they all are stored so, and float32.
   */
  public WeightFormat format(List<Tensor> matrices) {
    if (format != null) {
      return format;
    }
    return matrices.stream().allMatch(matrix -> matrix.dtype() == DType.BFLOAT16)
        ? WeightFormat.BFLOAT16
        : WeightFormat.FLOAT32;
  }

  /** What to throw where a format cannot hold weights: the same, and whose weights they are. */
  IllegalArgumentException unpackable(IllegalArgumentException e) {
    return e instanceof ShapeException
        ? e
        : new IllegalArgumentException(node.name() + ": " + e.getMessage(), e);
  }

  /** Memory that lasts until the plan is built. */
  public Arena scratch() {
    return scratch;
  }

  /** Whether the input is there. */
  public boolean has(int input) {
    return input < node.inputs().size() && node.inputs().get(input) != null;
  }

  /** An input's content where it is constant, else {@code null}. */
  public Constant constant(int input) {
    return has(input) ? node.inputs().get(input).constant() : null;
  }

  /** A constant input as one tensor; an exception that names it if it is computed. */
  public Constant requireConstant(int input, String what) {
    Constant constant = constant(input);
    if (constant == null) {
      throw new UnsupportedOperationException(
          node.name()
              + ": "
              + what
              + " must be constant, but "
              + (has(input) ? node.inputs().get(input).name() + " is computed" : "is missing"));
    }
    return constant;
  }

  /** A constant input as one tensor, or {@code null}. */
  public Tensor tensor(int input) {
    Constant constant = constant(input);
    return constant == null ? null : constant.tensor(scratch);
  }

  /** Whether somebody uses an output. */
  public boolean wanted(int output) {
    return output < node.outputs().size() && wanted.test(node.outputs().get(output));
  }

  /** Hands something over to the plan, which closes it. */
  public <T extends AutoCloseable> T own(T resource) {
    owned.add(resource);
    return resource;
  }
}
