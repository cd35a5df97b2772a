package io.gatun.graph;

import io.gatun.kernel.Kernels;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.RecurrentTraining;
import io.gatun.kernel.Region;
import io.gatun.kernel.TrainingKernels;
import io.gatun.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Recurrent layers in training: forward with weights that change from step to step, which keeps
 * what the way back needs as one more output, and back-propagation through time.
 */
final class RecurrentGradients {
  /** Behind layer normalisation's six: what the hidden state is multiplied by. */
  private static final int MASK = RecurrentOperator.NORMALISATION + 6;

  /** All inputs there can be. */
  private static final int INPUTS = MASK + 1;

  // What the way back reads beyond the inputs.
  private static final int OUTPUT = INPUTS;
  private static final int KEPT = INPUTS + 1;
  private static final int GIVEN = INPUTS + 2;
  private static final int GIVEN_HIDDEN = INPUTS + 3;
  private static final int GIVEN_CELL = INPUTS + 4;

  private RecurrentGradients() {}

  /** As it is where nothing before it is trained, else in the form that can be walked back. */
  static void copy(TrainingCopy copy, RecurrentOperator operator) {
    float ratio = copy.node().attributes().real("recurrent_dropout", 0);
    if (!copy.active() && ratio == 0) {
      copy.asItIs();
      return;
    }
    List<Value> in = new ArrayList<>(copy.inputs());
    if (ratio > 0) {
      while (in.size() < MASK) {
        in.add(null);
      }
      in.add(DropoutOperators.stateMask(copy, in.get(0), in.get(2), ratio));
    }
    List<String> out = new ArrayList<>(copy.outputs());
    while (out.size() <= outputs(operator)) {
      out.add("");
    }
    copy.add(copy.node().name(), new Forward(operator), copy.node().attributes(), in, out);
  }

  private static int outputs(RecurrentOperator operator) {
    return operator.cell() == Cell.LSTM ? 3 : 2;
  }

  /** The layer with one more output: what is kept, {@code [directions, time, batch, numbers]}. */
  private record Forward(RecurrentOperator of) implements Operator {
    @Override
    public String type() {
      return of.type();
    }

    @Override
    public void infer(Inference inference) {
      of.infer(inference);
      boolean batchFirst = RecurrentOperator.batchFirst(inference.attributes());
      RecurrentSpec spec = spec(of, inference.node(), inference.dims(1), inference.dims(2));
      inference.output(
          inference.type(0),
          Dim.of(RecurrentOperator.directions(inference.attributes())),
          inference.dim(0, batchFirst ? 1 : 0),
          inference.dim(0, batchFirst ? 0 : 1),
          Dim.of(RecurrentTraining.keptSize(spec)));
    }

    @Override
    public void differentiate(Differentiation d) {
      List<Value> in = new ArrayList<>(d.node().inputs());
      while (in.size() < INPUTS) {
        in.add(null);
      }
      in.add(d.output(0));
      in.add(d.output(outputs(of)));
      for (int i = 0; i < 3; i++) {
        in.add(i < outputs(of) ? d.gradient(i) : null);
      }
      List<Long> wanted = new ArrayList<>();
      for (int i = 0; i < INPUTS; i++) {
        if (d.wanted(i) && i != RecurrentOperator.LENGTHS) {
          wanted.add((long) i);
        }
      }
      int[] inputs = wanted.stream().mapToInt(Long::intValue).toArray();
      List<Value> gradients = d.add(new Backward(of, inputs), d.attributes(), in, inputs.length);
      for (int i = 0; i < inputs.length; i++) {
        d.give(inputs[i], gradients.get(i));
      }
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return binding -> {
        // Both are needed while it runs, even where nobody walks back.
        Direction[] all = directions(of, binding, or(binding, 0), or(binding, outputs(of)));
        for (Direction each : all) {
          each.states(
              binding.output(1),
              each.layer.spec.stateSize(),
              region -> each.layer.call.finalHidden = region,
              true);
          if (of.cell() == Cell.LSTM) {
            each.states(
                binding.output(2),
                each.layer.spec.hiddenSize(),
                region -> each.layer.call.finalCell = region,
                true);
          }
        }
        return step(all, TrainingKernels::recurrentForward);
      };
    }

    private static Region or(Binding binding, int output) {
      Region region = binding.output(output);
      return region != null
          ? region
          : binding.scratch(
              Shape.of(binding.outputDims(output)).elements() * binding.inputType(0).bytes());
    }
  }

  /**
   * The layer's inputs, its output, what was kept, and the gradients of its outputs; the gradients
   * of the inputs in {@code wanted}.
   */
  private record Backward(RecurrentOperator of, int[] wanted) implements Operator {
    @Override
    public String type() {
      return of.type() + "Gradient";
    }

