package io.gatun.graph;

import io.gatun.tensor.DType;
import java.util.List;

/**
 * The first input, if the second, a condition, is what the setting {@code expected} says; an
 * exception otherwise. Beyond ONNX: it stands behind a branch of If that had to be chosen before
 * there were sizes, because the other one gives a value of another number of axes.
 */
final class AssumeOperator implements Operator {
  @Override
  public String type() {
    return "Assume";
  }

  @Override
  public boolean steers(Node node, int input) {
    return input == 1;
  }

  @Override
  public void infer(Inference inference) {
    if (inference.type(1) != DType.BOOL) {
      throw inference.error("the condition is " + inference.type(1).label() + ", expected bool");
    }
    boolean expected = inference.attributes().integer("expected", 1) != 0;
    if (!inference.later(1) && (inference.constant(1).longs()[0] != 0) != expected) {
      throw inference.error(
          "was read for a condition "
              + inference.node().inputs().get(1).name()
              + " that is "
              + expected
              + ", and with these sizes it is not; its other branch gives values of another number"
              + " of axes. Open the model with these sizes");
    }
    inference.output(inference.type(0), inference.dims(0));
  }

  @Override
  public long viewOffset(Inference inference) {
    return 0;
  }

  @Override
  public Compiled compile(Compilation compilation) {
    return new Compiled() {
      @Override
      public List<Value> operands(Node node) {
        return List.of(node.inputs().get(0));
      }

      @Override
      public Step bind(Binding binding) {
        throw new IllegalStateException(binding.node().name() + " is a view and has no step");
      }
    };
  }
}
