package io.gatun.format;

import io.gatun.graph.Attributes;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import java.util.List;

/** Masks: float32 {@code [batch, time]}, 1 for a time step that counts. */
final class KerasMasks {
  private final KerasGraph to;

  KerasMasks(KerasGraph to) {
    this.to = to;
  }

  /** What stands at a time step that is masked. */
  enum Gaps {
    ZERO,
    PREVIOUS,
    NEXT
  }

  /** A mask that may be of truth values. */
  Value real(KerasCall call, Value mask) {
    return mask.type() == DType.FLOAT32
        ? mask
        : to.cast(call.name() + ".mask", DType.FLOAT32, mask);
  }

  /** 1 where a value is not the given number. */
  Value differs(String name, Value value, Value number) {
    Value equal = to.node(name + ".equal", "Equal", value, number);
    Value differs = to.node(name + ".differs", "Not", equal);
    return to.cast(name, DType.FLOAT32, differs);
  }

  /** Where all masks are 1. */
  Value all(String name, List<Value> masks) {
    Value both = masks.get(0);
    for (int i = 1; i < masks.size(); i++) {
      String each = i == masks.size() - 1 ? name : name + "." + i;
      both = masks.get(i).equals(both) ? both : to.node(each, "Mul", both, masks.get(i));
    }
    return both;
  }

  /**
   * Moves the time steps that count together, in their order, or in the opposite order.
   *
   * @param input {@code [batch, time, features]}
   */
  Moved moved(KerasCall call, Value input, Value mask, boolean backward) {
    String name = call.name() + ".mask";
    Value steps = mask;
    Value sequence = input;
    if (backward) {
      steps = reversed(name + ".reversed", mask);
      sequence = reversed(name + ".input.reversed", input);
    }
    Value one = to.constant(name + ".one", new float[] {1}, 1);
    // count[b, t]: the number of steps up to t that count; before[b, t]: of those that do not.
    Value axis = to.graph().integers(name + ".axis", 1);
    Value count = to.node(name + ".count", "CumSum", steps, axis);
    Value gaps = to.node(name + ".gaps", "Sub", one, steps);
    Value before = to.node(name + ".before", "CumSum", gaps, axis);
    Value total = to.reduce(name + ".total", "ReduceSum", steps, true, 1);
    // Where step t goes: the (count − 1)th place, or behind all that count.
    Value kept = to.node(name + ".kept", "Mul", count, steps);
    Value behind = to.node(name + ".behind", "Add", total, before);
    Value moved = to.node(name + ".moved", "Mul", behind, gaps);
    Value place = to.node(name + ".place", "Add", kept, moved);
    Value target =
        to.cast(name + ".target", DType.INT64, to.node(name + ".place0", "Sub", place, one));
    // Its own number, at the place it goes to: which step comes from where.
    Value ones = to.node(name + ".ones", "Add", steps, gaps);
    Value numbers =
        to.node(name + ".numbers", "Sub", to.node(name + ".upto", "CumSum", ones, axis), one);
    Value source =
        to.node(
            name + ".scattered",
            "ScatterElements",
            Attributes.of("axis", 1),
            steps,
            target,
            numbers);
    Value order = to.unsqueeze(name + ".source", to.cast(name + ".order", DType.INT64, source), 2);
    Value together =
        to.node(name + ".together", "GatherND", Attributes.of("batch_dims", 1), sequence, order);
    Value lengths = to.cast(name + ".lengths", DType.INT32, to.squeeze(name + ".total1", total, 1));
    return new Moved(name, together, lengths, steps, count);
  }

  private Value reversed(String name, Value value) {
    return to.node(
        name,
        "Slice",
        Attributes.of(
            "starts", new long[] {-1},
            "ends", new long[] {Integer.MIN_VALUE},
            "axes", new long[] {1},
            "steps", new long[] {-1}),
        value);
  }

  /** Sequences whose steps that count stand together. */
  final class Moved {
    private final String name;
    private final Value sequence;
    private final Value lengths;
    private final Value mask;
    private final Value count;

    private Moved(String name, Value sequence, Value lengths, Value mask, Value count) {
      this.name = name;
      this.sequence = sequence;
      this.lengths = lengths;
      this.mask = mask;
      this.count = count;
    }

    /** {@code [batch, time, features]}. */
    Value sequence() {
      return sequence;
    }

    /** int32 {@code [batch]}: how many steps count. */
    Value lengths() {
      return lengths;
    }

    /** The mask in the order of time that the layer walks in. */
    Value mask() {
      return mask;
    }

    /**
     * Puts outputs back to where their steps were: output {@code [batch, time, size]} of the moved
     * sequence, which is 0 behind its length.
     */
    Value back(String outputName, Value output, Gaps gaps) {
      // A row of zeros in front, for steps before the first that counts.
      Value first = to.slice(name + ".row", output, 1, 0, 1);
      Value zero = to.node(name + ".zero", "Sub", first, first);
      Value rows = to.concat(name + ".rows", 1, List.of(zero, output));
      Value at = count;
      if (gaps == Gaps.ZERO) {
        at = to.node(name + ".at", "Mul", count, mask);
      } else if (gaps == Gaps.NEXT) {
        // Of the step that counts next: one more than so far, and nothing behind the last.
        Value one = to.constant(name + ".next.one", new float[] {1}, 1);
        Value gap = to.node(name + ".next.gap", "Sub", one, mask);
        at = to.node(name + ".at", "Add", count, gap);
        rows = to.concat(name + ".rows.both", 1, List.of(zero, output, zero));
      }
      Value index = to.unsqueeze(name + ".index", to.cast(name + ".at64", DType.INT64, at), 2);
      return to.node(outputName, "GatherND", Attributes.of("batch_dims", 1), rows, index);
    }
  }
}
