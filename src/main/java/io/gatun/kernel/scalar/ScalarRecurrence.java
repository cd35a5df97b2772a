package io.gatun.kernel.scalar;

import io.gatun.kernel.Activation;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import java.util.Arrays;
import java.util.List;

/**
 * The recurrent layers, one sequence at a time from its first step to its last, by the equations of
 * {@link RecurrentSpec}. Everything within a step is float64; what a step hands to the next is
 * rounded to the real type, so a sequence that is run step by step has the bits of one that is run
 * whole.
 *
 * <p>A GRU with the reset before the product and layer normalisation has two recurrent products:
 * {@code h'·R} of z and r together is normalised over its 2 × hidden elements, {@code (r ∘ h')·Rn}
 * over its hidden elements.
 */
final class ScalarRecurrence implements Workers.Task {
  private static final int INPUT = 0;
  private static final int HIDDEN = 1;
  private static final int CELL = 2;
  private static final int FROM_INPUT = 3;
  private static final int FROM_STATE = 4;
  private static final int GATES = 5;
  private static final int EXTRA = 6;

  private final DType real;
  private final Scratch scratch;
  private ScalarRecurrent layer;
  private RecurrentCall call;
  private ScalarEmbedding embedding;

  ScalarRecurrence(DType real, Scratch scratch) {
    this.real = real;
    this.scratch = scratch;
  }

  /** Takes the checked operands; returns the number of parts. */
  int begin(ScalarRecurrent layer, RecurrentCall call) {
    this.layer = layer;
    this.call = call;
    this.embedding = (ScalarEmbedding) call.embedding;
    return call.batch;
  }

  @Override
  public void run(int sequence, int worker) {
    RecurrentSpec spec = layer.spec;
    int state = spec.stateSize();
    int hiddenSize = spec.hiddenSize();
    int gates = spec.gates() * hiddenSize;
    double[] x = scratch.get(worker, INPUT, spec.inputSize());
    double[] h = scratch.get(worker, HIDDEN, Math.max(state, hiddenSize));
    double[] c = scratch.get(worker, CELL, hiddenSize);
    double[] fromInput = scratch.get(worker, FROM_INPUT, gates);
    double[] fromState = scratch.get(worker, FROM_STATE, gates);
    double[] arguments = scratch.get(worker, GATES, gates);
    double[] extra = scratch.get(worker, EXTRA, hiddenSize);
    boolean lstm = spec.cell() == RecurrentSpec.Cell.LSTM;
    loadState(call.initialHidden, sequence, state, h);
    if (lstm) {
      loadState(call.initialCell, sequence, hiddenSize, c);
    }
    int length = call.lengths == null ? call.time : HostKernels.lengthAt(call.lengths, sequence);
    for (int step = 0; step < length; step++) {
      int t = call.reverse ? length - 1 - step : step;
      long at = t * call.inputTimeStride + sequence * call.inputRowStride;
      if (call.embedding != null) {
        embedding.table.get(HostKernels.tokenAt(call, at), x);
      } else {
        Elements.load(
            HostKernels.segment(call.input),
            real,
            call.input.offset() + at * real.bytes(),
            1,
            x,
            0,
            spec.inputSize());
      }
      Arrays.fill(fromInput, 0, gates, 0);
      layer.input.addProduct(x, 0, gates, fromInput, 0);
      if (layer.normalisation != null) {
        normalise(fromInput, 0, gates, layer.normalisation[0], layer.normalisation[1]);
      }
      switch (spec.cell()) {
        case RNN -> rnn(h, fromInput, fromState);
        case GRU -> gru(h, fromInput, fromState, arguments, extra);
        case LSTM -> lstm(h, c, fromInput, fromState, arguments, extra);
      }
      if (call.output != null) {
        store(h, call.output, t * call.outputTimeStride + sequence * call.outputRowStride, state);
      }
    }
    if (call.output != null && length < call.time) {
      Arrays.fill(extra, 0, hiddenSize, 0);
      for (int t = length; t < call.time; t++) {
        long at = t * call.outputTimeStride + sequence * call.outputRowStride;
        for (int from = 0; from < state; from += hiddenSize) {
          store(extra, call.output, at + from, Math.min(hiddenSize, state - from));
        }
      }
    }
    if (call.finalHidden != null) {
      store(h, call.finalHidden, (long) sequence * state, state);
    }
    if (lstm && call.finalCell != null) {
      store(c, call.finalCell, (long) sequence * hiddenSize, hiddenSize);
    }
  }

  private void rnn(double[] h, double[] fromInput, double[] fromState) {
    RecurrentSpec spec = layer.spec;
    int hidden = spec.hiddenSize();
    recurrentProduct(h, fromState, hidden);
    addUp(fromInput, fromState, 0, hidden, h);
    activate(spec.activations().get(0), h, 0, hidden);
    round(h, hidden);
  }

