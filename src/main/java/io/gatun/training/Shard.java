package io.gatun.training;

import io.gatun.format.Model;
import io.gatun.graph.Execution;
import io.gatun.graph.Gradients;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * One part of each batch: its execution, its memory, its loss and gradients. One thread at a time.
 */
final class Shard implements AutoCloseable {
  /**
   * Truncated back-propagation through time: sequences are taken in stretches; the states at the
   * end of one are those at the beginning of the next, but no gradient goes back from it (Williams
   * and Peng 1990, with the gradients of a batch's stretches added).
   *
   * @param steps time steps of a stretch; 0 for whole sequences
   * @param states what is handed on
   */
  record Stretches(int steps, List<Model.State> states) {}

  private final Execution execution;
  private final Execution scoring;
  private final String scores;
  private final Gradients gradients;
  private final Slab slab;
  private final Tensor seed;
  private final Parameters parameters;
  private final Region memory;

  /** Gradients of one stretch; the memory itself where sequences are whole. */
  private final Region part;

  private final Stretches stretches;
  private List<Item> items = List.of();
  private double loss;
  private long terms;

  /**
   * Makes a shard.
   *
   * @param plan computes the loss and the gradients
   * @param scoring computes the scores alone, for the network's own tokens as inputs; or null
   * @param stretches in which stretches of time; the plan gives their states
   */
  Shard(
      Plan plan,
      Plan scoring,
      String scores,
      Gradients gradients,
      Parameters parameters,
      Stretches stretches,
      SharedArena arena) {
    this.stretches = stretches;
    this.parameters = parameters;
    this.gradients = gradients;
    this.scores = scores;
    this.slab = new Slab(arena);
    this.seed = Tensor.allocate(arena, DType.INT64, 1);
    this.memory = parameters.newGradients();
    this.part = stretches.steps() > 0 ? parameters.newGradients() : memory;
    this.execution = plan.newExecution();
    this.scoring = scoring == null ? null : scoring.newExecution();
    for (String name : gradients.parameters()) {
      parameters.give(execution, name);
      execution.output(gradients.name(name), parameters.gradient(name, part));
      if (this.scoring != null && has(scoring, name)) {
        parameters.give(this.scoring, name);
      }
    }
  }

  private static boolean has(Plan plan, String input) {
    return plan.inputs().stream().anyMatch(value -> value.name().equals(input));
  }

  /**
   * Computes loss and gradients of some items.
   *
   * @param number from which dropout draws
   * @param forced the share of target tokens that are given; the others are the network's own
   */
  void run(List<Item> batch, long number, double forced) {
    items = batch;
    slab.reset();
    seed.setLong(number, 0);
    terms = 0;
    for (Item item : batch) {
      terms += item.terms();
    }
    if (stretches.steps() > 0) {
      runStretches();
      return;
    }
    Map<String, Tensor> inputs = Inputs.of(execution.plan().inputs(), batch, slab);
    if (gradients.needsSeed()) {
      inputs.put(Gradients.SEED, seed);
    }
    if (forced < 1 && scoring != null) {
      guess(inputs, number, forced);
    }
    give(execution, inputs);
    execution.run();
    loss = lossOfRun();
  }

  private double lossOfRun() {
    return execution.output(execution.plan().outputs().get(0).name()).toFloats()[0];
  }

