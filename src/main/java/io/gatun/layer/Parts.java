package io.gatun.layer;

import io.gatun.graph.Names;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.Set;

/** Reads the weights of one layer: finds them by name, checks their shapes, misses none. */
final class Parts {
  private final String layer;
  private final Weights weights;
  private final Set<String> known = new LinkedHashSet<>();

  Parts(String layer, Weights weights) {
    if (weights == null) {
      throw new IllegalArgumentException(layer + ": no weights are given");
    }
    this.layer = layer;
    this.weights = weights;
  }

  Convention convention() {
    return weights.convention();
  }

  /** A weight, or {@code null} if it is not there. */
  Tensor optional(String name) {
    known.add(name);
    Tensor tensor = weights.parts().get(name);
    if (tensor != null && !tensor.dtype().isFloat()) {
      throw new ShapeException(
          layer + ": weight " + name + " is " + tensor + ", expected a floating-point type");
    }
    return tensor;
  }

  /** A weight with as many axes. */
  Tensor require(String name, int rank) {
    Tensor tensor = optional(name);
    if (tensor == null) {
      throw new IllegalArgumentException(
          layer
              + ": weight "
              + name
              + " is missing; there are "
              + String.join(", ", weights.parts().keySet())
              + " (convention "
              + convention().label()
              + ")");
    }
    if (tensor.rank() != rank) {
      throw new ShapeException(
          layer + ": weight " + name + " is " + tensor.shape() + ", expected " + rank + " axes");
    }
    return tensor;
  }

  /** Checks a weight's shape, if it is there; {@code meaning} explains the expected one. */
  Tensor expect(String name, Tensor tensor, String meaning, long... dims) {
    if (tensor != null && !Arrays.equals(tensor.shape().dims(), dims)) {
      throw error(name, tensor, Arrays.toString(dims) + " (" + meaning + ")");
    }
    return tensor;
  }

  ShapeException error(String name, Tensor tensor, String expected) {
    return new ShapeException(
        layer + ": weight " + name + " is " + tensor.shape() + ", expected " + expected);
  }

  /** Checks that nothing was given that the layer does not know. */
  void done() {
    for (String name : weights.parts().keySet()) {
      if (!known.contains(name)) {
        throw new IllegalArgumentException(
            layer
                + ": no weight "
                + name
                + " in convention "
                + convention().label()
                + "; "
                + Names.suggest(name, known));
      }
    }
  }

  /**
   * A vector that is the same number everywhere. Its memory is a number long and belongs to the
   * tensor itself, so that no arena needs to outlive it.
   */
  static Tensor filled(DType dtype, double value, long size) {
    ByteBuffer memory = ByteBuffer.allocateDirect(Double.BYTES).order(ByteOrder.nativeOrder());
    Tensor scalar = Tensor.wrap(memory, dtype);
    scalar.setDouble(value);
    return scalar.broadcastTo(size);
  }
}
