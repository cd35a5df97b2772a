package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;

import io.gatun.kernel.HostBuffer;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;

/**
 * A recurrent layer with the usual activations, packed so that all gates of a unit come out of a
 * product side by side: the columns are ordered by groups of units, one vector wide, and within a
 * group by gate. The hidden size is filled up to whole vectors with units whose weights are 0.
 */
final class SimdPackedRecurrent implements PackedRecurrent {
  private final RecurrentSpec spec;

  /** Groups of units: the hidden size in vectors. */
  final int groups;

  /** The input's weights, all gates. */
  final Panels input;

  /** The recurrent weights; of a GRU with the reset before the product only z and r. */
  final Panels recurrent;

  /** The recurrent weights of the candidate of a GRU with the reset before the product. */
  final Panels candidate;

  /** Per group and gate a vector: both biases together, where they are added in one place. */
  final long bias;

  /** GRU with the reset after the product: the recurrent bias of the candidate, per group. */
  final long resetBias;

  private final HostBuffer biases;

  SimdPackedRecurrent(RecurrentSpec spec, RecurrentWeights weights) {
    weights.check(spec);
    this.spec = spec;
    this.groups = Lanes.vectors(spec.hiddenSize());
    int gates = spec.gates();
    boolean resetBefore = resetBefore(spec);
    boolean resetAfter = spec.cell() == Cell.GRU && !resetBefore;
    try (Arena arena = Arena.ofConfined()) {
      this.input = panels(arena, weights.input(), spec.inputSize());
      List<Tensor> looped = weights.recurrent();
      this.recurrent = panels(arena, resetBefore ? looped.subList(0, 2) : looped, spec.stateSize());
      this.candidate = resetBefore ? panels(arena, looped.subList(2, 3), spec.stateSize()) : null;
    }
    this.biases = HostBuffer.allocate((long) groups * (gates + 1) * BYTES);
    this.bias = biases.address();
    this.resetBias = bias + (long) groups * gates * BYTES;
    for (int gate = 0; gate < gates; gate++) {
      addBias(weights.inputBias(), gate, bias, gates, gate);
      if (resetAfter && gate == 2) {
        addBias(weights.recurrentBias(), gate, resetBias, 1, 0);
      } else {
        addBias(weights.recurrentBias(), gate, bias, gates, gate);
      }
    }
  }

  /** Whether a layer is one of those that are computed in this form. */
  static boolean handles(RecurrentSpec spec, RecurrentWeights weights) {
    return spec.projectionSize() == 0
        && spec.clip() == 0
        && !spec.coupled()
        && !spec.layerNormalised()
        && weights.peepholes().isEmpty()
        && spec.activations().equals(spec.cell().defaultActivations());
  }

  static boolean resetBefore(RecurrentSpec spec) {
    return spec.cell() == Cell.GRU && !spec.resetAfter();
  }

  private Panels panels(Arena arena, List<Tensor> gates, int inner) {
    long[] starts = new long[groups * gates.size() * LANES];
    long[] strides = new long[starts.length];
    for (int gate = 0; gate < gates.size(); gate++) {
      long from = SimdPackedMatrix.floats(arena, gates.get(gate));
      for (int unit = 0; unit < spec.hiddenSize(); unit++) {
        int column = (unit / LANES * gates.size() + gate) * LANES + unit % LANES;
        starts[column] = from + (long) unit * inner * Float.BYTES;
        strides[column] = Float.BYTES;
      }
    }
    return new Panels(inner, starts, strides);
  }

  private void addBias(List<Tensor> tensors, int gate, long target, int gates, int place) {
    if (tensors.isEmpty()) {
      return;
    }
    float[] values = tensors.get(gate).toFloats();
    for (int unit = 0; unit < values.length; unit++) {
      long at = (long) (unit / LANES * gates + place) * LANES + unit % LANES;
      SimdPackedMatrix.put(target, at, SimdPackedMatrix.get(target, at) + values[unit]);
    }
  }

  @Override
  public RecurrentSpec spec() {
    return spec;
  }

  @Override
  public long bytes() {
    return input.bytes()
        + recurrent.bytes()
        + (candidate == null ? 0 : candidate.bytes())
        + biases.bytes();
  }

  @Override
  public void close() {
    input.close();
    recurrent.close();
    if (candidate != null) {
      candidate.close();
    }
    biases.close();
  }
}