  private void gru(
      double[] h, double[] fromInput, double[] fromState, double[] gates, double[] extra) {
    RecurrentSpec spec = layer.spec;
    List<Activation> activations = spec.activations();
    int hidden = spec.hiddenSize();
    int candidate = 2 * hidden;
    recurrentProduct(h, fromState, spec.resetAfter() ? 3 * hidden : 2 * hidden);
    addUp(fromInput, fromState, 0, 2 * hidden, gates);
    activate(activations.get(0), gates, 0, 2 * hidden);
    if (spec.resetAfter()) {
      for (int j = 0; j < hidden; j++) {
        double reset = gates[hidden + j];
        int n = candidate + j;
        gates[n] =
            fromInput[n] + layer.inputBias[n] + reset * (fromState[n] + layer.recurrentBias[n]);
      }
    } else {
      for (int j = 0; j < hidden; j++) {
        extra[j] = gates[hidden + j] * h[j];
      }
      Arrays.fill(fromState, candidate, candidate + hidden, 0);
      layer.recurrent.addProduct(extra, candidate, hidden, fromState, candidate);
      if (layer.normalisation != null) {
        normalise(fromState, candidate, hidden, layer.normalisation[2], layer.normalisation[3]);
      }
      addUp(fromInput, fromState, candidate, hidden, gates);
    }
    activate(activations.get(1), gates, candidate, hidden);
    for (int j = 0; j < hidden; j++) {
      double update = gates[j];
      h[j] = (1 - update) * gates[candidate + j] + update * h[j];
    }
    round(h, hidden);
  }

  private void lstm(
      double[] h,
      double[] c,
      double[] fromInput,
      double[] fromState,
      double[] gates,
      double[] extra) {
    RecurrentSpec spec = layer.spec;
    List<Activation> activations = spec.activations();
    int hidden = spec.hiddenSize();
    int output = hidden;
    int forget = 2 * hidden;
    int candidate = 3 * hidden;
    double[] peepholes = layer.peepholes;
    recurrentProduct(h, fromState, 4 * hidden);
    addUp(fromInput, fromState, 0, 4 * hidden, gates);
    if (peepholes != null) {
      for (int j = 0; j < hidden; j++) {
        gates[j] += peepholes[j] * c[j];
        gates[forget + j] += peepholes[2 * hidden + j] * c[j];
      }
    }
    activate(activations.get(0), gates, 0, hidden);
    if (spec.coupled()) {
      for (int j = 0; j < hidden; j++) {
        gates[forget + j] = 1 - gates[j];
      }
    } else {
      activate(activations.get(0), gates, forget, hidden);
    }
    activate(activations.get(1), gates, candidate, hidden);
    for (int j = 0; j < hidden; j++) {
      c[j] = gates[forget + j] * c[j] + gates[j] * gates[candidate + j];
    }
    // Rounded here already: all that follows sees the cell state that is handed on.
    round(c, hidden);
    if (peepholes != null) {
      for (int j = 0; j < hidden; j++) {
        gates[output + j] += peepholes[hidden + j] * c[j];
      }
    }
    activate(activations.get(0), gates, output, hidden);
    System.arraycopy(c, 0, extra, 0, hidden);
    if (layer.normalisation != null) {
      normalise(extra, 0, hidden, layer.normalisation[4], layer.normalisation[5]);
    }
    // Not a gate's argument, so the clip does not apply.
    ScalarActivations.apply(activations.get(2), extra, 0, hidden);
    for (int j = 0; j < hidden; j++) {
      extra[j] *= gates[output + j];
    }
    if (layer.projection == null) {
      System.arraycopy(extra, 0, h, 0, hidden);
    } else {
      Arrays.fill(h, 0, spec.projectionSize(), 0);
      layer.projection.addProduct(extra, 0, spec.projectionSize(), h, 0);
    }
    round(h, spec.stateSize());
  }

  /** {@code h'·R} of the gates in the first {@code columns} columns, normalised where asked for. */
  private void recurrentProduct(double[] h, double[] sums, int columns) {
    Arrays.fill(sums, 0, columns, 0);
    layer.recurrent.addProduct(h, 0, columns, sums, 0);
    if (layer.normalisation != null) {
      normalise(sums, 0, columns, layer.normalisation[2], layer.normalisation[3]);
    }
  }

  /** {@code x·W + b + h'·R + r} for the gates in {@code count} columns. */
  private void addUp(double[] fromInput, double[] fromState, int from, int count, double[] sums) {
    for (int j = from; j < from + count; j++) {
      sums[j] = fromInput[j] + layer.inputBias[j] + fromState[j] + layer.recurrentBias[j];
    }
  }

  private void activate(Activation activation, double[] gates, int from, int count) {
    double clip = layer.spec.clip();
    if (clip > 0) {
      for (int j = from; j < from + count; j++) {
        gates[j] = Math.max(-clip, Math.min(clip, gates[j]));
      }
    }
    ScalarActivations.apply(activation, gates, from, count);
  }

  private void normalise(double[] x, int from, int count, double[] scale, double[] shift) {
    ScalarRows.normalise(x, from, count, scale, shift, from, layer.spec.layerNormEpsilon());
  }

  private void round(double[] state, int count) {
    if (real == DType.FLOAT32) {
      for (int j = 0; j < count; j++) {
        state[j] = (float) state[j];
      }
    }
  }

  private void loadState(Region region, int sequence, int size, double[] to) {
    if (region == null) {
      Arrays.fill(to, 0, size, 0);
    } else {
      long offset = region.offset() + (long) sequence * size * real.bytes();
      Elements.load(HostKernels.segment(region), real, offset, 1, to, 0, size);
    }
  }

  private void store(double[] from, Region region, long at, int size) {
    Elements.store(
        from, 0, HostKernels.segment(region), real, region.offset() + at * real.bytes(), size);
  }
}
