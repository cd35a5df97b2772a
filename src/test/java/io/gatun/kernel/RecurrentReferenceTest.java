package io.gatun.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.kernel.RecurrentCase.Result;
import io.gatun.kernel.RecurrentCase.Variant;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The reference's recurrent layers in float64 against {@link RecurrentEquations}. */
class RecurrentReferenceTest {

  @ParameterizedTest
  @EnumSource(Variant.class)
  void everyVariantFollowsItsEquations(Variant variant) {
    try (Device device = new ScalarDevice(DType.FLOAT64);
        KernelBench bench = new KernelBench(variant + " by its equations", device)) {
      for (int round = 0; round < 8; round++) {
        int input = round == 0 ? 0 : bench.random.nextInt(20);
        int hidden = 1 + bench.random.nextInt(20);
        int batch = 1 + bench.random.nextInt(4);
        RecurrentCase layer =
            new RecurrentCase(bench, variant, input, hidden, bench.random.nextInt(7), batch);
        Result got = layer.run(bench.tested);
        Result expected = byEquations(layer);
        double magnitude = layer.magnitude(expected);
        String what = layer.toString();
        double[][] e = {expected.output(), expected.hidden(), expected.cell()};
        double[][] g = {got.output(), got.hidden(), got.cell()};
        for (int i = 0; i < e.length; i++) {
          KernelBench.compare(what, e[i], g[i], DType.FLOAT64, layer.terms(), j -> magnitude);
        }
        bench.clear();
      }
    }
  }

  private static Result byEquations(RecurrentCase layer) {
    RecurrentSpec spec = layer.spec;
    int state = layer.state();
    int hidden = spec.hiddenSize();
    int input = spec.inputSize();
    int batch = layer.batch;
    RecurrentEquations cell = equations(layer);
    double[] output = new double[layer.time * batch * state];
    double[] finalHidden = new double[batch * state];
    boolean lstm = spec.cell() == RecurrentSpec.Cell.LSTM;
    double[] finalCell = new double[lstm ? batch * hidden : 0];
    for (int b = 0; b < batch; b++) {
      cell.h = new double[state];
      cell.c = new double[hidden];
      if (layer.hidden != null) {
        System.arraycopy(layer.hidden, b * state, cell.h, 0, state);
      }
      if (layer.cell != null) {
        System.arraycopy(layer.cell, b * hidden, cell.c, 0, hidden);
      }
      int length = layer.length(b);
      for (int step = 0; step < length; step++) {
        int t = layer.reverse ? length - 1 - step : step;
        int row = t * batch + b;
        cell.step(Arrays.copyOfRange(layer.x, row * input, (row + 1) * input));
        System.arraycopy(cell.h, 0, output, row * state, state);
      }
      System.arraycopy(cell.h, 0, finalHidden, b * state, state);
      if (lstm) {
        System.arraycopy(cell.c, 0, finalCell, b * hidden, hidden);
      }
    }
    return new Result(output, finalHidden, finalCell);
  }

  private static RecurrentEquations equations(RecurrentCase layer) {
    RecurrentSpec spec = layer.spec;
    RecurrentWeights weights = layer.weights;
    RecurrentEquations cell = new RecurrentEquations(spec);
    cell.w = matrices(weights.input());
    cell.r = matrices(weights.recurrent());
    double[][] none = new double[spec.gates()][spec.hiddenSize()];
    cell.wb = weights.inputBias().isEmpty() ? none : vectors(weights.inputBias());
    cell.rb = weights.recurrentBias().isEmpty() ? none : vectors(weights.recurrentBias());
    cell.p = weights.peepholes().isEmpty() ? null : vectors(weights.peepholes());
    cell.projection =
        weights.projection() == null ? null : matrices(List.of(weights.projection()))[0];
    cell.normalisation =
        weights.normalisation().isEmpty() ? null : vectors(weights.normalisation());
    return cell;
  }

  private static double[][][] matrices(List<Tensor> gates) {
    double[][][] matrices = new double[gates.size()][][];
    for (int gate = 0; gate < matrices.length; gate++) {
      Tensor tensor = gates.get(gate);
      matrices[gate] = new double[(int) tensor.dim(0)][(int) tensor.dim(1)];
      for (int unit = 0; unit < matrices[gate].length; unit++) {
        for (int k = 0; k < matrices[gate][unit].length; k++) {
          matrices[gate][unit][k] = tensor.getDouble(unit, k);
        }
      }
    }
    return matrices;
  }

  private static double[][] vectors(List<Tensor> tensors) {
    return tensors.stream().map(Tensor::toDoubles).toArray(double[][]::new);
  }

  /** The sizes of every variant, so that a feature cannot drop out of the list unseen. */
  @ParameterizedTest
  @EnumSource(Variant.class)
  void everyVariantHasTheFeaturesOfItsName(Variant variant) {
    RecurrentSpec spec = variant.spec(2, 4, 3);
    assertEquals(variant.has("CLIP"), spec.clip() > 0);
    assertEquals(variant.has("COUPLED"), spec.coupled());
    assertEquals(variant.has("PROJECTION") ? 3 : 4, spec.stateSize());
    assertEquals(variant.has("NORMALISED"), spec.layerNormalised());
    assertEquals(variant.name().startsWith(spec.cell().name()), true);
  }
}
