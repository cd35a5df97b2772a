package io.gatun.jmh.peer;

import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.kernel.Workers;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;

/** A recurrent layer here, on the device that the library chooses. */
public class GatunLayer implements Peer<LayerProblem> {
  private final Arena arena = Arena.ofConfined();
  private Workers workers;
  private Plan plan;
  private Execution run;

  @Override
  public String name() {
    return "Gatun";
  }

  @Override
  public void prepare(LayerProblem problem, int threads) {
    workers = new Workers(threads);
    plan = plan(problem.graph(arena));
    run = plan.newExecution(workers);
    run.input("x", problem.input(arena));
    if (problem.lengths() != null) {
      run.input("lengths", Tensor.ofInts(arena, problem.lengths(), problem.batch()));
    }
  }

  /** A plan of the value {@code Y}. */
  Plan plan(Graph graph) {
    return Plan.of(graph, "Y");
  }

  @Override
  public void run() {
    run.run();
  }

  @Override
  public float[] output() {
    return run.output("Y").toFloats();
  }

  @Override
  public void close() {
    if (run != null) {
      run.close();
    }
    if (plan != null) {
      plan.close();
    }
    if (workers != null) {
      workers.close();
    }
    arena.close();
  }
}
