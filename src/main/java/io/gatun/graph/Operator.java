package io.gatun.graph;

import io.gatun.kernel.Kernels;
import java.util.List;
import java.util.Objects;

/**
 * What a kind of node means. An operator named like one of ONNX' has that operator's meaning, in
 * its newest version; the others are listed in {@link Operators}. Stateless.
 */
public interface Operator {

  /** The name by which nodes ask for it. */
  String type();

  /**
   * Checks the inputs and says what the outputs are. Called when a node is added, with symbolic
   * sizes, and again whenever an execution meets new sizes, with numbers: one rule for both.
   *
   * @throws io.gatun.tensor.ShapeException from {@link Inference#error}
   */
  void infer(Inference inference);

  /**
   * Whether {@link #infer}, {@link #compile} or a step's {@code bind} reads what an input contains:
   * a shape, axes, packed weights. Where it is no constant of the graph, its content is worked out
   * before the node is laid out, and the node is then inferred, compiled and bound with a constant
   * in its place.
   */
  default boolean steers(Node node, int input) {
    return false;
  }

  /** Whether the outputs depend on the sizes of the inputs alone, and not on what they contain. */
  default boolean sizesOnly() {
    return false;
  }

  /** What of its meaning it does not have, for people; empty where it has all of it. */
  default String limits() {
    return "";
  }

  /**
   * Where the first output is just another look at the first input: the offset, in elements, at
   * which it begins there; −1 where it must be computed. Asked with known sizes only.
   */
  default long viewOffset(Inference inference) {
    return -1;
  }

  /** Prepares a node for a device, once per plan: packs its weights. */
  Compiled compile(Compilation compilation);

  /**
   * Says how the gradients of a node's inputs are formed from those of its outputs, by adding nodes
   * to the graph that trains it. The sum of what is given to an input, by this node and by others,
   * is its gradient.
   *
   * @throws UnsupportedOperationException that names the node if the operator has no gradient
   */
  default void differentiate(Differentiation differentiation) {
    throw differentiation.unsupported("; freeze what comes before it");
  }

  /** Puts a node into the graph that trains it; as it is, unless training makes a difference. */
  default void copyForTraining(TrainingCopy copy) {
    copy.asItIs();
  }

  /** A node of one plan, shared by all its executions. */
  interface Compiled {
    /**
     * The inputs that the step reads when it runs. Constants that were packed are not among them
     * and need no memory of their own.
     */
    default List<Value> operands(Node node) {
      return node.inputs().stream().filter(Objects::nonNull).toList();
    }

    /**
     * Sets the node up for one execution and one set of sizes. The regions it is given stay the
     * same objects for as long as the step is used; where they point may change between runs.
     */
    Step bind(Binding binding);
  }

  /** One node, ready to run. */
  interface Step {
    /** Computes the outputs. Allocates nothing. */
    void run(Kernels kernels);
  }
}
