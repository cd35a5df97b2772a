package io.gatun.kernel.scalar;

import io.gatun.kernel.Activation;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.RecurrentTraining;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import java.util.Arrays;
import java.util.List;

/**
 * One time step of one sequence of any recurrent layer in float64, there and back, by the equations
 * of {@link RecurrentSpec}. The way back first goes there again, so nothing but states is kept
 * between the two. States are rounded to the real type, as they are where they are handed on.
 */
final class ScalarCell {
  private static final double[] NONE = {};

  private final DType real;
  private RecurrentSpec spec;
  private int hidden;
  private int state;
  private int inputs;
  private int gates;
  private double clip;

  // Weights, and the sums of their gradients.
  private double[] w = NONE;
  private double[] r = NONE;
  private double[] bias = NONE;
  private double[] peepholes;
  private double[] projection;
  private double[][] norms;
  private double[] dw = NONE;
  private double[] dr = NONE;
  private double[] dbias = NONE;
  private double[] dpeepholes = NONE;
  private double[] dprojection = NONE;
  private double[][] dnorms = {};

  // One step. What is multiplied by a weight or given to a function, and what became of it.
  double[] x = NONE;
  double[] h = NONE;
  double[] c = NONE;
  double[] mask;
  double[] nextH = NONE;
  double[] nextC = NONE;
  private double[] masked = NONE;
  private double[] rawX = NONE;
  private double[] rawH = NONE;
  private double[] normX = NONE;
  private double[] normH = NONE;
  private double[] a = NONE;
  private double[] y = NONE;
  private double[] reset = NONE;
  private double[] cell = NONE;
  private double[] squashed = NONE;
  private double[] inner = NONE;

  // Gradients of one step.
  double[] dx = NONE;
  double[] dh = NONE;
  double[] dc = NONE;
  private double[] before = NONE;
  private double[] dcell = NONE;
  private double[] da = NONE;
  private double[] dzx = NONE;
  private double[] dzh = NONE;
  private double[] reused = NONE;

  ScalarCell(DType real) {
    this.real = real;
  }

  private static double[] grown(double[] array, int size) {
    return array.length >= size ? array : new double[size];
  }

  /** Reads the weights of a layer. */
  void begin(RecurrentTraining layer) {
    spec = layer.spec;
    hidden = spec.hiddenSize();
    state = spec.stateSize();
    inputs = spec.inputSize();
    gates = spec.gates() * hidden;
    clip = spec.clip();
    w = loaded(w, layer.inputWeights, gates * inputs);
    r = loaded(r, layer.recurrentWeights, gates * state);
    bias = grown(bias, 2 * gates);
    if (layer.bias == null) {
      Arrays.fill(bias, 0, 2 * gates, 0);
    } else {
      bias = loaded(bias, layer.bias, 2 * gates);
    }
    peepholes =
        layer.peepholes == null
            ? null
            : loaded(peepholes == null ? NONE : peepholes, layer.peepholes, 3 * hidden);
    projection =
        spec.projectionSize() == 0
            ? null
            : loaded(projection == null ? NONE : projection, layer.projection, state * hidden);
    if (!spec.layerNormalised()) {
      norms = null;
    } else {
      int count = layer.normalisation.length;
      if (norms == null || norms.length != count) {
        norms = new double[count][];
        Arrays.fill(norms, NONE);
      }
      for (int i = 0; i < count; i++) {
        norms[i] = loaded(norms[i], layer.normalisation[i], i < 4 ? gates : hidden);
      }
    }
    x = grown(x, inputs);
    h = grown(h, state);
    c = grown(c, hidden);
    nextH = grown(nextH, state);
    nextC = grown(nextC, hidden);
    masked = grown(masked, state);
    rawX = grown(rawX, gates);
    rawH = grown(rawH, gates);
    normX = grown(normX, gates);
    normH = grown(normH, gates);
    a = grown(a, gates);
    y = grown(y, gates);
    reset = grown(reset, hidden);
    cell = grown(cell, hidden);
    squashed = grown(squashed, hidden);
    inner = grown(inner, hidden);
  }

  /** Sets the sums of the weights' gradients to 0. */
  void beginBackward() {
    dw = zeros(dw, gates * inputs);
    dr = zeros(dr, gates * state);
    dbias = zeros(dbias, 2 * gates);
    dpeepholes = zeros(dpeepholes, 3 * hidden);
    dprojection = zeros(dprojection, state * hidden);
    int count = norms == null ? 0 : norms.length;
    if (dnorms.length != count) {
      dnorms = new double[count][];
      Arrays.fill(dnorms, NONE);
    }
    for (int i = 0; i < count; i++) {
      dnorms[i] = zeros(dnorms[i], i < 4 ? gates : hidden);
    }
    dx = grown(dx, inputs);
    dh = grown(dh, state);
    dc = grown(dc, hidden);
    before = grown(before, state);
    dcell = grown(dcell, hidden);
    da = grown(da, gates);
    dzx = grown(dzx, gates);
    dzh = grown(dzh, gates);
    reused = grown(reused, gates);
  }

