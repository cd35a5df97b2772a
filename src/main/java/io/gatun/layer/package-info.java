/**
 * What a person builds a network from: dense and embedding layers, recurrent layers, convolutions,
 * normalisation, attention. Each layer adds nodes to a graph, and values that are called like it.
 * The weight conventions of other frameworks (gate order, reset before or after the product,
 * biases) are converted here, once, by the name of the convention; the numbers stay where they lie
 * until a plan packs them.
 *
 * <pre>{@code
 * Graph.Builder g = Graph.builder("encoder");
 * Value tokens = g.input("tokens", DType.INT32, "time", "batch");
 * Value lengths = g.input("lengths", DType.INT32, "batch");
 * Value x = Embedding.of("embedding", Weights.of(Convention.PYTORCH, Map.of("weight", table)))
 *     .apply(g, tokens);
 * Recurrent.Result lstm =
 *     Lstm.builder("lstm")
 *         .weights(Weights.of(Convention.PYTORCH, Map.of("weight_ih", wIh, "weight_hh", wHh)))
 *         .build()
 *         .unroll(g, x, lengths);
 * g.output(lstm.hidden());
 * try (Plan plan = Plan.of(g.build(), "lstm.hidden", "lstm.cell");
 *     Execution run = plan.newExecution()) {
 *   run.input("tokens", ids).input("lengths", sizes).run();
 *   Tensor context = run.output("lstm.hidden");
 * }
 * }</pre>
 *
 * <p>Sequences are {@code [time, batch, features]}; lengths are int32 {@code [batch]}. A {@link
 * io.gatun.layer.Weights} names its tensors as its framework does ({@link
 * io.gatun.layer.Convention}), and what does not fit is an exception that names the layer, the
 * weight, what was expected and what came.
 */
package io.gatun.layer;
