package io.gatun.table;

import java.util.List;
import java.util.Objects;

/**
 * What the values of a column are. Each kind has one Java class; any value may be {@code null}.
 *
 * @param kind which kind
 * @param element of a list what its elements are; {@code null} otherwise
 * @param size of a vector how many numbers it has; 0 otherwise
 */
public record ColumnType(Kind kind, ColumnType element, int size) {
  /** Text: {@link String}. */
  public static final ColumnType TEXT = new ColumnType(Kind.TEXT, null, 0);

  /** Whole numbers of 64 bits: {@link Long}. */
  public static final ColumnType INTEGER = new ColumnType(Kind.INTEGER, null, 0);

  /** Floating-point numbers of 64 bits: {@link Double}. */
  public static final ColumnType DOUBLE = new ColumnType(Kind.DOUBLE, null, 0);

  /** Floating-point numbers of 32 bits: {@link Float}. */
  public static final ColumnType FLOAT = new ColumnType(Kind.FLOAT, null, 0);

  /** Truth values: {@link Boolean}. */
  public static final ColumnType BOOLEAN = new ColumnType(Kind.BOOLEAN, null, 0);

  /** The kinds of columns. */
  public enum Kind {
    /** {@link String}. */
    TEXT,
    /** {@link Long}. */
    INTEGER,
    /** {@link Double}. */
    DOUBLE,
    /** {@link Float}. */
    FLOAT,
    /** {@link Boolean}. */
    BOOLEAN,
    /** {@link List}; but {@code float[]} where the elements are floats. */
    LIST,
    /** {@code float[]} of the same length in each row. */
    VECTOR
  }

  /** Checks that what belongs together is there. */
  public ColumnType {
    Objects.requireNonNull(kind, "kind");
    if ((kind == Kind.LIST) != (element != null) || (kind == Kind.VECTOR) != (size > 0)) {
      throw new IllegalArgumentException(
          kind + " with elements " + element + " and size " + size + " is no type of a column");
    }
  }

  /** Returns whether it is of that kind. */
  public boolean is(Kind which) {
    return kind == which;
  }

  /** Lists of any length. */
  public static ColumnType listOf(ColumnType element) {
    return new ColumnType(Kind.LIST, element, 0);
  }

  /** Vectors of so many floats. */
  public static ColumnType vector(int size) {
    return new ColumnType(Kind.VECTOR, null, size);
  }

  /** Returns whether a value is of this type; {@code null} always is. */
  public boolean admits(Object value) {
    if (value == null) {
      return true;
    }
    return switch (kind) {
      case TEXT -> value instanceof String;
      case INTEGER -> value instanceof Long;
      case DOUBLE -> value instanceof Double;
      case FLOAT -> value instanceof Float;
      case BOOLEAN -> value instanceof Boolean;
      case VECTOR -> value instanceof float[] numbers && numbers.length == size;
      case LIST ->
          element.kind == Kind.FLOAT
              ? value instanceof float[]
              : value instanceof List<?> list && list.stream().allMatch(element::admits);
    };
  }

  @Override
  public String toString() {
    return switch (kind) {
      case TEXT -> "text";
      case INTEGER -> "integer";
      case DOUBLE -> "double";
      case FLOAT -> "float";
      case BOOLEAN -> "boolean";
      case LIST -> "list of " + element;
      case VECTOR -> "vector of " + size;
    };
  }
}