  private static double[] zeros(double[] array, int size) {
    double[] zeros = grown(array, size);
    Arrays.fill(zeros, 0, size, 0);
    return zeros;
  }

  private double[] loaded(double[] array, Region region, int count) {
    double[] to = grown(array, count);
    Elements.load(HostKernels.segment(region), real, region.offset(), 1, to, 0, count);
    return to;
  }

  /** Writes the weights' gradients. */
  void endBackward(RecurrentTraining layer) {
    store(dw, layer.inputWeightsGradient, gates * inputs);
    store(dr, layer.recurrentWeightsGradient, gates * state);
    store(dbias, layer.biasGradient, 2 * gates);
    store(dpeepholes, layer.peepholesGradient, 3 * hidden);
    store(dprojection, layer.projectionGradient, spec.projectionSize() * hidden);
    for (int i = 0; i < layer.normalisationGradients.length; i++) {
      store(dnorms[i], layer.normalisationGradients[i], i < 4 ? gates : hidden);
    }
  }

  private void store(double[] from, Region region, int count) {
    if (region != null) {
      Elements.store(from, 0, HostKernels.segment(region), real, region.offset(), count);
    }
  }

  // ---- there ----------------------------------------------------------------------------------

  /** From {@link #x}, {@link #h} and {@link #c} to {@link #nextH} and {@link #nextC}. */
  void forward() {
    for (int j = 0; j < state; j++) {
      masked[j] = mask == null ? h[j] : h[j] * mask[j];
    }
    product(w, inputs, 0, gates, x, rawX);
    System.arraycopy(rawX, 0, normX, 0, gates);
    if (norms != null) {
      normalise(normX, 0, gates, 0);
    }
    boolean resetBefore = spec.cell() == Cell.GRU && !spec.resetAfter();
    int columns = resetBefore ? 2 * hidden : gates;
    product(r, state, 0, columns, masked, rawH);
    System.arraycopy(rawH, 0, normH, 0, columns);
    if (norms != null) {
      normalise(normH, 0, columns, 2);
    }
    switch (spec.cell()) {
      case RNN -> {
        addUp(0, hidden);
        activate(spec.activations().get(0), 0, hidden);
        System.arraycopy(y, 0, nextH, 0, hidden);
      }
      case GRU -> gru(resetBefore);
      case LSTM -> lstm();
    }
    round(nextH, state);
  }

  private void gru(boolean resetBefore) {
    List<Activation> activations = spec.activations();
    int candidate = 2 * hidden;
    addUp(0, candidate);
    activate(activations.get(0), 0, candidate);
    if (resetBefore) {
      for (int j = 0; j < hidden; j++) {
        reset[j] = y[hidden + j] * masked[j];
      }
      product(r, state, candidate, hidden, reset, rawH);
      System.arraycopy(rawH, candidate, normH, candidate, hidden);
      if (norms != null) {
        normalise(normH, candidate, hidden, 2);
      }
      addUp(candidate, hidden);
    } else {
      for (int j = 0; j < hidden; j++) {
        int n = candidate + j;
        inner[j] = normH[n] + bias[gates + n];
        a[n] = normX[n] + bias[n] + y[hidden + j] * inner[j];
      }
    }
    activate(activations.get(1), candidate, hidden);
    for (int j = 0; j < hidden; j++) {
      nextH[j] = (1 - y[j]) * y[candidate + j] + y[j] * h[j];
    }
  }

  private void lstm() {
    List<Activation> activations = spec.activations();
    int output = hidden;
    int forget = 2 * hidden;
    int candidate = 3 * hidden;
    addUp(0, gates);
    if (peepholes != null) {
      for (int j = 0; j < hidden; j++) {
        a[j] += peepholes[j] * c[j];
        a[forget + j] += peepholes[2 * hidden + j] * c[j];
      }
    }
    activate(activations.get(0), 0, hidden);
    activate(activations.get(0), forget, hidden);
    activate(activations.get(1), candidate, hidden);
    for (int j = 0; j < hidden; j++) {
      if (spec.coupled()) {
        y[forget + j] = 1 - y[j];
      }
      nextC[j] = y[forget + j] * c[j] + y[j] * y[candidate + j];
    }
    round(nextC, hidden);
    for (int j = 0; j < hidden && peepholes != null; j++) {
      a[output + j] += peepholes[hidden + j] * nextC[j];
    }
    activate(activations.get(0), output, hidden);
    System.arraycopy(nextC, 0, cell, 0, hidden);
    if (norms != null) {
      normalise(cell, 0, hidden, 4);
    }
    System.arraycopy(cell, 0, squashed, 0, hidden);
    ScalarActivations.apply(activations.get(2), squashed, 0, hidden);
    for (int j = 0; j < hidden; j++) {
      inner[j] = y[output + j] * squashed[j];
    }
    if (projection == null) {
      System.arraycopy(inner, 0, nextH, 0, hidden);
    } else {
      product(projection, hidden, 0, state, inner, nextH);
    }
  }

