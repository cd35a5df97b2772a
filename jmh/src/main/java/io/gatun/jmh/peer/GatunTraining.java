package io.gatun.jmh.peer;

import io.gatun.graph.Execution;
import io.gatun.graph.Gradients;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.BinaryOperation;
import io.gatun.kernel.Devices;
import io.gatun.kernel.HostBuffer;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.OptimiserStep;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A step of training here, as {@code gatun train} does it: the batch is dealt out to as many shards
 * as there are threads, their gradients are added, clipped, and Adam changes the weights in place.
 */
final class GatunTraining implements Peer<TrainingProblem> {
  private static final long ALIGN = Tensor.ALIGNMENT / Float.BYTES;
  private static final double FIRST = 0.9;
  private static final double SECOND = 0.999;

  private final SharedArena arena = SharedArena.open("a step of training");
  private final List<AutoCloseable> opened = new ArrayList<>();
  private final List<Execution> shards = new ArrayList<>();
  private final List<MemorySegment> gradients = new ArrayList<>();
  private final Map<String, Long> offsets = new LinkedHashMap<>();
  private final Workers.Task forwardAndBack = (part, worker) -> shards.get(part).run();
  private TrainingProblem problem;
  private Map<String, Tensor> weights;
  private Workers workers;
  private Kernels kernels;
  private MemorySegment means;
  private MemorySegment squares;
  private long size;
  private long steps;
  private double scale;

  @Override
  public String name() {
    return "Gatun";
  }

  @Override
  public void prepare(TrainingProblem problem, int threads) {
    this.problem = problem;
    TrainingProblem.Network network = problem.network(arena);
    weights = network.weights();
    weights.forEach(
        (name, tensor) -> {
          offsets.put(name, size);
          size += (tensor.elements() + ALIGN - 1) / ALIGN * ALIGN;
        });
    means = arena.allocate(size * Float.BYTES, Tensor.ALIGNMENT);
    squares = arena.allocate(size * Float.BYTES, Tensor.ALIGNMENT);
    List<String> constants = Gradients.trainable(network.graph());
    Gradients all = Gradients.of(network.graph(), TrainingProblem.LOSS, constants);
    workers = new Workers(threads);
    opened.add(workers);
    Plan plan = Plan.on(Devices.open(Peer.PROCESSOR), all.graph());
    opened.add(plan);
    kernels = plan.device().open(workers);
    opened.add(kernels);
    for (int i = 0; i < threads; i++) {
      Execution shard = plan.newExecution();
      opened.add(shard);
      shards.add(shard);
      MemorySegment memory = arena.allocate(size * Float.BYTES, Tensor.ALIGNMENT);
      gradients.add(memory);
      for (String constant : all.parameters()) {
        Value value = network.graph().value(constant);
        Tensor tensor = value.constant().view().orElseThrow();
        shard.input(constant, tensor);
        shard.output(all.name(constant), gradient(name(tensor), memory));
      }
      if (all.needsSeed()) {
        shard.input(Gradients.SEED, Tensor.ofLongs(arena, new long[] {i}, 1));
      }
      give(shard, i, threads);
    }
  }

  private String name(Tensor view) {
    for (Map.Entry<String, Tensor> each : weights.entrySet()) {
      if (each.getValue().segment().address() == view.segment().address()) {
        return each.getKey();
      }
    }
    throw new IllegalStateException("a constant that is none of the weights");
  }

  private Tensor gradient(String name, MemorySegment memory) {
    Tensor tensor = weights.get(name);
    long from = offsets.get(name) * Float.BYTES;
    return Tensor.wrap(
        memory.asSlice(from, tensor.byteSize()), DType.FLOAT32, tensor.shape().dims());
  }

