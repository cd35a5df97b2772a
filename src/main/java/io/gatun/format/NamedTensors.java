package io.gatun.format;

import io.gatun.tensor.Tensor;
import java.util.Set;

/** Tensors that are found by name: a file of them, or those that training changes. */
interface NamedTensors {
  /** The names, in order. */
  Set<String> names();

  /**
   * The tensor of a name.
   *
   * @throws IllegalArgumentException if there is none
   */
  Tensor tensor(String name);
}
