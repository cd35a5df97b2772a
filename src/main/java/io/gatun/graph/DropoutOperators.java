package io.gatun.graph;

import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import java.util.Arrays;
import java.util.List;

/**
 * Dropout as it is in training. {@code ratio} (attribute, or constant input 1; 0.5) is the part
 * that is dropped, {@code shared_axes} are axes along which one mask is shared: with the time axis
 * among them every sequence has one mask (variational dropout, Gal and Ghahramani 2016).
 */
final class DropoutOperators {
  private DropoutOperators() {}

  static void copy(TrainingCopy copy) {
    Attributes attributes = copy.node().attributes();
    float ratio = attributes.real("ratio", 0.5f);
    Constant given = copy.has(1) ? copy.inputs().get(1).constant() : null;
    if (copy.has(1) && given == null) {
      throw new UnsupportedOperationException(
          copy.node().name() + ": the dropout ratio must be constant, but it is computed");
    }
    if (given != null) {
      try (java.lang.foreign.Arena arena = java.lang.foreign.Arena.ofConfined()) {
        ratio = given.tensor(arena).toFloats()[0];
      }
    }
    if (!(ratio >= 0 && ratio < 1)) {
      throw new IllegalArgumentException(
          copy.node().name() + ": dropout ratio is " + ratio + ", expected 0 or more, less than 1");
    }
    if (ratio == 0) {
      copy.asItIs();
      return;
    }
    if (copy.outputs().size() > 1) {
      throw new UnsupportedOperationException(
          copy.node().name() + ": the mask of dropout is no value in training");
    }
    copy.add(
        copy.node().name(),
        new Dropout(),
        Attributes.of(
            "ratio",
            ratio,
            "shared_axes",
            attributes.integers("shared_axes"),
            "stream",
            stream(copy.node().name())),
        Arrays.asList(copy.inputs().get(0), copy.seed()),
        copy.outputs());
  }

  /** Places of a network are told apart by their names, which stay when a run is resumed. */
  private static long stream(String name) {
    long hash = 0;
    for (int i = 0; i < name.length(); i++) {
      hash = hash * 0x100000001b3L + name.charAt(i);
    }
    return hash;
  }

  /** What a recurrent layer's hidden state is multiplied by, {@code [directions, batch, state]}. */
  static Value stateMask(TrainingCopy copy, Value input, Value recurrent, float ratio) {
    if (!(ratio > 0 && ratio < 1)) {
      throw new IllegalArgumentException(
          copy.node().name()
              + ": recurrent dropout is "
              + ratio
              + ", expected 0 or more, less than 1");
    }
    String name = copy.node().name() + "/recurrent_dropout";
    Attributes attributes =
        Attributes.of(
            "ratio",
            ratio,
            "layout",
            copy.node().attributes().integer("layout", 0),
            "stream",
            stream(name));
    return copy.add(
            name,
            new StateMask(),
            attributes,
            Arrays.asList(input, recurrent, copy.seed()),
            List.of(name))
        .get(0);
  }

  /** {@code [data, seed]}. */
  private record Dropout() implements Operator {
    @Override
    public String type() {
      return "Dropout";
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      for (long axis : inference.attributes().integers("shared_axes")) {
        inference.axis(axis, inference.rank(0));
      }
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public void differentiate(Differentiation d) {
      d.give(0, d.add(this, d.attributes(), d.gradient(0), d.input(1)));
    }

    @Override
    public Compiled compile(Compilation compilation) {
      float ratio = compilation.attributes().real("ratio", 0);
      long stream = compilation.attributes().integer("stream", 0);
      long[] shared = compilation.attributes().integers("shared_axes");
      return binding -> {
        long[] extent = binding.inputDims(0);
        long[] mask = extent.clone();
        for (long axis : shared) {
          mask[(int) (axis < 0 ? axis + extent.length : axis)] = 1;
        }
        long[] strides = ElementwiseOperators.broadcastStrides(mask, mask.length);
        Region in = binding.input(0);
        Region seed = binding.input(1);
        Region out = binding.output(0);
        return kernels -> kernels.training().dropout(in, extent, strides, seed, stream, ratio, out);
      };
    }
  }

  /** {@code [input, recurrent weights, seed]} of a recurrent layer. */
  private record StateMask() implements Operator {
    @Override
    public String type() {
      return "DropoutMask";
    }

    @Override
    public void infer(Inference inference) {
      int batch = inference.attributes().integer("layout", 0) == 1 ? 0 : 1;
      inference.output(
          inference.type(0), inference.dim(1, 0), inference.dim(0, batch), inference.dim(1, 2));
    }

    @Override
    public void differentiate(Differentiation d) {}

    @Override
    public Compiled compile(Compilation compilation) {
      float ratio = compilation.attributes().real("ratio", 0);
      long stream = compilation.attributes().integer("stream", 0);
      return ShapeGradients.reading(
          2,
          binding -> {
            long[] extent = binding.outputDims(0);
            long[] strides = Shape.of(extent).contiguousStrides();
            long count = Shape.of(extent).elements();
            DType type = binding.outputType(0);
            Region seed = binding.input(2);
            Region out = binding.output(0);
            return kernels -> {
              kernels.fill(out, type, count, 1);
              kernels.training().dropout(out, extent, strides, seed, stream, ratio, out);
            };
          });
    }
  }
}
