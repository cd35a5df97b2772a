package io.gatun.graph;

import io.gatun.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * ONNX' losses, on the host: {@code [batch, classes, …]} against labels {@code [batch, …]},
 * weighted by class. What trains a network is {@link CrossEntropyOperator}.
 */
record LossOperators(String type, boolean ofScores) implements HostOperator {

  static List<Operator> all() {
    return List.of(
        new LossOperators("SoftmaxCrossEntropyLoss", true),
        new LossOperators("NegativeLogLikelihoodLoss", false));
  }

  @Override
  public void infer(Inference inference) {
    ElementwiseOperators.requireReal(inference);
    int rank = inference.rank(0);
    if (rank < 2) {
      throw inference.error("input is " + inference.dims(0) + ", expected [batch, classes, …]");
    }
    List<Dim> labels = new ArrayList<>(inference.dims(0));
    labels.remove(1);
    inference.expect(1, labels.toArray(new Dim[0]));
    if (inference.type(1) != DType.INT32 && inference.type(1) != DType.INT64) {
      throw inference.error(
          "labels are " + inference.type(1).label() + ", expected int32 or int64");
    }
    if (inference.has(2)) {
      inference.expect(2, inference.dim(0, 1));
    }
    String reduction = inference.attributes().string("reduction", "mean");
    if (!List.of("none", "sum", "mean").contains(reduction)) {
      throw inference.error("reduction is '" + reduction + "', expected none, sum or mean");
    }
    inference.output(inference.type(0), reduction.equals("none") ? labels : List.of());
    if (ofScores) {
      inference.output(inference.type(0), inference.dims(0));
    }
  }

  @Override
  public void compute(Call call) {
    HostArray x = call.in(0);
    int classes = (int) x.dims[1];
    int inner = x.product(2, x.dims.length);
    double[] logarithms = ofScores ? logSoftmax(x.reals, classes, inner) : x.reals;
    boolean ignores = call.attributes().has("ignore_index");
    long ignored = call.attributes().integer("ignore_index", 0);
    String reduction = call.attributes().string("reduction", "mean");
    double sum = 0;
    double weights = 0;
    for (int i = 0; i < call.in(1).count; i++) {
      long label = call.in(1).wholes[i];
      double loss = 0;
      if (!ignores || label != ignored) {
        if (label < 0 || label >= classes) {
          throw new IndexOutOfBoundsException(
              call.node().name() + ": label " + label + " of " + classes + " classes");
        }
        double weight = call.in(2) == null ? 1 : call.in(2).reals[(int) label];
        loss = -weight * logarithms[(i / inner * classes + (int) label) * inner + i % inner];
        weights += weight;
      }
      sum += loss;
      if (reduction.equals("none")) {
        call.out(0).reals[i] = loss;
      }
    }
    if (!reduction.equals("none")) {
      call.out(0).reals[0] = reduction.equals("sum") ? sum : sum / weights;
    }
    if (ofScores && call.out(1) != null) {
      System.arraycopy(logarithms, 0, call.out(1).reals, 0, logarithms.length);
    }
  }

  private static double[] logSoftmax(double[] x, int classes, int inner) {
    double[] y = new double[x.length];
    double[] row = new double[classes];
    for (int i = 0; classes > 0 && i < x.length / classes; i++) {
      int begin = i / inner * inner * classes + i % inner;
      Arrays.setAll(row, k -> x[begin + k * inner]);
      double most = Arrays.stream(row).max().getAsDouble();
      double sum = 0;
      for (double value : row) {
        sum += Math.exp(value - most);
      }
      for (int k = 0; k < classes; k++) {
        y[begin + k * inner] = row[k] - most - Math.log(sum);
      }
    }
    return y;
  }
}