  /** Every {@code count}-th sequence of the batch. */
  private void give(Execution shard, int first, int count) {
    int some = (problem.batch() - first + count - 1) / count;
    if (problem.config() == null) {
      shard.input("x", numbers(problem.input(), some, first, count));
      shard.input("y", numbers(problem.values(), some, first, count));
      return;
    }
    int source = (int) weights.get("encoder.embedding.data").dim(0);
    int target = (int) weights.get("decoder.embedding.data").dim(0);
    shard.input("tokens", tokens(problem.source(source), some, first, count));
    shard.input("target.tokens", tokens(problem.target(target), some, first, count));
    shard.input("labels", tokens(problem.labels(target), some, first, count));
    int[] lengths = new int[some];
    Arrays.fill(lengths, problem.time());
    shard.input("lengths", Tensor.ofInts(arena, lengths, some));
    int[] targetLengths = new int[some];
    Arrays.fill(targetLengths, problem.targetTime());
    if (shard.plan().inputs().stream().anyMatch(v -> v.name().equals("target.lengths"))) {
      shard.input("target.lengths", Tensor.ofInts(arena, targetLengths, some));
    }
  }

  private Tensor numbers(float[] all, int some, int first, int count) {
    int batch = problem.batch();
    int hidden = problem.hidden();
    float[] part = new float[problem.time() * some * hidden];
    for (int t = 0; t < problem.time(); t++) {
      for (int i = 0; i < some; i++) {
        int from = (t * batch + first + i * count) * hidden;
        System.arraycopy(all, from, part, (t * some + i) * hidden, hidden);
      }
    }
    return Tensor.ofFloats(arena, part, problem.time(), some, hidden);
  }

  private Tensor tokens(int[] all, int some, int first, int count) {
    int time = all.length / problem.batch();
    int[] part = new int[time * some];
    for (int t = 0; t < time; t++) {
      for (int i = 0; i < some; i++) {
        part[t * some + i] = all[t * problem.batch() + first + i * count];
      }
    }
    return Tensor.ofInts(arena, part, time, some);
  }

  @Override
  public void run() {
    steps++;
    workers.run(shards.size(), forwardAndBack);
    Region sum = new Region(HostBuffer.wrap(gradients.get(0)));
    long[] one = {1};
    for (int i = 1; i < shards.size(); i++) {
      Region more = new Region(HostBuffer.wrap(gradients.get(i)));
      long[] dims = {size};
      kernels.binary(BinaryOperation.ADD, DType.FLOAT32, sum, one, more, one, sum, dims);
    }
    double norm = Math.sqrt(kernels.sumOfSquares(sum, size)) / problem.terms();
    scale = 1.0 / problem.terms();
    if (problem.clip() > 0 && norm > problem.clip()) {
      scale *= problem.clip() / norm;
    }
    OptimiserStep step =
        new OptimiserStep(
            OptimiserStep.Rule.ADAM,
            problem.rate(),
            FIRST,
            SECOND,
            1e-8,
            0,
            false,
            scale,
            1 - Math.pow(FIRST, (double) steps),
            1 - Math.pow(SECOND, (double) steps));
    Region mean = new Region(HostBuffer.wrap(means));
    Region square = new Region(HostBuffer.wrap(squares));
    weights.forEach(
        (name, tensor) -> {
          long count = tensor.elements();
          long from = offsets.get(name);
          Region weight = new Region(HostBuffer.wrap(tensor.segment()));
          kernels.optimise(
              step,
              weight,
              part(sum, from, count),
              part(mean, from, count),
              part(square, from, count),
              count);
        });
  }

  private static Region part(Region all, long from, long count) {
    return new Region(all.buffer(), all.offset() + from * Float.BYTES, count * Float.BYTES);
  }

  /** The mean loss of the last step, then its gradients, clipped, weight by weight. */
  @Override
  public float[] output() {
    float[] all = new float[1 + Math.toIntExact(size)];
    double loss = 0;
    for (Execution shard : shards) {
      loss += shard.output(TrainingProblem.LOSS).toFloats()[0];
    }
    all[0] = (float) (loss / problem.terms());
    int to = 1;
    for (String name : weights.keySet()) {
      for (float each : gradient(name, gradients.get(0)).toFloats()) {
        all[to++] = (float) (each * scale);
      }
    }
    return Arrays.copyOf(all, to);
  }

  @Override
  public void close() {
    for (int i = opened.size() - 1; i >= 0; i--) {
      try {
        opened.get(i).close();
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
    arena.close();
  }
}
