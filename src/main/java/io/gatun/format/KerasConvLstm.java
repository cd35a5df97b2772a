package io.gatun.format;

import io.gatun.graph.Attributes;
import io.gatun.graph.Dim;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.layer.Convention;
import io.gatun.layer.Convolution;
import io.gatun.layer.Weights;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * ConvLSTM1D, 2D and 3D: an LSTM whose products are convolutions, so that its states have places as
 * its input has (Shi et al. 2015, without the peepholes, as Keras has it):
 *
 * <pre>
 * i, f, g, o = split(Wx ∗ x(t) + b + Wh ∗ h(t−1))
 * c(t) = σ(f) c(t−1) + σ(i) tanh(g)
 * h(t) = σ(o) tanh(c(t))
 * </pre>
 *
 * <p>The convolution of the input has the layer's strides, padding and dilation; that of the state
 * has none of them and keeps its size. The layer is a Scan over time steps, whose graph is one step
 * with the channels in front of the places, whichever order the model has.
 */
final class KerasConvLstm {
  private static final List<String> GATES = List.of("input", "forget", "candidate", "output");
  private static final int CANDIDATE = 2;

  private final KerasGraph to;

  KerasConvLstm(KerasGraph to) {
    this.to = to;
  }

  /**
   * What a layer made, in the model's order of axes.
   *
   * @param sequence the hidden states of all time steps
   * @param hidden the last hidden state
   * @param cell the last cell state
   */
  record Made(Value sequence, Value hidden, Value cell) {}

  /** The number of axes that a layer of a class convolves; 0 if it is none of these. */
  static int axes(String className) {
    return switch (className) {
      case "ConvLSTM1D" -> 1;
      case "ConvLSTM2D" -> 2;
      case "ConvLSTM3D" -> 3;
      default -> 0;
    };
  }

  /**
   * Adds a layer.
   *
   * @param initial the state before the first step, hidden and cell; empty for zeros
   * @param fromEnd whether it goes from the last time step to the first
   * @param inPlace whether the output of a step stands at that step, also from the end; otherwise
   *     outputs stand in the order in which they are made
   */
  Made add(KerasCall call, List<Value> initial, boolean fromEnd, boolean inPlace) {
    int axes = axes(call.className());
    String name = call.name();
    Value input = call.inputs().get(0).value();
    if (input.rank() != axes + 3) {
      throw call.error("works on " + input + ", expected " + (axes + 3) + " axes");
    }
    if (call.mask() != null) {
      throw call.unsupported("a mask");
    }
    boolean channelsFirst =
        call.config().string("data_format", "channels_last").equals("channels_first");
    // [time, batch, channels, places…], so that a step is a piece of it
    Value steps = to.transpose(name + ".steps", input, stepsFirst(axes, channelsFirst));
    Step step = new Step(call, axes, steps);
    List<Value> states = new ArrayList<>();
    if (initial.isEmpty()) {
      Value zeros = step.zeros(steps);
      states.add(zeros);
      states.add(zeros);
    } else {
      for (int i = 0; i < initial.size(); i++) {
        states.add(channelsToFront(name + ".initial." + i, initial.get(i), channelsFirst));
      }
    }
    long reversed = fromEnd ? 1 : 0;
    List<Value> made =
        to.graph()
            .node(
                name + ".scan",
                "Scan",
                Attributes.of(
                    "body",
                    step.graph(),
                    "captures of body",
                    new long[0],
                    "num_scan_inputs",
                    1,
                    "scan_input_directions",
                    new long[] {reversed},
                    "scan_output_directions",
                    new long[] {inPlace ? reversed : 0}),
                List.of(states.get(0), states.get(1), steps),
                List.of(name + ".scan.hidden", name + ".scan.cell", name + ".scan.sequence"));
    return new Made(
        to.transpose(name + ".sequence", made.get(2), inverse(stepsFirst(axes, channelsFirst))),
        channelsBack(name + ".hidden", made.get(0), channelsFirst),
        channelsBack(name + ".cell", made.get(1), channelsFirst));
  }

  private static int[] stepsFirst(int axes, boolean channelsFirst) {
    int[] order = new int[axes + 3];
    order[0] = 1;
    order[2] = channelsFirst ? 2 : axes + 2;
    for (int axis = 0; axis < axes; axis++) {
      order[axis + 3] = channelsFirst ? axis + 3 : axis + 2;
    }
    return order;
  }

  private static int[] toFront(int rank) {
    int[] order = new int[rank];
    order[1] = rank - 1;
    for (int axis = 2; axis < rank; axis++) {
      order[axis] = axis - 1;
    }
    return order;
  }

  private static int[] inverse(int[] order) {
    int[] inverse = new int[order.length];
    for (int axis = 0; axis < order.length; axis++) {
      inverse[order[axis]] = axis;
    }
    return inverse;
  }

  private Value channelsToFront(String name, Value state, boolean already) {
    return already ? state : to.transpose(name, state, toFront(state.rank()));
  }

  private Value channelsBack(String name, Value state, boolean stay) {
    return stay ? to.alias(name, state) : to.transpose(name, state, inverse(toFront(state.rank())));
  }

