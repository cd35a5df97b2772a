package io.gatun.format;

import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.layer.Convention;
import io.gatun.layer.Gru;
import io.gatun.layer.Lstm;
import io.gatun.layer.Recurrent;
import io.gatun.layer.SimpleRnn;
import io.gatun.layer.Weights;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Keras' recurrent layers. They work on {@code [batch, time, features]}.
 *
 * <p>A time step that is masked leaves the state as it is, wherever it stands. So with a mask each
 * sequence is first moved together, what is masked behind what is not; the layer runs with lengths,
 * and its outputs are put back: at a masked step the output of the step before it, which is what
 * Keras says there.
 */
final class KerasRecurrent {
  private static final int GRU_GATES = 3;
  private static final int LSTM_GATES = 4;

  private final KerasGraph to;
  private final KerasActivations activations;
  private final KerasConvLstm convolutional;

  KerasRecurrent(KerasGraph to, KerasActivations activations) {
    this.to = to;
    this.activations = activations;
    this.convolutional = new KerasConvLstm(to);
  }

  /**
   * What a layer made.
   *
   * @param output the sequence, or the last output
   * @param states the last states: of an LSTM the hidden and the cell state
   * @param mask the mask of the output
   */
  private record Made(Value output, List<Value> states, Value mask) {
    /** Keras hands the mask on as it came, if all outputs are returned. */
    Made finished(KerasCall call, boolean sequences) {
      return new Made(output, states, sequences ? call.mask() : null);
    }

    List<KerasTensor> tensors(boolean withStates) {
      List<KerasTensor> all = new ArrayList<>();
      all.add(new KerasTensor(output, mask));
      if (withStates) {
        states.forEach(state -> all.add(KerasTensor.of(state)));
      }
      return all;
    }
  }

  /** How one layer goes through its sequence. */
  private enum Way {
    FORWARD,
    /** As a half of two directions. */
    FIRST_DIRECTION,
    /** From the end to the start, outputs in the order in which they are made. */
    BACKWARD,
    /** From the end to the start, each output at the step it belongs to. */
    SECOND_DIRECTION
  }

  /** SimpleRNN, LSTM, GRU and their cuDNN forms, ConvLSTM. */
  List<KerasTensor> layer(KerasCall call) {
    boolean backward = call.config().bool("go_backwards", false);
    return one(masked(call), states(call), backward ? Way.BACKWARD : Way.FORWARD)
        .tensors(call.config().bool("return_state", false));
  }

  /** A loop around a cell or a stack of cells. */
  List<KerasTensor> loop(KerasCall call) {
    Json cell = call.config().require("cell");
    boolean stacked = KerasJson.className(cell).equals("StackedRNNCells");
    List<Json> cells = stacked ? KerasJson.config(cell).require("cells").items() : List.of(cell);
    Way way = call.config().bool("go_backwards", false) ? Way.BACKWARD : Way.FORWARD;
    boolean sequences = call.config().bool("return_sequences", false);
    List<Value> initial = states(call);
    List<Value> last = new ArrayList<>();
    KerasCall first = masked(call);
    KerasCall on = first;
    Made made = null;
    for (int i = 0; i < cells.size(); i++) {
      boolean top = i == cells.size() - 1;
      String suffix = stacked ? ".cells." + i : "";
      KerasCall each =
          on.with(cells.get(i), call.name() + (top ? "" : suffix), call.weights() + suffix);
      int count = stateCount(each);
      List<Value> own =
          initial.isEmpty() ? List.of() : initial.subList(0, Math.min(count, initial.size()));
      initial = initial.subList(own.size(), initial.size());
      // Only the lowest cell walks backward: those above it see its outputs in that order.
      made = cell(each, own, i == 0 ? way : Way.FORWARD, !top || sequences);
      last.addAll(made.states());
      on = call.on(List.of(new KerasTensor(made.output(), made.mask())));
    }
    if (made == null) {
      throw call.error("has no cells");
    }
    return new Made(made.output(), last, null)
        .finished(first, sequences)
        .tensors(call.config().bool("return_state", false));
  }

