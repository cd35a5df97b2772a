package io.gatun.format;

import io.gatun.graph.Value;

/**
 * A value of a Keras model and the mask that Keras hands on with it.
 *
 * @param value the value, in Keras' order of axes: batch first
 * @param mask float32 {@code [batch, time]}, 1 where a time step counts and 0 where it does not;
 *     {@code null} where all count
 */
record KerasTensor(Value value, Value mask) {
  static KerasTensor of(Value value) {
    return new KerasTensor(value, null);
  }
}
