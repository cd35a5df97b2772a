package io.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Back-propagation through time, in all kinds of recurrent layers, ragged and in stretches. */
class RecurrentGradientsTest {
  private final Arena arena = Arena.ofConfined();
  private final Random random = Seeds.random("RecurrentGradientsTest");

  @AfterEach
  void close() {
    arena.close();
  }

  private Tensor random(long... dims) {
    return scaled(1, dims);
  }

  private Tensor scaled(double factor, long... dims) {
    double[] values = new double[(int) Arrays.stream(dims).reduce(1, (a, b) -> a * b)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (factor * random.nextGaussian());
    }
    Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
    return tensor.copyFrom(Tensor.ofDoubles(arena, values, dims));
  }

  /** A layer's settings, drawn at random or set. */
  private final class Case {
    final String cell;
    final int gates;
    int input = 1 + random.nextInt(7);
    int hidden = 1 + random.nextInt(6);
    int projection;
    int time = 1 + random.nextInt(5);
    int batch = 1 + random.nextInt(4);
    String direction = List.of("forward", "reverse", "bidirectional").get(random.nextInt(3));
    int layout = random.nextInt(3);
    boolean bias = random.nextBoolean();
    boolean ragged = random.nextBoolean();
    boolean states = random.nextBoolean();
    boolean peepholes;
    boolean normalised;
    Object[] settings = {};
    boolean allOutputs = true;
    int moved = 40;

    Case(String cell) {
      this.cell = cell;
      gates = cell.equals("LSTM") ? 4 : cell.equals("GRU") ? 3 : 1;
    }

    Case with(Object... attributes) {
      settings = attributes;
      return this;
    }

    void check() {
      int directions = direction.equals("bidirectional") ? 2 : 1;
      int state = projection > 0 ? projection : hidden;
      boolean batchFirst = layout == 1;
      Graph.Builder g = Graph.builder(cell);
      Value x =
          batchFirst
              ? g.input("x", DType.FLOAT32, "batch", "time", input)
              : g.input("x", DType.FLOAT32, "time", "batch", input);
      int rows = gates * hidden;
      double size = 1 / Math.sqrt(Math.max(input, state));
      List<Value> in = new ArrayList<>();
      in.add(x);
      in.add(g.constant("W", scaled(size, directions, rows, input)));
      in.add(g.constant("R", scaled(size, directions, rows, state)));
      in.add(bias ? g.constant("B", scaled(0.5, directions, 2L * rows)) : null);
      in.add(ragged ? g.input("lengths", DType.INT32, "batch") : null);
      long[] hiddenDims =
          batchFirst
              ? new long[] {batch, directions, state}
              : new long[] {directions, batch, state};
      long[] cellDims = hiddenDims.clone();
      cellDims[2] = hidden;
      boolean lstm = cell.equals("LSTM");
      in.add(states ? input(g, "h0", batchFirst, hiddenDims) : null);
      in.add(states && lstm ? input(g, "c0", batchFirst, cellDims) : null);
      in.add(peepholes ? g.constant("P", scaled(0.5, directions, 3L * hidden)) : null);
      in.add(
          projection > 0
              ? g.constant("projection", scaled(size, directions, projection, hidden))
              : null);
      for (int i = 0; normalised && i < (lstm ? 6 : 4); i++) {
        in.add(g.constant("norm" + i, scaled(0.7, directions, i < 4 ? rows : hidden)));
      }
      List<Object> attributes = new ArrayList<>(Arrays.asList(settings));
      attributes.addAll(List.of("direction", direction, "layout", layout));
      if (normalised) {
        attributes.addAll(List.of("epsilon", 1e-2f));
      }
      List<Value> out =
          g.node(
              "layer",
              cell,
              Attributes.of(attributes.toArray()),
              in,
              lstm ? List.of("Y", "Yh", "Yc") : List.of("Y", "Yh"));
      GradientCheck.loss(
          g,
          arena,
          random,
          allOutputs ? out.toArray(new Value[0]) : new Value[] {out.get(random.nextInt(2))});
      int[] lengths = new int[batch];
      Arrays.setAll(lengths, i -> random.nextInt(time + 1));
      GradientCheck check =
          new GradientCheck(g.build(), "loss")
              .terms(time * (input + state) * 64.0)
              .moved(moved)
              .input("x", batchFirst ? random(batch, time, input) : random(time, batch, input))
              .fixed("lengths", Tensor.ofInts(arena, lengths, batch));
      if (states) {
        check.input("h0", random(hiddenDims));
        if (lstm) {
          check.input("c0", random(cellDims));
        }
      }
      try {
        check.run(random);
      } catch (AssertionError e) {
        throw new AssertionError(this + ": " + e.getMessage(), e);
      }
    }

    private Value input(Graph.Builder g, String name, boolean batchFirst, long[] dims) {
      return batchFirst
          ? g.input(name, DType.FLOAT32, "batch", dims[1], dims[2])
          : g.input(name, DType.FLOAT32, dims[0], "batch", dims[2]);
    }

    @Override
    public String toString() {
      return cell
          + " "
          + direction
          + " input "
          + input
          + " hidden "
          + hidden
          + " projection "
          + projection
          + " time "
          + time
          + " batch "
          + batch
          + " layout "
          + layout
          + (bias ? " bias" : "")
          + (ragged ? " ragged" : "")
          + (states ? " states" : "")
          + (peepholes ? " peepholes" : "")
          + (normalised ? " normalised" : "")
          + " "
          + Arrays.toString(settings);
    }
  }

