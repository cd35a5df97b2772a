package io.gatun.format;

import io.gatun.graph.Attributes;
import io.gatun.graph.Value;
import io.gatun.kernel.Activation;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Keras' attention layers, and its products of two values. */
final class KerasAttention {
  /** What Keras takes from the score of a position that is masked. */
  private static final double MASKED = 1e9;

  /** The least that the square of a length is taken for. */
  private static final double LEAST = 1e-12;

  private final KerasGraph to;

  KerasAttention(KerasGraph to) {
    this.to = to;
  }

  /** Attention (Luong) and AdditiveAttention (Bahdanau): query, value, and perhaps keys. */
  List<KerasTensor> simple(KerasCall call, boolean additive) {
    List<KerasTensor> in = call.inputs();
    if (in.size() < 2 || in.size() > 3) {
      throw call.error("works on " + in.size() + " values, expected a query, values and keys");
    }
    String name = call.name();
    KerasTensor query = in.get(0);
    KerasTensor value = in.get(1);
    KerasTensor key = in.size() > 2 ? in.get(2) : value;
    boolean concat = !additive && call.config().string("score_mode", "dot").equals("concat");
    Value scores;
    if (additive || concat) {
      Value q = to.unsqueeze(name + ".queries", query.value(), 2);
      Value k = to.unsqueeze(name + ".keys", key.value(), 1);
      Value sum = to.node(name + ".sum", "Add", q, k);
      if (concat && call.config().bool("use_scale", false)) {
        sum = to.node(name + ".scaled", "Mul", sum, weight(call, "scale"));
      }
      Value tanh = to.graph().activate(name + ".tanh", Activation.TANH, sum);
      if (additive && call.config().bool("use_scale", true)) {
        tanh = to.node(name + ".weighted", "Mul", tanh, weight(call, "scale"));
      }
      scores = to.reduce(name + ".sums", "ReduceSum", tanh, false, 3);
      if (concat) {
        scores = to.node(name + ".weighted", "Mul", scores, weight(call, "concat_score_weight"));
      }
    } else {
      Value keys = to.transpose(name + ".keys", key.value(), 0, 2, 1);
      scores = to.node(name + ".products", "MatMul", query.value(), keys);
      if (call.config().bool("use_scale", false)) {
        scores = to.node(name + ".scaled", "Mul", scores, weight(call, "scale"));
      }
    }
    boolean causal = call.setting("use_causal_mask") || call.config().bool("causal", false);
    List<Value> allowed = new ArrayList<>();
    if (value.mask() != null) {
      allowed.add(to.unsqueeze(name + ".value_mask", value.mask(), 1));
    }
    if (causal) {
      allowed.add(causal(call, name, query.value(), value.value()));
    }
    Value weights = softmax(name, scores, allowed);
    boolean queryMask = query.mask() != null;
    Value context = to.node(queryMask ? name + ".context" : name, "MatMul", weights, value.value());
    if (queryMask) {
      Value kept = to.unsqueeze(name + ".query_mask", query.mask(), 2);
      context = to.node(name, "Mul", context, kept);
    }
    List<KerasTensor> outputs = new ArrayList<>();
    outputs.add(new KerasTensor(context, query.mask()));
    outputs.add(KerasTensor.of(weights));
    return outputs;
  }

  private Value weight(KerasCall call, String part) {
    return to.constant(call.name() + "." + part, to.weight(call, part));
  }

  /** {@code NAME.weights}: softmax of the scores, where something is allowed of that alone. */
  private Value softmax(String name, Value scores, List<Value> allowed) {
    Value masked = scores;
    if (!allowed.isEmpty()) {
      Value both =
          allowed.size() == 1 ? allowed.get(0) : new KerasMasks(to).all(name + ".allowed", allowed);
      // 0 where it is allowed, −1e9 where not.
      Value penalty =
          to.graph()
              .activate(
                  name + ".penalty",
                  new Activation(Activation.Kind.AFFINE, (float) MASKED, (float) -MASKED),
                  both);
      masked = to.node(name + ".masked", "Add", scores, penalty);
    }
    return to.node(name + ".weights", "Softmax", Attributes.of("axis", -1), masked);
  }