  /** Two layers, one from the start and one from the end. */
  List<KerasTensor> bidirectional(KerasCall call) {
    Json inner = call.config().require("layer");
    Json second = call.config().find("backward_layer").orElse(inner);
    List<Value> initial = states(call);
    int half = initial.size() / 2;
    KerasCall both = masked(call);
    KerasCall forwardCall = both.with(inner, call.name() + ".forward", call.weights() + ".forward");
    KerasCall backwardCall =
        both.with(second, call.name() + ".backward", call.weights() + ".backward");
    for (KerasCall each : List.of(forwardCall, backwardCall)) {
      if (!isRecurrent(each.className())) {
        throw call.unsupported("two directions of a " + each.className());
      }
    }
    if (forwardCall.config().bool("go_backwards", false)) {
      throw call.unsupported("a first direction that goes backwards");
    }
    Made forward = one(forwardCall, initial.subList(0, half), Way.FIRST_DIRECTION);
    Made backward = one(backwardCall, initial.subList(half, initial.size()), Way.SECOND_DIRECTION);
    List<KerasTensor> outputs = new ArrayList<>();
    String mode =
        call.config().isNull("merge_mode") ? "" : call.config().string("merge_mode", "concat");
    if (mode.isEmpty()) {
      outputs.add(new KerasTensor(forward.output(), forward.mask()));
      outputs.add(new KerasTensor(backward.output(), forward.mask()));
    } else {
      outputs.add(
          new KerasTensor(merge(call, mode, forward.output(), backward.output()), forward.mask()));
    }
    if (forwardCall.config().bool("return_state", false)) {
      forward.states().forEach(state -> outputs.add(KerasTensor.of(state)));
      backward.states().forEach(state -> outputs.add(KerasTensor.of(state)));
    }
    return outputs;
  }

  private Value merge(KerasCall call, String mode, Value forward, Value backward) {
    String name = call.name();
    return switch (mode) {
      case "concat" -> to.concat(name, -1, List.of(forward, backward));
      case "sum" -> to.node(name, "Add", forward, backward);
      case "mul" -> to.node(name, "Mul", forward, backward);
      case "ave" -> {
        Value sum = to.node(name + ".sum", "Add", forward, backward);
        yield to.node(name, "Mul", sum, to.number(name + ".half", 0.5));
      }
      default -> throw call.unsupported("the merge_mode " + Json.quoted(mode));
    };
  }

  static boolean isRecurrent(String className) {
    return switch (className) {
      case "SimpleRNN", "LSTM", "GRU", "CuDNNLSTM", "CuDNNGRU" -> true;
      default -> KerasConvLstm.axes(className) > 0;
    };
  }

  /** The initial states of a call: given by name, or behind the sequence. */
  private static List<Value> states(KerasCall call) {
    List<KerasTensor> given =
        call.named().getOrDefault("initial_state", call.inputs().subList(1, call.inputs().size()));
    if (call.config().integer("num_constants", 0, 0) > 0) {
      throw call.unsupported("constants");
    }
    return given.stream().map(KerasTensor::value).toList();
  }

  /** The call with the mask that is given by name in place of that of its input. */
  private KerasCall masked(KerasCall call) {
    List<KerasTensor> given = call.named().getOrDefault("mask", List.of());
    if (given.isEmpty()) {
      return call;
    }
    List<KerasTensor> inputs = new ArrayList<>(call.inputs());
    Value mask = new KerasMasks(to).real(call, given.get(0).value());
    inputs.set(0, new KerasTensor(inputs.get(0).value(), mask));
    return call.on(inputs);
  }

  private Made one(KerasCall call, List<Value> initial, Way way) {
    if (call.config().bool("time_major", false)) {
      throw call.unsupported("time_major");
    }
    boolean sequences = call.config().bool("return_sequences", false);
    return cell(call, initial, way, sequences).finished(call, sequences);
  }

  private static int stateCount(KerasCall call) {
    return call.className().contains("LSTM") ? 2 : 1;
  }

