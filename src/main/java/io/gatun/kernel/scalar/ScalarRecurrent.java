package io.gatun.kernel.scalar;

import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.util.List;

/** A recurrent layer's weights as the plain loops want them: all gates side by side in each row. */
final class ScalarRecurrent implements PackedRecurrent {
  final RecurrentSpec spec;

  /** {@code [input, gates × hidden]}. */
  final Rows input;

  /** {@code [state, gates × hidden]}. */
  final Rows recurrent;

  /** {@code [gates × hidden]}, zeros where there is none. */
  final double[] inputBias;

  final double[] recurrentBias;

  /** LSTM: {@code [3 × hidden]} for i, o, f; {@code null} for none. */
  final double[] peepholes;

  /** LSTM: {@code [hidden, projection]}; {@code null} for none. */
  final Rows projection;

  /** As {@link RecurrentWeights#normalisation}; {@code null} for none. */
  final double[][] normalisation;

  ScalarRecurrent(DType real, RecurrentSpec spec, RecurrentWeights weights, WeightFormat format) {
    weights.check(spec);
    this.spec = spec;
    int hidden = spec.hiddenSize();
    input = gates(real, weights.input(), spec.inputSize(), hidden);
    input.round(format);
    recurrent = gates(real, weights.recurrent(), spec.stateSize(), hidden);
    recurrent.round(format);
    inputBias = vectors(real, weights.inputBias(), spec.gates() * hidden);
    recurrentBias = vectors(real, weights.recurrentBias(), spec.gates() * hidden);
    peepholes = weights.peepholes().isEmpty() ? null : vectors(real, weights.peepholes(), 0);
    projection =
        spec.projectionSize() == 0
            ? null
            : ScalarMatrix.rows(real, weights.projection().transpose(1, 0), format);
    if (spec.layerNormalised()) {
      normalisation = new double[weights.normalisation().size()][];
      for (int i = 0; i < normalisation.length; i++) {
        normalisation[i] = ScalarMatrix.vector(real, weights.normalisation().get(i));
      }
    } else {
      normalisation = null;
    }
  }

  private static Rows gates(DType real, List<Tensor> gates, int size, int hidden) {
    Rows packed = new Rows(real, size, Math.multiplyExact(gates.size(), hidden));
    for (int gate = 0; gate < gates.size(); gate++) {
      ScalarMatrix.requireFloat("weights of gate " + gate, gates.get(gate));
      for (int unit = 0; unit < hidden; unit++) {
        double[] weights = gates.get(gate).select(0, unit).toDoubles();
        for (int k = 0; k < size; k++) {
          packed.set(k, gate * hidden + unit, weights[k]);
        }
      }
    }
    return packed;
  }

  private static double[] vectors(DType real, List<Tensor> vectors, int sizeOfNone) {
    int size = vectors.isEmpty() ? sizeOfNone : 0;
    for (Tensor vector : vectors) {
      size += (int) vector.elements();
    }
    double[] joined = new double[size];
    int at = 0;
    for (Tensor vector : vectors) {
      double[] values = ScalarMatrix.vector(real, vector);
      System.arraycopy(values, 0, joined, at, values.length);
      at += values.length;
    }
    return joined;
  }

  @Override
  public RecurrentSpec spec() {
    return spec;
  }

  @Override
  public long bytes() {
    long vectors = (long) inputBias.length + recurrentBias.length;
    vectors += peepholes == null ? 0 : peepholes.length;
    if (normalisation != null) {
      for (double[] vector : normalisation) {
        vectors += vector.length;
      }
    }
    return input.bytes()
        + recurrent.bytes()
        + (projection == null ? 0 : projection.bytes())
        + vectors * Double.BYTES;
  }

  @Override
  public void close() {}
}