  /** {@code [1, queries, keys]}: 1 where a key is not later than the query. */
  private Value causal(KerasCall call, String name, Value query, Value key) {
    int queries = Math.toIntExact(KerasGraph.size(call, query, 1));
    int keys = Math.toIntExact(KerasGraph.size(call, key, 1));
    float[] triangle = new float[Math.multiplyExact(queries, keys)];
    for (int q = 0; q < queries; q++) {
      for (int k = 0; k <= Math.min(q, keys - 1); k++) {
        triangle[q * keys + k] = 1;
      }
    }
    return to.constant(name + ".causal", triangle, 1, queries, keys);
  }

  /** MultiHeadAttention. */
  List<KerasTensor> multiHead(KerasCall call) {
    KerasTensor query = call.inputs().get(0);
    List<KerasTensor> values =
        call.named().getOrDefault("value", call.inputs().subList(1, call.inputs().size()));
    if (values.isEmpty()) {
      throw call.error("has a query, but no values");
    }
    KerasTensor value = values.get(0);
    List<KerasTensor> keys = call.named().getOrDefault("key", values.subList(1, values.size()));
    KerasTensor key = keys.isEmpty() ? value : keys.get(0);
    if (call.config().has("attention_axes") && !Arrays.equals(axes(call), new long[] {1})) {
      throw call.unsupported("attention_axes");
    }
    String name = call.name();
    Value q = heads(call, "query", query.value());
    Value k = heads(call, "key", key.value());
    Value v = heads(call, "value", value.value());
    double scale = 1 / Math.sqrt((double) KerasGraph.last(call, q));
    Value scaled = to.node(name + ".query.scaled", "Mul", q, to.number(name + ".scale", scale));
    Value turned = to.transpose(name + ".key.turned", k, 0, 1, 3, 2);
    Value scores = to.node(name + ".scores", "MatMul", scaled, turned);
    List<Value> allowed = new ArrayList<>();
    if (query.mask() != null) {
      allowed.add(to.unsqueeze(name + ".query_mask", query.mask(), 1, 3));
    }
    if (value.mask() != null) {
      allowed.add(to.unsqueeze(name + ".value_mask", value.mask(), 1, 2));
    }
    if (key.mask() != null && key.mask() != value.mask()) {
      allowed.add(to.unsqueeze(name + ".key_mask", key.mask(), 1, 2));
    }
    for (KerasTensor given : call.named().getOrDefault("attention_mask", List.of())) {
      Value mask = new KerasMasks(to).real(call, given.value());
      allowed.add(mask.rank() == 3 ? to.unsqueeze(name + ".attention_mask", mask, 1) : mask);
    }
    if (call.setting("use_causal_mask")) {
      allowed.add(
          to.unsqueeze(
              name + ".causal.heads", causal(call, name, query.value(), value.value()), 1));
    }
    Value weights = softmax(name, scores, allowed);
    Value context = to.node(name + ".context", "MatMul", weights, v);
    Value side = to.transpose(name + ".context.side", context, 0, 2, 1, 3);
    long size = v.dim(1).size() * v.dim(3).size();
    Value joined = to.reshape(name + ".joined", side, 0, 0, size);
    Value output = project(call, name, "attention_output", joined, size);
    List<KerasTensor> outputs = new ArrayList<>();
    outputs.add(new KerasTensor(output, query.mask()));
    outputs.add(KerasTensor.of(weights));
    return outputs;
  }

  private static long[] axes(KerasCall call) {
    Json axes = call.config().require("attention_axes");
    return axes.kind() == Json.Kind.ARRAY
        ? axes.items().stream().mapToLong(axis -> axis.integer(-8, 8)).toArray()
        : new long[] {axes.integer(-8, 8)};
  }