  private Made cell(KerasCall call, List<Value> initial, Way way, boolean sequences) {
    if (!initial.isEmpty() && initial.size() != stateCount(call)) {
      throw call.error("begins with " + initial.size() + " states, expected " + stateCount(call));
    }
    if (KerasConvLstm.axes(call.className()) > 0) {
      return convolutional(call, initial, way, sequences);
    }
    Value mask = call.mask();
    Recurrent.Builder<?> builder =
        builder(call, mask == null ? call.name() : call.name() + ".loop");
    builder.batchFirst();
    if (way == Way.SECOND_DIRECTION) {
      builder.reversed();
    }
    Value input = call.inputs().get(0).value();
    if (input.rank() != 3) {
      throw call.error("works on " + input + ", expected [batch, time, features]");
    }
    Recurrent.State state =
        initial.isEmpty()
            ? null
            : new Recurrent.State(initial.get(0), initial.size() > 1 ? initial.get(1) : null);
    if (mask != null) {
      KerasMasks.Moved moved = new KerasMasks(to).moved(call, input, mask, way == Way.BACKWARD);
      return cell(call, builder, moved, state, way, sequences);
    }
    if (way == Way.BACKWARD) {
      builder.goBackwards();
    }
    builder.returnSequences(sequences);
    Recurrent.Result result = unroll(call, builder, input, null, state);
    return new Made(result.value(), ends(result), null);
  }

  private Made convolutional(KerasCall call, List<Value> initial, Way way, boolean sequences) {
    boolean fromEnd = way == Way.BACKWARD || way == Way.SECOND_DIRECTION;
    KerasConvLstm.Made made =
        convolutional.add(call, initial, fromEnd, way == Way.SECOND_DIRECTION);
    Value output = sequences ? made.sequence() : made.hidden();
    return new Made(to.alias(call.name(), output), List.of(made.hidden(), made.cell()), null);
  }

  /** Goes through sequences that were moved together, and puts the outputs back. */
  private Made cell(
      KerasCall call,
      Recurrent.Builder<?> builder,
      KerasMasks.Moved moved,
      Recurrent.State state,
      Way way,
      boolean sequences) {
    Recurrent.Result result = unroll(call, builder, moved.sequence(), moved.lengths(), state);
    List<Value> ends = new ArrayList<>();
    ends.add(to.alias(call.name() + ".hidden", result.hidden()));
    if (result.cell() != null) {
      ends.add(to.alias(call.name() + ".cell", result.cell()));
    }
    if (!sequences) {
      return new Made(to.alias(call.name(), result.hidden()), ends, null);
    }
    boolean half = way == Way.FIRST_DIRECTION || way == Way.SECOND_DIRECTION;
    KerasMasks.Gaps gaps =
        half && !to.repeatsMasked()
            ? KerasMasks.Gaps.ZERO
            : way == Way.SECOND_DIRECTION ? KerasMasks.Gaps.NEXT : KerasMasks.Gaps.PREVIOUS;
    return new Made(moved.back(call.name(), result.output(), gaps), ends, moved.mask());
  }

  private static List<Value> ends(Recurrent.Result result) {
    return result.cell() == null
        ? List.of(result.hidden())
        : List.of(result.hidden(), result.cell());
  }

  private Recurrent.Result unroll(
      KerasCall call,
      Recurrent.Builder<?> builder,
      Value input,
      Value lengths,
      Recurrent.State state) {
    try {
      Recurrent layer =
          builder instanceof Lstm.Builder lstm
              ? lstm.build()
              : builder instanceof Gru.Builder gru
                  ? gru.build()
                  : ((SimpleRnn.Builder) builder).build();
      return layer.unroll(to.graph(), input, lengths, state);
    } catch (IllegalArgumentException e) {
      throw call.layer().error("is not possible: " + e.getMessage(), e);
    }
  }

