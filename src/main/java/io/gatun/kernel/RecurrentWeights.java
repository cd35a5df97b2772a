package io.gatun.kernel;

import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.util.List;

/**
 * The weights of one direction of one recurrent layer, gate by gate in the order of {@link
 * RecurrentSpec.Cell}, as views of wherever they lie: any strides, any floating-point type.
 *
 * @param input a gate each {@code [hidden, input]}
 * @param recurrent a gate each {@code [hidden, state]}
 * @param inputBias a gate each {@code [hidden]}; empty for none
 * @param recurrentBias a gate each {@code [hidden]}; empty for none
 * @param peepholes LSTM: for i, o, f {@code [hidden]}; empty for none
 * @param projection LSTM: {@code [projection, hidden]}, or {@code null}
 * @param normalisation layer normalisation: for the input and the recurrent product, scale and
 *     shift {@code [gates × hidden]} in the order of the gates; then, for an LSTM, scale and shift
 *     of the cell state {@code [hidden]}; empty for none
 */
public record RecurrentWeights(
    List<Tensor> input,
    List<Tensor> recurrent,
    List<Tensor> inputBias,
    List<Tensor> recurrentBias,
    List<Tensor> peepholes,
    Tensor projection,
    List<Tensor> normalisation) {

  /** Copies the lists. */
  public RecurrentWeights {
    input = List.copyOf(input);
    recurrent = List.copyOf(recurrent);
    inputBias = List.copyOf(inputBias);
    recurrentBias = List.copyOf(recurrentBias);
    peepholes = List.copyOf(peepholes);
    normalisation = List.copyOf(normalisation);
  }

  /** Products and biases only. */
  public static RecurrentWeights of(
      List<Tensor> input,
      List<Tensor> recurrent,
      List<Tensor> inputBias,
      List<Tensor> recurrentBias) {
    return new RecurrentWeights(
        input, recurrent, inputBias, recurrentBias, List.of(), null, List.of());
  }

  /**
   * Checks every weight against the sizes of a layer.
   *
   * @throws ShapeException that names the weight, what was expected and what came
   */
  public void check(RecurrentSpec spec) {
    long hidden = spec.hiddenSize();
    long state = spec.stateSize();
    int gates = spec.gates();
    all("input weights", input, gates, hidden, spec.inputSize());
    all("recurrent weights", recurrent, gates, hidden, state);
    all("input bias", inputBias, inputBias.isEmpty() ? 0 : gates, hidden);
    all("recurrent bias", recurrentBias, recurrentBias.isEmpty() ? 0 : gates, hidden);
    boolean lstm = spec.cell() == RecurrentSpec.Cell.LSTM;
    all("peepholes", peepholes, peepholes.isEmpty() || !lstm ? 0 : 3, hidden);
    if (spec.projectionSize() > 0) {
      if (projection == null) {
        throw new ShapeException(
            "projection is missing, expected [" + spec.projectionSize() + ", " + hidden + "]");
      }
      one("projection", projection, spec.projectionSize(), hidden);
    } else if (projection != null) {
      throw new ShapeException("projection is " + projection.shape() + ", expected none");
    }
    if (spec.layerNormalised()) {
      if (normalisation.size() != (lstm ? 6 : 4)) {
        throw new ShapeException(
            "layer normalisation has "
                + normalisation.size()
                + " weights, expected "
                + (lstm
                    ? "6: scale and shift of input, recurrent and cell"
                    : "4: scale and shift of input and recurrent"));
      }
      all("layer normalisation", normalisation.subList(0, 4), 4, gates * hidden);
      if (lstm) {
        all("layer normalisation of the cell", normalisation.subList(4, 6), 2, hidden);
      }
    }
  }

  private static void all(String what, List<Tensor> tensors, int count, long... dims) {
    if (tensors.size() != count) {
      throw new ShapeException(what + ": " + tensors.size() + " tensors, expected " + count);
    }
    for (int i = 0; i < count; i++) {
      one(what + " of gate " + i, tensors.get(i), dims);
    }
  }

  private static void one(String what, Tensor tensor, long... dims) {
    if (!java.util.Arrays.equals(tensor.shape().dims(), dims)) {
      throw new ShapeException(
          what + " is " + tensor.shape() + ", expected " + java.util.Arrays.toString(dims));
    }
  }
}
