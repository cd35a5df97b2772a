package io.gatun.layer;

import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.tensor.DType;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * The weights of one direction of a recurrent layer, gate by gate in the order of ONNX (RNN: one;
 * GRU: z, r, h; LSTM: i, o, f, c), each a view of the tensors they came in. Here, and nowhere else,
 * the conventions of other frameworks are converted.
 *
 * @param input a gate each {@code [hidden, input]}
 * @param recurrent a gate each {@code [hidden, state]}
 * @param inputBias a gate each {@code [hidden]}, or empty
 * @param recurrentBias a gate each {@code [hidden]}, or empty
 * @param peepholes for i, o, f {@code [hidden]}, or empty
 * @param projection {@code [state, hidden]}, or {@code null}
 * @param normalisation scale and shift of input and recurrent product, a gate each, and of the
 *     cell; or empty
 * @param resetAfter GRU: what the convention says of the reset gate; {@code null} if it leaves it
 *     open
 */
record GateWeights(
    List<Tensor> input,
    List<Tensor> recurrent,
    List<Tensor> inputBias,
    List<Tensor> recurrentBias,
    List<Tensor> peepholes,
    Tensor projection,
    List<List<Tensor>> normalisation,
    Boolean resetAfter) {

  private static final int FORGET = 2;

  long inputSize() {
    return input.get(0).dim(1);
  }

  long hiddenSize() {
    return input.get(0).dim(0);
  }

  long stateSize() {
    return recurrent.get(0).dim(1);
  }

  DType dtype() {
    return input.get(0).dtype();
  }

  /**
   * Reads weights.
   *
   * @param direction which direction, where tensors hold several
   * @param directions how many directions tensors of ONNX' convention hold
   * @param forgetBias LSTM: what is added to the forget gate; NaN for what the convention says
   */
  static GateWeights read(
      String layer, Cell cell, Weights weights, int direction, int directions, double forgetBias) {
    Parts parts = new Parts(layer, weights);
    Reader reader = new Reader(parts, cell, direction, directions);
    switch (parts.convention()) {
      case PYTORCH -> reader.pytorch();
      case KERAS -> reader.keras();
      case TENSORFLOW1 -> reader.tensorflow();
      case ONNX -> reader.onnx();
    }
    reader.normalisation();
    parts.done();
    double added =
        !Double.isNaN(forgetBias)
            ? forgetBias
            : cell == Cell.LSTM && parts.convention() == Convention.TENSORFLOW1 ? 1 : 0;
    reader.addForgetBias(layer, added);
    return reader.result();
  }

  private static final class Reader {
    private final Parts parts;
    private final Cell cell;
    private final int gates;
    private final int direction;
    private final int directions;

    /** Where ONNX' gates stand among the convention's. */
    private int[] order;

    private List<Tensor> input;
    private List<Tensor> recurrent;
    private List<Tensor> inputBias = List.of();
    private List<Tensor> recurrentBias = List.of();
    private List<Tensor> peepholes = List.of();
    private final List<List<Tensor>> normalisation = new ArrayList<>();
    private Tensor projection;
    private Boolean resetAfter;
    private long hidden;
    private long state;

    Reader(Parts parts, Cell cell, int direction, int directions) {
      this.parts = parts;
      this.cell = cell;
      this.gates = cell.gates();
      this.direction = direction;
      this.directions = directions;
    }

    GateWeights result() {
      return new GateWeights(
          input,
          recurrent,
          inputBias,
          recurrentBias,
          peepholes,
          projection,
          normalisation,
          resetAfter);
    }

    void pytorch() {
      order = order(new int[] {1, 0, 2}, new int[] {0, 3, 1, 2});
      Tensor ih = parts.require("weight_ih", 2);
      Tensor hh = parts.require("weight_hh", 2);
      sizes("weight_hh", hh, 0);
      if (cell == Cell.LSTM) {
        projection = parts.optional("weight_hr");
      }
      project("weight_hr", "projection, hidden", false);
      parts.expect("weight_hh", hh, rows() + ", " + stateName(), gates * hidden, state);
      parts.expect("weight_ih", ih, rows() + ", input", gates * hidden, ih.dim(1));
      input = gates(ih);
      recurrent = gates(hh);
      inputBias = bias("bias_ih");
      recurrentBias = bias("bias_hh");
      resetAfter = true;
    }

    void keras() {
      order = order(new int[] {0, 1, 2}, new int[] {0, 3, 1, 2});
      Tensor kernel = parts.require("kernel", 2);
      Tensor recurrentKernel = parts.require("recurrent_kernel", 2);
      sizes("recurrent_kernel", recurrentKernel, 1);
      state = hidden;
      String columns = rows();
      parts.expect(
          "recurrent_kernel", recurrentKernel, "hidden, " + columns, hidden, gates * hidden);
      parts.expect("kernel", kernel, "input, " + columns, kernel.dim(0), gates * hidden);
      input = gates(kernel.transpose());
      recurrent = gates(recurrentKernel.transpose());
      Tensor bias = parts.optional("bias");
      if (cell == Cell.GRU && bias != null && bias.rank() == 2) {
        parts.expect("bias", bias, "input and recurrent, " + columns, 2, gates * hidden);
        inputBias = gates(bias.select(0, 0));
        recurrentBias = gates(bias.select(0, 1));
        resetAfter = true;
      } else if (bias != null) {
        inputBias = bias("bias");
        resetAfter = false;
      }
    }

    void tensorflow() {
      switch (cell) {
        case RNN, LSTM -> tensorflowJoined();
        case GRU -> tensorflowGru();
      }
    }

    private void tensorflowJoined() {
      order = order(null, new int[] {0, 3, 2, 1});
      Tensor kernel = parts.require("kernel", 2);
      sizes("kernel", kernel, 1);
      if (cell == Cell.LSTM) {
        projection = parts.optional("projection.kernel");
      }
      project("projection.kernel", "hidden, projection", true);
      String inner = "input + " + stateName();
      if (kernel.dim(0) < state) {
        throw parts.error(
            "kernel", kernel, "at least " + state + " rows (" + inner + "), " + rows());
      }
      long in = kernel.dim(0) - state;
      input = gates(kernel.slice(0, 0, in).transpose());
      recurrent = gates(kernel.slice(0, in, in + state).transpose());
      inputBias = bias("bias");
      if (cell == Cell.LSTM) {
        List<Tensor> diagonals = new ArrayList<>();
        for (String name : List.of("w_i_diag", "w_o_diag", "w_f_diag")) {
          Tensor diagonal = parts.optional(name);
          if (diagonal != null) {
            diagonals.add(parts.expect(name, diagonal, "hidden", hidden));
          }
        }
        if (!diagonals.isEmpty() && diagonals.size() != 3) {
          parts.require("w_i_diag", 1);
          parts.require("w_f_diag", 1);
          parts.require("w_o_diag", 1);
        }
        peepholes = diagonals;
      }
    }

    /** Two tensors: r and u together, and the candidate. */
    private void tensorflowGru() {
      order = new int[] {1, 0, 2};
      Tensor candidate = parts.require("candidate.kernel", 2);
      Tensor both = parts.require("gates.kernel", 2);
      hidden = candidate.dim(1);
      state = hidden;
      long in = candidate.dim(0) - hidden;
      if (in < 0) {
        throw parts.error(
            "candidate.kernel", candidate, "at least " + hidden + " rows (input + hidden)");
      }
      parts.expect(
          "gates.kernel",
          both,
          "input " + in + " + hidden " + hidden + ", 2 gates × hidden " + hidden,
          in + hidden,
          2 * hidden);
      input = new ArrayList<>(split(both.slice(0, 0, in).transpose(), 2));
      input.add(candidate.slice(0, 0, in).transpose());
      input = ordered(input);
      recurrent = new ArrayList<>(split(both.slice(0, in, in + hidden).transpose(), 2));
      recurrent.add(candidate.slice(0, in, in + hidden).transpose());
      recurrent = ordered(recurrent);
      Tensor gateBias = parts.optional("gates.bias");
      Tensor candidateBias = parts.optional("candidate.bias");
      if (gateBias != null || candidateBias != null) {
        gateBias = parts.require("gates.bias", 1);
        candidateBias = parts.require("candidate.bias", 1);
        parts.expect("gates.bias", gateBias, "2 gates × hidden " + hidden, 2 * hidden);
        parts.expect("candidate.bias", candidateBias, "hidden", hidden);
        inputBias = new ArrayList<>(split(gateBias, 2));
        inputBias.add(candidateBias);
        inputBias = ordered(inputBias);
      }
      resetAfter = false;
    }

    void onnx() {
      order = order(new int[] {0, 1, 2}, new int[] {0, 1, 2, 3});
      Tensor w = ofDirection("W", 3, true);
      Tensor r = ofDirection("R", 3, true);
      sizes("R", r, 0);
      if (cell == Cell.LSTM) {
        projection = ofDirection("projection", 3, false);
      }
      project("projection", "projection, hidden", false);
      parts.expect("R", r, rows() + ", " + stateName(), gates * hidden, state);
      parts.expect("W", w, rows() + ", input", gates * hidden, w.dim(1));
      input = gates(w);
      recurrent = gates(r);
      Tensor b = ofDirection("B", 2, false);
      if (b != null) {
        parts.expect("B", b, "2 × " + rows(), 2L * gates * hidden);
        inputBias = gates(b.slice(0, 0, gates * hidden));
        recurrentBias = gates(b.slice(0, gates * hidden, 2L * gates * hidden));
      }
      if (cell == Cell.LSTM) {
        Tensor p = ofDirection("P", 2, false);
        if (p != null) {
          parts.expect("P", p, "3 gates × hidden " + hidden, 3 * hidden);
          peepholes = split(p, 3);
        }
      }
    }

    private Tensor ofDirection(String name, int rank, boolean needed) {
      Tensor tensor = parts.optional(name);
      if (tensor == null) {
        return needed ? parts.require(name, rank) : null;
      }
      if (tensor.rank() == rank - 1 && directions == 1) {
        return tensor;
      }
      if (tensor.rank() != rank || tensor.dim(0) != directions) {
        throw parts.error(name, tensor, rank + " axes, the first " + directions + " (directions)");
      }
      return tensor.select(0, direction);
    }

    void normalisation() {
      if (parts.optional("norm_input.scale") == null) {
        return;
      }
      for (String product : List.of("norm_input", "norm_recurrent")) {
        Tensor scale = parts.require(product + ".scale", 1);
        parts.expect(product + ".scale", scale, rows(), gates * hidden);
        Tensor shift = parts.optional(product + ".shift");
        parts.expect(product + ".shift", shift, rows(), gates * hidden);
        normalisation.add(gates(scale));
        normalisation.add(shift == null ? zeros(scale.dtype()) : gates(shift));
      }
      if (cell == Cell.LSTM) {
        Tensor scale = parts.require("norm_cell.scale", 1);
        parts.expect("norm_cell.scale", scale, "hidden", hidden);
        Tensor shift = parts.optional("norm_cell.shift");
        parts.expect("norm_cell.shift", shift, "hidden", hidden);
        normalisation.add(List.of(scale));
        normalisation.add(List.of(shift == null ? Parts.filled(scale.dtype(), 0, hidden) : shift));
      }
    }

    void addForgetBias(String layer, double forgetBias) {
      if (forgetBias == 0) {
        return;
      }
      if (!recurrentBias.isEmpty()) {
        throw new IllegalArgumentException(
            layer
                + ": a forget bias of "
                + forgetBias
                + " beside two biases; add it to one of them");
      }
      // The second bias, which this convention does not have, carries it without a copy.
      DType dtype = (inputBias.isEmpty() ? input : inputBias).get(0).dtype();
      recurrentBias = new ArrayList<>(zeros(dtype));
      recurrentBias.set(FORGET, Parts.filled(dtype, forgetBias, hidden));
    }

    private List<Tensor> zeros(DType dtype) {
      Tensor zero = Parts.filled(dtype, 0, hidden);
      List<Tensor> zeros = new ArrayList<>();
      for (int gate = 0; gate < gates; gate++) {
        zeros.add(zero);
      }
      return zeros;
    }

    private int[] order(int[] gru, int[] lstm) {
      return switch (cell) {
        case RNN -> new int[] {0};
        case GRU -> gru;
        case LSTM -> lstm;
      };
    }

    /** Sets the hidden size from the axis along which the gates lie. */
    private void sizes(String name, Tensor tensor, int axis) {
      long all = tensor.rank() == 2 ? tensor.dim(axis) : 0;
      if (all == 0 || all % gates != 0) {
        throw parts.error(
            name,
            tensor,
            gates + " gates × hidden in " + (axis == 0 ? "the first axis" : "the second axis"));
      }
      hidden = all / gates;
    }

    private void project(String name, String meaning, boolean transposed) {
      if (projection == null) {
        state = hidden;
        return;
      }
      if (projection.rank() != 2) {
        throw parts.error(name, projection, "[" + meaning + "]");
      }
      Tensor rows = transposed ? projection.transpose() : projection;
      state = rows.dim(0);
      if (transposed) {
        parts.expect(name, projection, meaning, hidden, state);
      } else {
        parts.expect(name, projection, meaning, state, hidden);
      }
      projection = rows;
    }

    private String rows() {
      return gates == 1 ? "hidden " + hidden : gates + " gates × hidden " + hidden;
    }

    private String stateName() {
      return projection == null ? "hidden" : "projection " + state;
    }

    private List<Tensor> bias(String name) {
      Tensor bias = parts.optional(name);
      if (bias == null) {
        return List.of();
      }
      parts.expect(name, bias, rows(), gates * hidden);
      return gates(bias);
    }

    /** Cuts the first axis into gates, in ONNX' order. */
    private List<Tensor> gates(Tensor tensor) {
      return ordered(split(tensor, gates));
    }

    private static List<Tensor> split(Tensor tensor, int count) {
      long each = tensor.dim(0) / count;
      List<Tensor> pieces = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        pieces.add(tensor.slice(0, i * each, (i + 1) * each));
      }
      return pieces;
    }

    private List<Tensor> ordered(List<Tensor> pieces) {
      List<Tensor> moved = new ArrayList<>();
      for (int from : order) {
        moved.add(pieces.get(from));
      }
      return moved;
    }
  }

  /** Checks that two directions are of one size. */
  void expectLike(String layer, GateWeights forward) {
    if (inputSize() != forward.inputSize()
        || hiddenSize() != forward.hiddenSize()
        || stateSize() != forward.stateSize()) {
      throw new ShapeException(
          layer
              + ": backward weights are of input "
              + inputSize()
              + ", hidden "
              + hiddenSize()
              + ", state "
              + stateSize()
              + ", expected "
              + forward.inputSize()
              + ", "
              + forward.hiddenSize()
              + ", "
              + forward.stateSize());
    }
  }
}