  /** {@code sums[i] = Σ matrix[i] · vector} of the rows from {@code from} on. */
  private static void product(
      double[] matrix, int columns, int from, int rows, double[] vector, double[] sums) {
    for (int i = from; i < from + rows; i++) {
      double sum = 0;
      int at = i * columns;
      for (int k = 0; k < columns; k++) {
        sum += matrix[at + k] * vector[k];
      }
      sums[i] = sum;
    }
  }

  private void addUp(int from, int count) {
    for (int j = from; j < from + count; j++) {
      a[j] = normX[j] + bias[j] + normH[j] + bias[gates + j];
    }
  }

  private void activate(Activation activation, int from, int count) {
    for (int j = from; j < from + count; j++) {
      y[j] = clip > 0 ? Math.max(-clip, Math.min(clip, a[j])) : a[j];
    }
    ScalarActivations.apply(activation, y, from, count);
  }

  private void normalise(double[] values, int from, int count, int which) {
    ScalarRows.normalise(
        values,
        from,
        count,
        norms[which],
        norms[which + 1],
        which < 4 ? from : 0,
        spec.layerNormEpsilon());
  }

  private void round(double[] values, int count) {
    for (int j = 0; j < count && real == DType.FLOAT32; j++) {
      values[j] = (float) values[j];
    }
  }

  // ---- back -----------------------------------------------------------------------------------

  /**
   * After {@link #forward}: {@link #dh} and {@link #dc}, the gradients of the next states, become
   * those of the states before, {@link #dx} that of the input, and the weights' are added up.
   */
  void backward() {
    switch (spec.cell()) {
      case RNN -> {
        derive(spec.activations().get(0), dh, 0, 0, hidden);
        Arrays.fill(dh, 0, state, 0);
        System.arraycopy(da, 0, dzx, 0, hidden);
        System.arraycopy(da, 0, dzh, 0, hidden);
        addBiases(0, hidden);
        recurrentBack(0, gates, masked);
      }
      case GRU -> gruBack();
      case LSTM -> lstmBack();
    }
    if (norms != null) {
      normBack(rawX, dzx, 0, gates, 0);
    }
    outer(dw, inputs, 0, gates, dzx, x);
    Arrays.fill(dx, 0, inputs, 0);
    turnedProduct(w, inputs, 0, gates, dzx, dx);
  }

  private void gruBack() {
    List<Activation> activations = spec.activations();
    int candidate = 2 * hidden;
    boolean resetBefore = !spec.resetAfter();
    for (int j = 0; j < hidden; j++) {
      double z = y[j];
      dcell[j] = dh[j] * (1 - z);
      // The gate's gradient waits where the candidate's is not: at z.
      reused[j] = dh[j] * (h[j] - y[candidate + j]);
      dh[j] *= z;
    }
    derive(activations.get(1), dcell, 0, candidate, hidden);
    for (int j = 0; j < hidden; j++) {
      int n = candidate + j;
      dzx[n] = da[n];
      dbias[n] += da[n];
      if (!resetBefore) {
        reused[hidden + j] = da[n] * inner[j];
        dzh[n] = da[n] * y[hidden + j];
      } else {
        dzh[n] = da[n];
      }
      dbias[gates + n] += dzh[n];
    }
    if (resetBefore) {
      if (norms != null) {
        normBack(rawH, dzh, candidate, hidden, 2);
      }
      outer(dr, state, candidate, hidden, dzh, reset);
      Arrays.fill(dcell, 0, hidden, 0);
      turnedProduct(r, state, candidate, hidden, dzh, dcell);
      for (int j = 0; j < hidden; j++) {
        reused[hidden + j] = dcell[j] * masked[j];
        dcell[j] *= y[hidden + j];
        dh[j] += mask == null ? dcell[j] : dcell[j] * mask[j];
      }
    }
    derive(activations.get(0), reused, 0, 0, 2 * hidden);
    System.arraycopy(da, 0, dzx, 0, 2 * hidden);
    System.arraycopy(da, 0, dzh, 0, 2 * hidden);
    addBiases(0, 2 * hidden);
    recurrentBack(0, resetBefore ? 2 * hidden : gates, masked);
  }