  private void runStretches() {
    List<Value> read = new ArrayList<>();
    Map<String, Value> begin = new LinkedHashMap<>();
    for (Value input : execution.plan().inputs()) {
      if (stretches.states().stream().anyMatch(s -> s.input().equals(input.name()))) {
        begin.put(input.name(), input);
      } else {
        read.add(input);
      }
    }
    int features = Inputs.features(read, items);
    int longest = 0;
    for (Item item : items) {
      longest = Math.max(longest, item.numbers().length / features);
    }
    execution.kernels().fill(memory, DType.FLOAT32, memory.bytes() / Float.BYTES, 0);
    loss = 0;
    for (int from = 0; from < longest; from += stretches.steps()) {
      int first = from;
      List<Item> stretch =
          items.stream().map(i -> i.stretch(first, first + stretches.steps(), features)).toList();
      slab.reset();
      Map<String, Tensor> inputs = Inputs.of(read, stretch, slab);
      if (gradients.needsSeed()) {
        inputs.put(Gradients.SEED, seed);
      }
      for (Model.State state : stretches.states()) {
        long size = begin.get(state.input()).dim(1).size();
        Tensor begins = slab.tensor(DType.FLOAT32, items.size(), size);
        inputs.put(
            state.input(), from == 0 ? begins : begins.copyFrom(execution.output(state.output())));
      }
      give(execution, inputs);
      execution.run();
      loss += lossOfRun();
      parameters.addAll(execution.kernels(), memory, part);
    }
    execution.kernels().synchronize();
  }

  private static void give(Execution execution, Map<String, Tensor> inputs) {
    inputs.forEach(
        (name, tensor) -> {
          if (has(execution.plan(), name)) {
            execution.input(name, tensor);
          }
        });
  }

  /**
   * Puts the network's own tokens in place of some of the target's: what it finds most probable
   * where the target's are given (scheduled sampling of Bengio et al. 2015, in one pass over the
   * whole target as Mihaylova and Martins 2019 have it).
   */
  private void guess(Map<String, Tensor> inputs, long number, double forced) {
    give(scoring, inputs);
    scoring.run();
    Tensor output = scoring.output(scores);
    float[] all = output.toFloats();
    int size = (int) output.dim(2);
    Tensor tokens = inputs.get("target.tokens");
    int batch = (int) tokens.dim(1);
    SplittableRandom random = new SplittableRandom(number);
    // The token of step t is a guess from the scores of step t − 1; the start symbol stays.
    for (int t = 1; t < tokens.dim(0); t++) {
      for (int b = 0; b < batch; b++) {
        boolean own = random.nextDouble() >= forced;
        if (own && t < items.get(b).target().length - 1) {
          int from = ((t - 1) * batch + b) * size;
          int best = 0;
          for (int k = 1; k < size; k++) {
            best = all[from + k] > all[from + best] ? k : best;
          }
          tokens.segment().setAtIndex(ValueLayout.JAVA_INT, (long) t * batch + b, best);
        }
      }
    }
  }

  /** The sum of the losses of the last run. */
  double loss() {
    return loss;
  }

  /** The number of terms of that sum. */
  long terms() {
    return terms;
  }

  /** The gradients of the last run, as {@link Parameters} lays them out. */
  Region memory() {
    return memory;
  }

  /** The items of the last run. */
  List<Item> items() {
    return items;
  }

  /**
   * Runs the last items again, and finds the first value with a number as large as a limit, or that
   * is none.
   *
   * @return its name; empty if there is none
   */
  String firstBeyond(double limit, SharedArena arena) {
    List<String> names = new ArrayList<>();
    gradients
        .graph()
        .nodes()
        .forEach(
            node ->
                node.outputs().stream()
                    .filter(value -> value.type().isFloat())
                    .map(Value::name)
                    .forEach(names::add));
    try (Plan plan =
            Plan.on(execution.plan().device(), gradients.graph(), names.toArray(new String[0]));
        Execution again = plan.newExecution()) {
      Map<String, Tensor> inputs = Inputs.of(plan.inputs(), items, new Slab(arena));
      inputs.put(Gradients.SEED, seed);
      give(again, inputs);
      for (String name : gradients.parameters()) {
        if (has(plan, name)) {
          again.input(name, parameters.tensor(name));
        }
      }
      again.run();
      for (String name : names) {
        if (!Parameters.within(again.output(name), limit)) {
          return name;
        }
      }
    }
    return "";
  }

  @Override
  public void close() {
    execution.close();
    if (scoring != null) {
      scoring.close();
    }
  }
}