  /** {@code [batch, time, size]} as {@code [batch, heads, time, size of a head]}. */
  private Value heads(KerasCall call, String part, Value x) {
    Tensor kernel = to.parts(call.weights() + "." + part).get("kernel");
    if (kernel == null || kernel.rank() != 3) {
      throw call.error("has no " + part + " kernel [size, heads, size of a head]");
    }
    long heads = kernel.dim(1);
    long each = kernel.dim(2);
    String name = call.name() + "." + part;
    Value flat = project(call, name, part, x, kernel.dim(0));
    Value apart = to.reshape(name + ".apart", flat, 0, 0, heads, each);
    return to.transpose(name + ".heads", apart, 0, 2, 1, 3);
  }

  /** A dense layer whose kernel has more axes on one side, or both. */
  private Value project(KerasCall call, String name, String part, Value x, long inputs) {
    String prefix = call.weights() + "." + part;
    Tensor kernel = to.parts(prefix).get("kernel");
    Tensor bias = to.parts(prefix).get("bias");
    if (kernel == null || inputs == 0 || kernel.elements() % inputs != 0) {
      throw call.error("has no " + part + " kernel of " + inputs + " inputs");
    }
    long outputs = kernel.elements() / inputs;
    String made = name.equals(call.name()) ? name + ".output" : name;
    Value matrix =
        to.constant(made + ".kernel", kernel.contiguous(to.arena()).reshape(inputs, outputs));
    Value y = to.node(bias == null ? name : made + ".product", "MatMul", x, matrix);
    if (bias == null) {
      return y;
    }
    return to.node(
        name, "Add", y, to.constant(made + ".bias", bias.contiguous(to.arena()).reshape(outputs)));
  }

  /** The layer Dot: products along an axis of each of two values. */
  Value dot(KerasCall call) {
    if (call.inputs().size() != 2) {
      throw call.error("works on " + call.inputs().size() + " values, expected two");
    }
    String name = call.name();
    Value a = call.inputs().get(0).value();
    Value b = call.inputs().get(1).value();
    Json stated = call.config().require("axes");
    boolean list = stated.kind() == Json.Kind.ARRAY;
    long first = list ? stated.items().get(0).integer(-8, 8) : stated.integer(-8, 8);
    long second = list ? stated.items().get(1).integer(-8, 8) : first;
    if (a.rank() < 2 || a.rank() > 3 || b.rank() < 2 || b.rank() > 3) {
      throw call.unsupported("inputs " + a + " and " + b);
    }
    int axisA = KerasGraph.axis(call, first, a.rank());
    int axisB = KerasGraph.axis(call, second, b.rank());
    if (call.config().bool("normalize", false)) {
      a = unit(name + ".left", a, axisA);
      b = unit(name + ".right", b, axisB);
    }
    // [batch, rows, inner] · [batch, inner, columns]
    Value left = a.rank() == 2 ? to.unsqueeze(name + ".left3", a, 1) : a;
    if (a.rank() == 3 && axisA == 1) {
      left = to.transpose(name + ".left3", a, 0, 2, 1);
    }
    Value right = b.rank() == 2 ? to.unsqueeze(name + ".right3", b, 2) : b;
    if (b.rank() == 3 && axisB == 2) {
      right = to.transpose(name + ".right3", b, 0, 2, 1);
    }
    boolean both = a.rank() == 3 && b.rank() == 3;
    Value product = to.node(both ? name : name + ".product", "MatMul", left, right);
    if (both) {
      return product;
    }
    // Of two vectors [batch, 1], of a matrix and a vector what is left of the matrix.
    return to.squeeze(name, product, b.rank() == 2 ? 2 : 1);
  }

  /** Divides by the length along an axis. */
  Value unit(String name, Value x, int axis) {
    Value squares = to.node(name + ".squares", "Mul", x, x);
    Value sum = to.reduce(name + ".sum", "ReduceSum", squares, true, axis);
    Value bounded = to.node(name + ".bounded", "Max", sum, to.number(name + ".least", LEAST));
    return to.node(name, "Div", x, to.node(name + ".length", "Sqrt", bounded));
  }
}