  private void lstmBack() {
    List<Activation> activations = spec.activations();
    int output = hidden;
    int forget = 2 * hidden;
    int candidate = 3 * hidden;
    double[] dinner = dcell;
    if (projection == null) {
      System.arraycopy(dh, 0, dinner, 0, hidden);
    } else {
      outer(dprojection, hidden, 0, state, dh, inner);
      Arrays.fill(dinner, 0, hidden, 0);
      turnedProduct(projection, hidden, 0, state, dh, dinner);
    }
    for (int j = 0; j < hidden; j++) {
      reused[output + j] = dinner[j] * squashed[j];
      dinner[j] *=
          y[output + j] * ActivationDerivatives.of(activations.get(2), cell[j], squashed[j]);
    }
    if (norms != null) {
      System.arraycopy(nextC, 0, cell, 0, hidden);
      LayerNormDerivative.apply(
          cell, dinner, 0, hidden, norms[4], 0, spec.layerNormEpsilon(), dnorms[4], dnorms[5]);
    }
    derive(activations.get(0), reused, output, output, hidden);
    for (int j = 0; j < hidden; j++) {
      dc[j] += dinner[j];
      if (peepholes != null) {
        dc[j] += peepholes[hidden + j] * da[output + j];
        dpeepholes[hidden + j] += da[output + j] * nextC[j];
      }
      double dforget = dc[j] * c[j];
      reused[j] = dc[j] * y[candidate + j] - (spec.coupled() ? dforget : 0);
      reused[forget + j] = spec.coupled() ? 0 : dforget;
      reused[candidate + j] = dc[j] * y[j];
      dc[j] *= y[forget + j];
    }
    derive(activations.get(0), reused, 0, 0, hidden);
    if (spec.coupled()) {
      Arrays.fill(da, forget, forget + hidden, 0);
    } else {
      derive(activations.get(0), reused, forget, forget, hidden);
    }
    derive(activations.get(1), reused, candidate, candidate, hidden);
    for (int j = 0; j < hidden && peepholes != null; j++) {
      dc[j] += peepholes[j] * da[j] + peepholes[2 * hidden + j] * da[forget + j];
      dpeepholes[j] += da[j] * c[j];
      dpeepholes[2 * hidden + j] += da[forget + j] * c[j];
    }
    System.arraycopy(da, 0, dzx, 0, gates);
    System.arraycopy(da, 0, dzh, 0, gates);
    addBiases(0, gates);
    Arrays.fill(dh, 0, state, 0);
    recurrentBack(0, gates, masked);
  }

  /** {@code da = given ∘ activation'}; 0 where the clip holds the argument. */
  private void derive(Activation activation, double[] given, int givenFrom, int from, int count) {
    for (int j = 0; j < count; j++) {
      int at = from + j;
      da[at] =
          clip > 0 && Math.abs(a[at]) > clip
              ? 0
              : given[givenFrom + j] * ActivationDerivatives.of(activation, a[at], y[at]);
    }
  }

  private void addBiases(int from, int count) {
    for (int j = from; j < from + count; j++) {
      dbias[j] += dzx[j];
      dbias[gates + j] += dzh[j];
    }
  }

  /** From the gradients of the recurrent product to those of its weights and the hidden state. */
  private void recurrentBack(int from, int count, double[] left) {
    if (norms != null) {
      normBack(rawH, dzh, from, count, 2);
    }
    outer(dr, state, from, count, dzh, left);
    Arrays.fill(before, 0, state, 0);
    turnedProduct(r, state, from, count, dzh, before);
    for (int j = 0; j < state; j++) {
      dh[j] += mask == null ? before[j] : before[j] * mask[j];
    }
  }

  private void normBack(double[] raw, double[] gradient, int from, int count, int which) {
    LayerNormDerivative.apply(
        raw,
        gradient,
        from,
        count,
        norms[which],
        from,
        spec.layerNormEpsilon(),
        dnorms[which],
        dnorms[which + 1]);
  }

  /** {@code sums[i] += gradient[i] · vector}. */
  private static void outer(
      double[] sums, int columns, int from, int rows, double[] gradient, double[] vector) {
    for (int i = from; i < from + rows; i++) {
      int at = i * columns;
      for (int k = 0; k < columns; k++) {
        sums[at + k] += gradient[i] * vector[k];
      }
    }
  }

  /** {@code sums += Σ gradient[i] · matrix[i]}. */
  private static void turnedProduct(
      double[] matrix, int columns, int from, int rows, double[] gradient, double[] sums) {
    for (int i = from; i < from + rows; i++) {
      int at = i * columns;
      for (int k = 0; k < columns; k++) {
        sums[k] += gradient[i] * matrix[at + k];
      }
    }
  }
}
