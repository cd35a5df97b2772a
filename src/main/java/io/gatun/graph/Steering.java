package io.gatun.graph;

import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Which values of a network must be known before its steps are laid out: those that an operator
 * reads to decide sizes, or packs, and everything they are computed from. What only the sizes of a
 * value decide (Shape) ends the search: sizes are known.
 */
final class Steering {
  /** A condition that more nodes than this decide is not worked out ahead. */
  private static final int CHEAP_NODES = 256;

  private Steering() {}

  /**
   * The steering values among those that nodes compute or are given; constants are not among them.
   *
   * @param nodes each after those it needs
   */
  static Set<Value> of(List<Node> nodes) {
    Set<Value> steering = new HashSet<>();
    for (int i = nodes.size() - 1; i >= 0; i--) {
      Node node = nodes.get(i);
      boolean needed =
          !node.operator().sizesOnly() && node.outputs().stream().anyMatch(steering::contains);
      for (int input = 0; input < node.inputs().size(); input++) {
        Value value = node.inputs().get(input);
        if (value != null
            && value.constant() == null
            && (needed || node.operator().steers(node, input))) {
          steering.add(value);
        }
      }
    }
    return steering;
  }

  /** Whether a node reads the content of an input that is no constant. */
  static boolean steers(Node node) {
    for (int input = 0; input < node.inputs().size(); input++) {
      Value value = node.inputs().get(input);
      if (value != null && value.constant() == null && node.operator().steers(node, input)) {
        return true;
      }
    }
    return false;
  }

  /**
   * Whether a value hangs on little: on sizes, constants, and inputs that are single whole numbers
   * or short lists of them. Then it is worth working out ahead of a run.
   */
  static boolean isCheap(Value value) {
    Set<Value> seen = new HashSet<>();
    return isCheap(value, seen);
  }

  private static boolean isCheap(Value value, Set<Value> seen) {
    if (value == null || value.constant() != null || !seen.add(value)) {
      return true;
    }
    if (seen.size() > CHEAP_NODES) {
      return false;
    }
    Node producer = value.producer();
    if (producer == null) {
      return !value.type().isFloat() && value.rank() <= 1;
    }
    return producer.operator().sizesOnly()
        || producer.inputs().stream().allMatch(input -> isCheap(input, seen));
  }
}