  private Recurrent.Builder<?> builder(KerasCall call, String name) {
    Map<String, Tensor> parts = to.parts(call.weights());
    String type = call.className();
    Recurrent.Builder<?> builder =
        switch (type) {
          case "SimpleRNN", "SimpleRNNCell" ->
              SimpleRnn.builder(name).activation(activations.required(call, "activation", "tanh"));
          case "LSTM", "LSTMCell" -> {
            parts = ofCudnn(parts, LSTM_GATES) ? cudnn(parts, LSTM_GATES) : parts;
            yield Lstm.builder(name)
                .activation(activations.required(call, "activation", "tanh"))
                .recurrentActivation(recurrentActivation(call));
          }
          case "GRU", "GRUCell" -> {
            parts = ofCudnn(parts, GRU_GATES) ? cudnn(parts, GRU_GATES) : parts;
            Gru.Builder gru =
                Gru.builder(name)
                    .activation(activations.required(call, "activation", "tanh"))
                    .recurrentActivation(recurrentActivation(call));
            // Before 2.1 there was only one form, with the gate before the product.
            gru.resetAfter(call.config().bool("reset_after", false));
            yield gru;
          }
          case "CuDNNLSTM" -> {
            parts = cudnn(parts, LSTM_GATES);
            yield Lstm.builder(name);
          }
          case "CuDNNGRU" -> {
            parts = cudnn(parts, GRU_GATES);
            yield Gru.builder(name).resetAfter(true);
          }
          default -> throw call.error("is a program of its own, expected a SimpleRNN, LSTM or GRU");
        };
    call.config().find("units").ifPresent(units -> builder.hiddenSize(units.integer(1)));
    builder.weights(Weights.of(Convention.KERAS, parts));
    return builder;
  }

  private Activation recurrentActivation(KerasCall call) {
    return activations.required(call, "recurrent_activation", "sigmoid");
  }

  /**
   * Whether a layer's weights were written by its cuDNN form, which has two biases behind each
   * other; Keras takes them as well.
   */
  private static boolean ofCudnn(Map<String, Tensor> parts, int gates) {
    Tensor recurrent = parts.get("recurrent_kernel");
    Tensor bias = parts.get("bias");
    return recurrent != null
        && bias != null
        && bias.rank() == 1
        && recurrent.rank() == 2
        && bias.dim(0) == 2L * gates * recurrent.dim(0);
  }

  /**
   * Weights that cuDNN was given: of each gate the memory of a kernel is that of its transpose, and
   * so is the recurrent kernel; there are two biases, and both count.
   */
  private Map<String, Tensor> cudnn(Map<String, Tensor> parts, int gates) {
    Map<String, Tensor> converted = new LinkedHashMap<>();
    Tensor kernel = parts.get("kernel");
    Tensor recurrent = parts.get("recurrent_kernel");
    Tensor bias = parts.get("bias");
    if (kernel == null || recurrent == null || kernel.rank() != 2 || recurrent.rank() != 2) {
      return parts; // the layer says what is missing
    }
    long inputs = kernel.dim(0);
    long units = recurrent.dim(0);
    if (kernel.dim(1) != gates * units || recurrent.dim(1) != gates * units) {
      return parts;
    }
    Tensor newKernel = Tensor.allocate(to.arena(), kernel.dtype(), inputs, gates * units);
    Tensor newRecurrent = Tensor.allocate(to.arena(), recurrent.dtype(), units, gates * units);
    for (int gate = 0; gate < gates; gate++) {
      long from = gate * units;
      Tensor memory = kernel.slice(1, from, from + units).copy(to.arena());
      newKernel
          .slice(1, from, from + units)
          .copyFrom(memory.reshape(units, inputs).transpose(1, 0));
      newRecurrent
          .slice(1, from, from + units)
          .copyFrom(recurrent.slice(1, from, from + units).transpose(1, 0));
    }
    converted.put("kernel", newKernel);
    converted.put("recurrent_kernel", newRecurrent);
    if (bias != null && bias.elements() == 2L * gates * units) {
      Tensor both = bias.contiguous(to.arena()).reshape(2, gates * units);
      converted.put("bias", gates == GRU_GATES ? both : sum(both));
    } else if (bias != null) {
      converted.put("bias", bias);
    }
    return converted;
  }

  private Tensor sum(Tensor rows) {
    float[] first = rows.select(0, 0).toFloats();
    float[] second = rows.select(0, 1).toFloats();
    for (int i = 0; i < first.length; i++) {
      first[i] += second[i];
    }
    return Tensor.ofFloats(to.arena(), first, first.length);
  }
}
