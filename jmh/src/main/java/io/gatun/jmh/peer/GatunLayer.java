package io.gatun.jmh.peer;

import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.kernel.Devices;
import io.gatun.kernel.WeightFormat;
import io.gatun.kernel.Workers;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;

/** A recurrent layer here, on the device that the library chooses. */
public final class GatunLayer implements Peer<LayerProblem> {
  private final WeightFormat format;
  private final Arena arena = Arena.ofConfined();
  private Workers workers;
  private Plan plan;
  private Execution run;

  /** In float32. */
  public GatunLayer() {
    this(WeightFormat.FLOAT32);
  }

  /** With weights in a format. */
  public GatunLayer(WeightFormat format) {
    this.format = format;
  }

  @Override
  public String name() {
    return format == WeightFormat.FLOAT32 ? "Gatun" : "Gatun " + format.label();
  }

  @Override
  public void prepare(LayerProblem problem, int threads) {
    workers = new Workers(threads);
    plan = Plan.on(Devices.open(Peer.PROCESSOR), format, problem.graph(arena), "Y");
    run = plan.newExecution(workers);
    run.input("x", problem.input(arena));
    if (problem.lengths() != null) {
      run.input("lengths", Tensor.ofInts(arena, problem.lengths(), problem.batch()));
    }
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
