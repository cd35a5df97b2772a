package io.gatun.batch;

import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;

/**
 * What a network makes of one record: values on the way through it. Immutable by agreement: the
 * arrays are not copied.
 *
 * @param values those that were asked for, in the order of {@link Extractor#columns()}; none for a
 *     record without anything, such as an empty line
 */
public record Representation(List<Part> values) {
  /** That of a record without anything. */
  public static final Representation EMPTY = new Representation(List.of());

  /**
   * One value.
   *
   * @param name its name in the network
   * @param dims its sizes for this record, such as {@code [size]} of a vector or {@code [steps,
   *     size]} of all time steps
   * @param numbers its numbers in row-major order
   */
  public record Part(String name, long[] dims, float[] numbers) {
    /** Copies it into memory of the caller's. */
    public Tensor tensor(Arena arena) {
      return Tensor.ofFloats(arena, numbers, dims);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Part that
          && name.equals(that.name)
          && Arrays.equals(dims, that.dims)
          && Arrays.equals(numbers, that.numbers);
    }

    @Override
    public int hashCode() {
      return 31 * name.hashCode() + Arrays.hashCode(numbers);
    }

    @Override
    public String toString() {
      return name + Arrays.toString(dims);
    }
  }

  /** Copies the list. */
  public Representation {
    values = List.copyOf(values);
  }

  /** Whether the record had nothing to represent. */
  public boolean isEmpty() {
    return values.isEmpty();
  }

  /**
   * The numbers of a value.
   *
   * @param name its name in the network
   * @throws IllegalArgumentException if it was not asked for, or there is nothing
   */
  public float[] vector(String name) {
    return values.stream()
        .filter(each -> each.name().equals(name))
        .findFirst()
        .orElseThrow(
            () -> new IllegalArgumentException("there is no value " + name + " among " + values))
        .numbers();
  }

  /**
   * The numbers of the only value.
   *
   * @throws IllegalArgumentException if there are several, or there is nothing
   */
  public float[] vector() {
    if (values.size() != 1) {
      throw new IllegalArgumentException("the values are " + values + ", expected one");
    }
    return values.get(0).numbers();
  }
}
