package io.gatun.graph;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The operators there are. Those of ONNX have its names and its meaning; the library's own are
 * {@code MaskedSoftmax} (softmax over the last axis of [batch, …, size] in which sequence b ends at
 * lengths[b]), {@code CrossEntropy} (the loss of logits and labels), {@code Assume} (a value, where
 * a condition holds), {@code Affine}, {@code ScaledTanh}, and of {@code RNN}, {@code GRU} and
 * {@code LSTM} the inputs 8 and later (projection, layer normalisation) and {@code layout} 2 (time,
 * batch, directions). What ONNX allows and this does not have is refused when a node is added or a
 * plan is made, by an exception that names the node.
 *
 * <p>Two settings count in training alone ({@link Gradients}): {@code shared_axes} of {@code
 * Dropout}, axes along which one mask is shared (with the time axis among them every sequence has
 * one mask), and {@code recurrent_dropout} of the recurrent layers, the share of the hidden state
 * that is dropped where it enters the recurrent products, one mask for all steps of a sequence.
 */
public final class Operators {
  private static final Map<String, Operator> ALL = new TreeMap<>();

  static {
    List<Operator> list = new ArrayList<>();
    list.addAll(ElementwiseOperators.all());
    list.addAll(MatrixOperators.all());
    list.addAll(ShapeOperators.all());
    list.addAll(FunctionOperators.all());
    list.addAll(SelectionOperators.all());
    list.addAll(RowOperators.all());
    list.addAll(ReductionOperators.all());
    list.addAll(RecurrentOperator.all());
    list.add(new ConvolutionOperator());
    list.addAll(PoolOperators.all());
    list.add(new BatchNormalizationOperator());
    list.add(new ResizeOperator());
    list.addAll(QuantizationOperators.all());
    list.addAll(LossOperators.all());
    list.addAll(HostOperators.all());
    list.addAll(SignalOperators.all());
    list.addAll(ImageOperators.all());
    list.addAll(AttentionOperators.all());
    list.add(new CrossEntropyOperator());
    list.addAll(ControlOperator.all());
    list.add(new AssumeOperator());
    list.forEach(operator -> ALL.put(operator.type(), operator));
  }

  private Operators() {}

  /** All, by name. */
  public static Map<String, Operator> all() {
    return Collections.unmodifiableMap(ALL);
  }

  /**
   * The operator of a name.
   *
   * @throws UnsupportedOperationException if there is none, naming those that come close
   */
  public static Operator get(String type) {
    Operator operator = ALL.get(type);
    if (operator == null) {
      throw new UnsupportedOperationException(
          "no operator is called " + type + "; " + Names.suggest(type, ALL.keySet()));
    }
    return operator;
  }
}
