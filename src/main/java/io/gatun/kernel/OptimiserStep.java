package io.gatun.kernel;

/**
 * One step of an optimiser over parameters w with gradients g, in place: what {@link
 * Kernels#optimise} does to each element. With {@code g' = gradientScale · g}:
 *
 * <pre>
 * SGD    d = g' + decay · w;   u ← first · u + d;   w ← w − rate · u
 *        (Nesterov: w ← w − rate · (d + first · u); u is the first moment, and is not there where
 *        first is 0)
 * ADAM   d = g' + decay · w;   m ← first · m + (1 − first) · d;   v ← second · v + (1 − second) · d²
 *        w ← w − rate · (m / firstCorrection) / (√(v / secondCorrection) + epsilon)
 * ADAMW  w ← w − rate · decay · w, then as ADAM with d = g'
 * </pre>
 *
 * <p>The corrections are {@code 1 − first^t} and {@code 1 − second^t} in step t, counted from 1
 * (Kingma and Ba 2015); the decay of ADAMW is that of Loshchilov and Hutter 2019. Immutable.
 *
 * @param rule the equations
 * @param rate the learning rate
 * @param first the decay of the first moment: momentum, or β₁
 * @param second the decay of the second moment: β₂; SGD has none
 * @param epsilon what is added to the root of the second moment
 * @param decay weight decay
 * @param nesterov SGD: whether the momentum looks ahead
 * @param gradientScale what gradients are multiplied by, for clipping
 * @param firstCorrection by which the first moment is divided
 * @param secondCorrection by which the second moment is divided
 */
public record OptimiserStep(
    Rule rule,
    double rate,
    double first,
    double second,
    double epsilon,
    double decay,
    boolean nesterov,
    double gradientScale,
    double firstCorrection,
    double secondCorrection) {

  /** The equations of a step. */
  public enum Rule {
    /** Stochastic gradient descent, with momentum where it is not 0. */
    SGD,
    /** Adam. */
    ADAM,
    /** Adam with decoupled weight decay. */
    ADAMW
  }

  /** How many moments the rule keeps for each parameter. */
  public int moments() {
    return rule != Rule.SGD ? 2 : first != 0 ? 1 : 0;
  }
}