  /** One time step: from {@code [batch, channels, places…]} and two states to two states. */
  private final class Step {
    private final KerasCall call;
    private final int axes;
    private final Tensor kernel;
    private final long filters;
    private final Convolution ofInput;
    private final Convolution ofState;
    private final List<Object> states;
    private final List<Dim> input;

    Step(KerasCall call, int axes, Value steps) {
      this.call = call;
      this.axes = axes;
      this.kernel = kernel("kernel");
      this.filters = call.config().require("filters").integer(1);
      this.ofInput = ofInput();
      this.ofState =
          Convolution.builder("of_state")
              .weights(Weights.of(Convention.KERAS, Map.of("kernel", kernel("recurrent_kernel"))))
              .same()
              .build();
      long channels = GATES.size() * filters;
      if (ofInput.outputSize() != channels || ofState.outputSize() != channels) {
        throw call.error(
            "has kernels for "
                + ofInput.outputSize()
                + " and "
                + ofState.outputSize()
                + " channels, expected "
                + channels
                + " (4 gates × filters "
                + filters
                + ")");
      }
      this.input = steps.dims().subList(1, steps.rank());
      // How large the states are, is what the convolution of the input makes of it.
      Graph.Builder trial = Graph.builder(call.name());
      Value convolved = ofInput.apply(trial, trial.input("x", steps.type(), input.toArray()));
      this.states = new ArrayList<>(convolved.dims());
      states.set(1, filters);
    }

    private Tensor kernel(String part) {
      Tensor tensor = to.weight(call, part);
      if (tensor.rank() != axes + 2) {
        throw call.error("has a " + part + " of shape " + tensor.shape());
      }
      return tensor;
    }

    private Convolution ofInput() {
      Map<String, Tensor> parts = new LinkedHashMap<>();
      parts.put("kernel", kernel);
      if (call.config().bool("use_bias", true)) {
        parts.put("bias", to.weight(call, "bias"));
      }
      Convolution.Builder builder =
          Convolution.builder("of_input")
              .weights(Weights.of(Convention.KERAS, parts))
              .strides(KerasGraph.each(call.config(), "strides", axes, 1, 1))
              .dilations(KerasGraph.each(call.config(), "dilation_rate", axes, 1, 1));
      String padding = call.config().string("padding", "valid");
      switch (padding) {
        case "valid" -> {}
        case "same" -> builder.same();
        default -> throw call.unsupported("the padding " + Json.quoted(padding));
      }
      return builder.build();
    }

    /** A state of zeros for as many sequences, and places, as there are. */
    Value zeros(Value steps) {
      String name = call.name();
      List<Value> sizes = new ArrayList<>();
      for (int axis = 0; axis < states.size(); axis++) {
        Dim dim = Dim.from(states.get(axis));
        String size = name + ".size." + axis;
        if (dim.isKnown()) {
          sizes.add(to.graph().integers(size, dim.size()));
        } else if (dim.equals(input.get(axis))) {
          Attributes one = Attributes.of("start", axis + 1, "end", axis + 2);
          sizes.add(to.node(size, "Shape", one, steps));
        } else {
          throw call.error("needs to know the places of its input " + call.inputs().get(0).value());
        }
      }
      Value zero = to.constant(name + ".zero", new float[1], 1);
      return to.node(name + ".zeros", "Expand", zero, to.concat(name + ".sizes", 0, sizes));
    }

    /** The name of a function of each number by itself. */
    private String function(String key, String otherwise) {
      String name = KerasActivations.name(call.config(), key, otherwise);
      if (name.endsWith("softmax")) {
        throw call.unsupported("the " + key + " " + Json.quoted(name));
      }
      return name;
    }

    Graph graph() {
      Graph.Builder builder = Graph.builder(call.name() + ".step");
      KerasGraph body =
          new KerasGraph(
              builder, to.tensors(), to.used(), to.arena(), to.major(), to.repeatsMasked());
      KerasActivations activations = new KerasActivations(body);
      Object[] dims = states.toArray();
      Value hidden = builder.input("hidden", call.inputs().get(0).value().type(), dims);
      Value cell = builder.input("cell", hidden.type(), dims);
      Value x = builder.input("x", hidden.type(), input.toArray());
      Value sum =
          body.node("gates", "Add", ofInput.apply(builder, x), ofState.apply(builder, hidden));
      String gate = function("recurrent_activation", to.major() >= 3 ? "sigmoid" : "hard_sigmoid");
      String function = function("activation", "tanh");
      List<Value> gates = new ArrayList<>();
      for (int i = 0; i < GATES.size(); i++) {
        String part = "gate." + GATES.get(i);
        Value own = body.slice(part + ".linear", sum, 1, i * filters, (i + 1) * filters);
        gates.add(activations.apply(call, i == CANDIDATE ? function : gate, part, own));
      }
      Value kept = body.node("kept", "Mul", gates.get(1), cell);
      Value added = body.node("added", "Mul", gates.get(0), gates.get(2));
      Value nextCell = body.node("next_cell", "Add", kept, added);
      Value shown = activations.apply(call, function, "shown", nextCell);
      Value nextHidden = body.node("next_hidden", "Mul", gates.get(3), shown);
      builder.output(nextHidden).output(nextCell).output(body.alias("made", nextHidden));
      return builder.build();
    }
  }
}