  @Test
  void ofTheUsualCells() {
    for (int i = 0; i < 12; i++) {
      new Case("RNN").check();
      new Case("GRU").with("linear_before_reset", 1).check();
      new Case("GRU").with("linear_before_reset", 0).check();
      new Case("LSTM").check();
    }
  }

  @Test
  void ofTheUsualCellsWhereSizesFillVectorsAndDoNot() {
    for (int hidden : new int[] {15, 16, 17, 33, 64, 70}) {
      for (String cell : List.of("RNN", "GRU", "LSTM")) {
        Case each = new Case(cell).with("linear_before_reset", random.nextInt(2));
        each.hidden = hidden;
        each.input = 1 + random.nextInt(40);
        each.batch = 1 + random.nextInt(9);
        each.time = 1 + random.nextInt(4);
        each.check();
      }
    }
  }

  @Test
  void overManyTimeStepsOfManySequences() {
    for (int hidden : new int[] {15, 16, 25}) {
      for (String cell : List.of("RNN", "GRU", "LSTM")) {
        Case each = new Case(cell).with("linear_before_reset", random.nextInt(2));
        each.hidden = hidden;
        each.input = List.of(3, 16, 35).get(random.nextInt(3));
        each.batch = 40 + random.nextInt(9);
        each.time = 15 + random.nextInt(4);
        each.moved = 2;
        each.check();
      }
    }
  }

  @Test
  void whereOnlyOneOfTheOutputsIsUsed() {
    for (int i = 0; i < 4; i++) {
      for (String cell : List.of("RNN", "GRU", "LSTM")) {
        Case each = new Case(cell);
        each.allOutputs = false;
        each.check();
      }
    }
  }

  @Test
  void ofOtherActivationsAndClips() {
    for (int i = 0; i < 4; i++) {
      for (String direction : List.of("forward", "reverse")) {
        Case rnn = new Case("RNN").with("activations", List.of("Softsign"), "clip", 0.5f);
        Case relu = new Case("RNN").with("activations", List.of("Relu"));
        Case gru =
            new Case("GRU")
                .with(
                    "activations",
                    List.of("HardSigmoid", "Elu"),
                    "linear_before_reset",
                    i % 2,
                    "clip",
                    0.75f);
        Case lstm = new Case("LSTM").with("activations", List.of("Sigmoid", "Softsign", "Elu"));
        Case clipped = new Case("LSTM").with("clip", 0.5f);
        for (Case each : List.of(rnn, relu, gru, lstm, clipped)) {
          each.direction = direction;
          each.check();
        }
      }
    }
  }

  @Test
  void withDropoutOfTheStateInsideTheLoop() {
    for (int i = 0; i < 3; i++) {
      for (String cell : List.of("RNN", "GRU", "LSTM")) {
        new Case(cell).with("recurrent_dropout", 0.4f, "linear_before_reset", i % 2).check();
      }
      Case projected = new Case("LSTM").with("recurrent_dropout", 0.4f);
      projected.projection = 3;
      projected.check();
    }
  }

  @Test
  void dropoutOfTheStateChangesWhatComesOutInTrainingAlone() {
    Graph.Builder g = Graph.builder("gru");
    Value x = g.input("x", DType.FLOAT32, "time", "batch", 3);
    List<Value> in =
        List.of(x, g.constant("W", random(1, 12, 3)), g.constant("R", random(1, 12, 4)));
    Value y = g.node("Y", "GRU", Attributes.of("recurrent_dropout", 0.5f), in, List.of("Y")).get(0);
    g.output(g.node("loss", "ReduceSum", Attributes.of("keepdims", 0), y));
    Graph graph = g.build();
    Gradients gradients = Gradients.of(graph, "loss", "x");
    Tensor input = random(4, 8, 3);
    try (Plan plan = Plan.of(graph, "Y");
        Plan training = Plan.of(gradients.graph(), "Y");
        Execution run = plan.newExecution();
        Execution step = training.newExecution()) {
      run.input("x", input).run();
      float[] whole = run.output("Y").toFloats();
      step.input(Gradients.SEED, Tensor.ofLongs(arena, new long[] {random.nextLong()}, 1));
      step.input("x", input).run();
      float[] masked = step.output("Y").toFloats();
      int differ = 0;
      for (int i = 0; i < whole.length; i++) {
        boolean same = Math.abs(whole[i] - masked[i]) < 1e-5f;
        differ += same ? 0 : 1;
        assertTrue(same || i >= 32, "the first step has no state to drop");
      }
      assertTrue(differ > 20, differ + " of 96 numbers differ");
    }
  }

  @Test
  void ofPeepholesProjectionsCoupledGatesAndLayerNormalisation() {
    for (int i = 0; i < 6; i++) {
      Case peepholes = new Case("LSTM");
      peepholes.peepholes = true;
      Case projection = new Case("LSTM");
      projection.projection = 1 + random.nextInt(5);
      Case coupled = new Case("LSTM").with("input_forget", 1);
      coupled.peepholes = random.nextBoolean();
      Case everything = new Case("LSTM").with("input_forget", i % 2);
      everything.peepholes = true;
      everything.projection = 3;
      everything.normalised = true;
      Case rnn = new Case("RNN");
      rnn.normalised = true;
      Case gru = new Case("GRU").with("linear_before_reset", i % 2);
      gru.normalised = true;
      for (Case each : List.of(peepholes, projection, coupled, everything, rnn, gru)) {
        each.hidden = Math.max(2, each.hidden);
        each.check();
      }
    }
  }
}
