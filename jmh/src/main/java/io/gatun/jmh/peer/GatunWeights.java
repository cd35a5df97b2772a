package io.gatun.jmh.peer;

import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.kernel.Devices;
import io.gatun.kernel.WeightFormat;

/** A recurrent layer here, with weights in a format of fewer bits. */
public final class GatunWeights extends GatunLayer {
  private final WeightFormat format;

  /** With weights in a format. */
  public GatunWeights(WeightFormat format) {
    this.format = format;
  }

  @Override
  public String name() {
    return super.name() + " " + format.label();
  }

  @Override
  Plan plan(Graph graph) {
    return Plan.on(Devices.best(), format, graph, "Y");
  }
}