    @Override
    public void infer(Inference inference) {
      for (int input : wanted) {
        inference.output(inference.type(input), inference.dims(input));
      }
    }

    @Override
    public Compiled compile(Compilation compilation) {
      return binding -> {
        Direction[] all =
            RecurrentGradients.directions(of, binding, binding.input(OUTPUT), binding.input(KEPT));
        boolean lstm = of.cell() == Cell.LSTM;
        for (Direction each : all) {
          RecurrentTraining layer = each.layer;
          int state = layer.spec.stateSize();
          int hidden = layer.spec.hiddenSize();
          long rows = (long) layer.spec.gates() * hidden;
          each.outputPart(given(binding, GIVEN), region -> layer.outputGradient = region);
          each.states(
              given(binding, GIVEN_HIDDEN),
              state,
              region -> layer.finalHiddenGradient = region,
              false);
          if (lstm) {
            each.states(
                given(binding, GIVEN_CELL),
                hidden,
                region -> layer.finalCellGradient = region,
                false);
          }
          layer.inputGradient = result(binding, 0);
          layer.addToInputGradient = each.number > 0;
          each.states(
              result(binding, RecurrentOperator.HIDDEN),
              state,
              region -> layer.initialHiddenGradient = region,
              true);
          if (lstm) {
            each.states(
                result(binding, RecurrentOperator.CELL),
                hidden,
                region -> layer.initialCellGradient = region,
                true);
          }
          each.part(
              result(binding, 1),
              rows * layer.spec.inputSize(),
              region -> layer.inputWeightsGradient = region);
          each.part(
              result(binding, 2), rows * state, region -> layer.recurrentWeightsGradient = region);
          each.part(
              result(binding, RecurrentOperator.BIAS),
              2 * rows,
              region -> layer.biasGradient = region);
          each.part(
              result(binding, RecurrentOperator.PEEPHOLES),
              3L * hidden,
              region -> layer.peepholesGradient = region);
          each.part(
              result(binding, RecurrentOperator.PROJECTION),
              (long) state * hidden,
              region -> layer.projectionGradient = region);
          layer.normalisationGradients = new Region[layer.normalisation.length];
          for (int i = 0; i < layer.normalisationGradients.length; i++) {
            int at = i;
            each.part(
                result(binding, RecurrentOperator.NORMALISATION + i),
                i < 4 ? rows : hidden,
                region -> layer.normalisationGradients[at] = region);
          }
        }
        return step(all, TrainingKernels::recurrentBackward);
      };
    }

    private static Region given(Binding binding, int input) {
      return binding.has(input) ? binding.input(input) : null;
    }

    private Region result(Binding binding, int input) {
      for (int i = 0; i < wanted.length; i++) {
        if (wanted[i] == input) {
          return binding.output(i);
        }
      }
      return null;
    }
  }

  private static RecurrentSpec spec(
      RecurrentOperator operator, Node node, List<Dim> input, List<Dim> recurrent) {
    return spec(
        operator, node, 0, input.get(1).size(), input.get(2).size(), recurrent.get(2).size());
  }

  private static RecurrentSpec spec(
      RecurrentOperator operator, Node node, int direction, long rows, long input, long state) {
    boolean projects =
        node.inputs().size() > RecurrentOperator.PROJECTION
            && node.inputs().get(RecurrentOperator.PROJECTION) != null;
    return operator.spec(
        node,
        direction,
        Math.toIntExact(input),
        Math.toIntExact(rows / operator.cell().gates()),
        projects ? Math.toIntExact(state) : 0);
  }

  private static Operator.Step step(Direction[] all, Pass pass) {
    return kernels -> {
      for (Direction direction : all) {
        direction.run(kernels, pass);
      }
    };
  }

  /** One of the two passes. */
  private interface Pass {
    void run(TrainingKernels kernels, RecurrentTraining layer);
  }

