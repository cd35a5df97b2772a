/**
 * Networks as graphs: immutable nodes, named values and constants; operators, which have the
 * meaning of the ONNX operators of the same name; the plan, which is a graph compiled for the
 * values that were asked for (pruned, shapes inferred, fused, weights packed, memory laid out); and
 * the execution, one thread's run of a plan. Files and text are unknown here.
 *
 * <pre>{@code
 * Graph.Builder g = Graph.builder("classifier");
 * Value x = g.input("x", DType.FLOAT32, "batch", 3);
 * Value sum = g.node("sum", "MatMul", Attributes.NONE, x, g.constant("W", weights));
 * Value hidden = g.activate("hidden", Activation.TANH, sum);
 * g.output(g.node("probabilities", "Softmax", Attributes.NONE, hidden));
 * try (Plan plan = Plan.of(g.build(), "hidden", "probabilities");
 *     Execution run = plan.newExecution()) {
 *   run.input("x", batch).run();
 *   float[] representation = run.output("hidden").toFloats(); // [batch, 2]
 *   float[] probabilities = run.output("probabilities").toFloats();
 * }
 * }</pre>
 *
 * <p>A {@link io.gatun.graph.Graph} and a {@link io.gatun.graph.Plan} are immutable and shared by
 * threads; an {@link io.gatun.graph.Execution} belongs to one at a time. The operators there are,
 * and where they go beyond ONNX, are listed in {@link io.gatun.graph.Operators}.
 */
package io.gatun.graph;
