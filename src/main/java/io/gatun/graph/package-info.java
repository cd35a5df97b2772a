/**
 * Networks as graphs: immutable nodes, named values and constants; operators, which have the
 * meaning of the ONNX operators of the same name; the plan, which is a graph compiled for the
 * values that were asked for (pruned, shapes inferred, fused, weights packed, memory laid out); and
 * the execution, one thread's run of a plan. Files and text are unknown here.
 */
package io.gatun.graph;