  /** The operands that both passes share. */
  private static Direction[] directions(
      RecurrentOperator operator, Binding binding, Region output, Region kept) {
    Node node = binding.node();
    Attributes attributes = node.attributes();
    int count = RecurrentOperator.directions(attributes);
    Direction[] all = new Direction[count];
    long[] w = binding.inputDims(1);
    long[] r = binding.inputDims(2);
    for (int d = 0; d < count; d++) {
      RecurrentSpec spec = spec(operator, node, d, w[1], w[2], r[2]);
      Direction direction = new Direction(new RecurrentTraining(spec), d, count, binding);
      all[d] = direction;
      RecurrentTraining layer = direction.layer;
      RecurrentCall call = layer.call;
      boolean batchFirst = RecurrentOperator.batchFirst(attributes);
      boolean inner = RecurrentOperator.directionsInner(attributes);
      long[] x = binding.inputDims(0);
      long time = x[batchFirst ? 1 : 0];
      long batch = x[batchFirst ? 0 : 1];
      long input = x[2];
      long state = spec.stateSize();
      long hidden = spec.hiddenSize();
      long rows = spec.gates() * hidden;
      call.reverse = RecurrentOperator.reverse(attributes, d);
      call.time = Math.toIntExact(time);
      call.batch = Math.toIntExact(batch);
      call.input = binding.input(0);
      call.inputTimeStride = batchFirst ? input : batch * input;
      call.inputRowStride = batchFirst ? time * input : input;
      call.lengths =
          binding.has(RecurrentOperator.LENGTHS) ? binding.input(RecurrentOperator.LENGTHS) : null;
      call.outputTimeStride = batchFirst ? count * state : count * batch * state;
      call.outputRowStride = batchFirst ? time * count * state : inner ? count * state : state;
      direction.firstOutput = batchFirst || inner ? d * state : d * batch * state;
      direction.batchFirst = batchFirst;
      direction.outputPart(output, region -> call.output = region);
      direction.part(
          kept, time * batch * RecurrentTraining.keptSize(spec), region -> layer.kept = region);
      direction.states(
          direction.given(RecurrentOperator.HIDDEN),
          spec.stateSize(),
          region -> call.initialHidden = region,
          false);
      if (operator.cell() == Cell.LSTM) {
        direction.states(
            direction.given(RecurrentOperator.CELL),
            spec.hiddenSize(),
            region -> call.initialCell = region,
            false);
        direction.part(
            direction.given(RecurrentOperator.PEEPHOLES),
            3 * hidden,
            region -> layer.peepholes = region);
        direction.part(
            direction.given(RecurrentOperator.PROJECTION),
            state * hidden,
            region -> layer.projection = region);
      }
      direction.part(binding.input(1), rows * input, region -> layer.inputWeights = region);
      direction.part(binding.input(2), rows * state, region -> layer.recurrentWeights = region);
      direction.part(direction.given(MASK), batch * state, region -> layer.hiddenMask = region);
      direction.part(
          direction.given(RecurrentOperator.BIAS), 2 * rows, region -> layer.bias = region);
      if (spec.layerNormalised()) {
        layer.normalisation = new Region[operator.cell() == Cell.LSTM ? 6 : 4];
        for (int i = 0; i < layer.normalisation.length; i++) {
          int at = i;
          direction.part(
              binding.input(RecurrentOperator.NORMALISATION + i),
              i < 4 ? rows : hidden,
              region -> layer.normalisation[at] = region);
        }
      }
    }
    return all;
  }

  /** One direction's operands, and what must be seen to before and after a pass. */
  private static final class Direction {
    final RecurrentTraining layer;
    final int number;
    private final int count;
    private final Binding binding;
    private final List<RecurrentOperator.Part> parts = new ArrayList<>();
    private final List<RecurrentOperator.States> read = new ArrayList<>();
    private final List<RecurrentOperator.States> written = new ArrayList<>();
    private long firstOutput;
    private boolean batchFirst;

    Direction(RecurrentTraining layer, int number, int count, Binding binding) {
      this.layer = layer;
      this.number = number;
      this.count = count;
      this.binding = binding;
    }

    Region given(int input) {
      return binding.has(input) ? binding.input(input) : null;
    }

    private int bytes() {
      return binding.inputType(0).bytes();
    }

    /**
     * This direction's share, {@code size} reals, of a value whose first axis is the directions.
     */
    void part(Region value, long size, Consumer<Region> field) {
      if (value != null) {
        RecurrentOperator.Part part = RecurrentOperator.part(value, number * size * bytes());
        parts.add(part);
        field.accept(part.region());
      }
    }

    /** This direction's share of the output or its gradient. */
    void outputPart(Region value, Consumer<Region> field) {
      if (value != null) {
        RecurrentOperator.Part part = RecurrentOperator.part(value, firstOutput * bytes());
        parts.add(part);
        field.accept(part.region());
      }
    }

    /** This direction's rows of a state or its gradient. */
    void states(Region value, long size, Consumer<Region> field, boolean isWritten) {
      if (value == null) {
        return;
      }
      RecurrentOperator.States states =
          RecurrentOperator.states(
              value, binding, number, count, layer.call.batch, size, batchFirst, bytes());
      (isWritten ? written : read).add(states);
      field.accept(states.part() != null ? states.part().region() : states.rows());
    }

    void run(Kernels kernels, Pass pass) {
      for (int i = 0; i < parts.size(); i++) {
        parts.get(i).point();
      }
      for (int i = 0; i < read.size(); i++) {
        read.get(i).in(kernels);
      }
      for (int i = 0; i < written.size(); i++) {
        written.get(i).out();
      }
      pass.run(kernels.training(), layer);
      for (int i = 0; i < written.size(); i++) {
        written.get(i).finish(kernels);
      }
    }
  }
}
