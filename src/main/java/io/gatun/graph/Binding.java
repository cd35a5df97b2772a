package io.gatun.graph;

import io.gatun.kernel.Region;
import io.gatun.tensor.DType;

/** A node's operands in one execution, for one set of sizes. */
public interface Binding {

  /** The node. */
  Node node();

  /** Whether the input is there. */
  boolean has(int input);

  /** Where an input lies. */
  Region input(int input);

  /** Where an output lies; {@code null} if nobody uses it. */
  Region output(int output);

  /** An input's sizes. */
  long[] inputDims(int input);

  /** An output's sizes. */
  long[] outputDims(int output);

  /** The type an input's elements have on the device. */
  DType inputType(int input);

  /** The type an output's elements have on the device. */
  DType outputType(int output);

  /** Memory for this node alone, while it runs. */
  Region scratch(long bytes);
}
