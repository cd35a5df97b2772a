package io.gatun.training;

import io.gatun.graph.Dim;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Fills the inputs of networks from items. Stateless. */
final class Inputs {
  static final String LABELS = "training.labels";
  static final String VALUES = "training.values";
  static final String MASK = "training.mask";

  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

  private Inputs() {}

  /**
   * The inputs that a plan needs, as far as items have them.
   *
   * @param inputs those it needs
   * @param items at least one
   */
  static Map<String, Tensor> of(List<Value> inputs, List<Item> items, Slab memory) {
    Map<String, Tensor> filled = new LinkedHashMap<>();
    for (Value input : inputs) {
      Tensor tensor =
          switch (input.name()) {
            case "tokens" -> tokens(items, false, memory);
            case "target.tokens" -> tokens(items, true, memory);
            case "lengths" -> lengths(items, false, features(inputs, items), memory);
            case "target.lengths" -> lengths(items, true, 1, memory);
            case LABELS -> labels(input, items, memory);
            case VALUES -> values(input, items, memory, false);
            case MASK -> values(input, items, memory, true);
            default -> isNumbers(input, items) ? numbers(input, items, memory) : null;
          };
      if (tensor != null) {
        filled.put(input.name(), tensor);
      }
    }
    return filled;
  }

  /** Whether an input is what the items have as numbers, and no parameter. */
  private static boolean isNumbers(Value input, List<Item> items) {
    return items.get(0).numbers() != null
        && input.dims().stream().anyMatch(dim -> !dim.isKnown() && dim.toString().equals("batch"));
  }

  private static Tensor tokens(List<Item> items, boolean target, Slab memory) {
    int time = 0;
    for (Item item : items) {
      time = Math.max(time, target ? item.target().length - 1 : item.source().length);
    }
    Tensor tensor = memory.tensor(DType.INT32, time, items.size());
    MemorySegment to = tensor.segment();
    for (int b = 0; b < items.size(); b++) {
      int[] ids = target ? items.get(b).target() : items.get(b).source();
      int length = target ? ids.length - 1 : ids.length;
      for (int t = 0; t < length; t++) {
        to.setAtIndex(INT, (long) t * items.size() + b, ids[t]);
      }
    }
    return tensor;
  }

  /** How many numbers a time step has. */
  static int features(List<Value> inputs, List<Item> items) {
    long size = 1;
    for (Value input : inputs) {
      if (isNumbers(input, items) && input.type().isFloat() && !input.name().startsWith("train")) {
        for (Dim dim : input.dims()) {
          size *= dim.isKnown() ? dim.size() : 1;
        }
      }
    }
    return Math.toIntExact(size);
  }

  private static Tensor lengths(List<Item> items, boolean target, int features, Slab memory) {
    Tensor tensor = memory.tensor(DType.INT32, items.size());
    for (int b = 0; b < items.size(); b++) {
      Item item = items.get(b);
      int length =
          target
              ? item.target().length - 1
              : item.source() != null ? item.source().length : item.numbers().length / features;
      tensor.segment().setAtIndex(INT, b, length);
    }
    return tensor;
  }

  private static Tensor labels(Value input, List<Item> items, Slab memory) {
    if (input.rank() == 1) {
      Tensor tensor = memory.tensor(DType.INT32, items.size());
      for (int b = 0; b < items.size(); b++) {
        tensor.segment().setAtIndex(INT, b, items.get(b).label());
      }
      return tensor;
    }
    int time = items.stream().mapToInt(item -> item.target().length - 1).max().orElse(0);
    Tensor tensor = memory.tensor(DType.INT32, time, items.size());
    for (int b = 0; b < items.size(); b++) {
      int[] target = items.get(b).target();
      for (int t = 0; t < time; t++) {
        // A negative label is left out of the loss.
        int label = t + 1 < target.length ? target[t + 1] : -1;
        tensor.segment().setAtIndex(INT, (long) t * items.size() + b, label);
      }
    }
    return tensor;
  }

  /** {@code [time, batch, size]} or {@code [batch, size]}; as a mask 1 where there is a value. */
  private static Tensor values(Value input, List<Item> items, Slab memory, boolean mask) {
    int size = Math.toIntExact(input.dim(input.rank() - 1).size());
    boolean sequence = input.rank() == 3;
    int time = 1;
    for (Item item : items) {
      time = Math.max(time, item.values().length / size);
    }
    Tensor tensor =
        sequence
            ? memory.tensor(DType.FLOAT32, time, items.size(), size)
            : memory.tensor(DType.FLOAT32, items.size(), size);
    for (int b = 0; b < items.size(); b++) {
      float[] values = items.get(b).values();
      for (int i = 0; i < values.length; i++) {
        long at = ((long) (i / size) * items.size() + b) * size + i % size;
        tensor.segment().setAtIndex(FLOAT, at, mask ? 1 : values[i]);
      }
    }
    return tensor;
  }

  private static Tensor numbers(Value input, List<Item> items, Slab memory) {
    long[] dims = new long[input.rank()];
    long size = 1;
    int batch = -1;
    int time = -1;
    for (int axis = 0; axis < dims.length; axis++) {
      if (input.dim(axis).isKnown()) {
        dims[axis] = input.dim(axis).size();
        size *= dims[axis];
      } else if (input.dim(axis).toString().equals("batch")) {
        batch = axis;
      } else {
        time = axis;
      }
    }
    int longest = 1;
    for (Item item : items) {
      if (item.numbers().length % size != 0 || time < 0 && item.numbers().length != size) {
        throw new IllegalArgumentException(
            "a sample has " + item.numbers().length + " numbers, but the network reads " + input);
      }
      longest = Math.max(longest, (int) (item.numbers().length / size));
    }
    dims[batch] = items.size();
    if (time >= 0) {
      dims[time] = longest;
    }
    if (time >= 0 ? time != 0 || batch != 1 : batch != 0) {
      throw new IllegalArgumentException(
          input + " cannot be trained, expected [batch, …] or [time, batch, …]");
    }
    Tensor tensor = memory.tensor(DType.FLOAT32, dims);
    int each = Math.toIntExact(size);
    for (int b = 0; b < items.size(); b++) {
      float[] numbers = items.get(b).numbers();
      for (int t = 0; t * each < numbers.length; t++) {
        long at = ((long) t * items.size() + b) * each;
        MemorySegment.copy(numbers, t * each, tensor.segment(), FLOAT, at * Float.BYTES, each);
      }
    }
    return tensor;
  }
}
