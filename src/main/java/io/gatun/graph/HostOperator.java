package io.gatun.graph;

import io.gatun.kernel.Region;
import io.gatun.tensor.ShapeException;
import java.util.ArrayList;
import java.util.List;

/**
 * An operator that is computed on the host in plain loops, whatever the device: its operands are
 * fetched, worked on in float64 or exact integers, and brought back. For operators that are rare in
 * recurrent and convolutional networks, or whose type of numbers is; each run makes a few small
 * objects.
 */
interface HostOperator extends Operator {
  /** Computes the outputs. */
  void compute(Call call);

  @Override
  default Compiled compile(Compilation compilation) {
    return new OnHost(this);
  }

  /** The inputs that are read when it runs: those whose content was not read before. */
  private static boolean isRead(Node node, int input) {
    return node.inputs().get(input) != null && !node.operator().steers(node, input);
  }

  /** A node that is computed on the host. */
  record OnHost(HostOperator operator) implements Compiled {
    @Override
    public List<Value> operands(Node node) {
      List<Value> read = new ArrayList<>();
      for (int i = 0; i < node.inputs().size(); i++) {
        if (isRead(node, i)) {
          read.add(node.inputs().get(i));
        }
      }
      return read;
    }

    @Override
    public Step bind(Binding binding) {
      Node node = binding.node();
      HostArray[] in = new HostArray[node.inputs().size()];
      Region[] from = new Region[in.length];
      for (int i = 0; i < in.length; i++) {
        if (isRead(node, i)) {
          from[i] = binding.input(i);
          in[i] =
              new HostArray(
                  node.inputs().get(i).type(), binding.inputType(i), binding.inputDims(i));
        }
      }
      HostArray[] out = new HostArray[node.outputs().size()];
      Region[] to = new Region[out.length];
      for (int i = 0; i < out.length; i++) {
        to[i] = binding.output(i);
        out[i] =
            new HostArray(
                node.outputs().get(i).type(), binding.outputType(i), binding.outputDims(i));
      }
      Call call = new Call(node, in, out);
      return kernels -> {
        for (int i = 0; i < in.length; i++) {
          if (in[i] != null) {
            in[i].load(kernels, from[i]);
          }
        }
        operator.compute(call);
        for (int i = 0; i < out.length; i++) {
          if (to[i] != null) {
            out[i].store(kernels, to[i]);
          }
        }
      };
    }
  }

  /** One node's operands on the host. */
  record Call(Node node, HostArray[] inputs, HostArray[] outputs) {
    /** The node's settings. */
    Attributes attributes() {
      return node.attributes();
    }

    /** An input; {@code null} where it is left out or was read before. */
    HostArray in(int input) {
      return input < inputs.length ? inputs[input] : null;
    }

    /** An output; {@code null} where the node does not name it. */
    HostArray out(int output) {
      return output < outputs.length ? outputs[output] : null;
    }

    /** An axis counted from the front. */
    int axis(String attribute, long otherwise, int rank) {
      long axis = attributes().integer(attribute, otherwise);
      return (int) (axis < 0 ? axis + rank : axis);
    }

    /** The content of an input that steers; {@code null} where it is left out. */
    Constant constant(int input) {
      Value value = input < node.inputs().size() ? node.inputs().get(input) : null;
      return value == null ? null : value.constant();
    }

    /** Whole numbers from a setting or an input that steers; {@code null} if neither is there. */
    long[] integers(String attribute, int input) {
      if (attributes().has(attribute)) {
        return attributes().integers(attribute);
      }
      Constant constant = constant(input);
      return constant == null ? null : constant.longs();
    }

    /** An exception that names the node. */
    ShapeException error(String message) {
      return new ShapeException(node.name() + ": " + message);
    }
  }
}
