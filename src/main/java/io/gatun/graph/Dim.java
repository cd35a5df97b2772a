package io.gatun.graph;

/**
 * The size of one axis of a {@link Value}: a number, or a symbol such as {@code time} that gets its
 * number when an {@link Execution} sees its inputs, or an expression over symbols. Immutable.
 */
public final class Dim {
  /** One. */
  public static final Dim ONE = of(1);

  private final long size;
  private final String text;

  private Dim(long size, String text) {
    this.size = size;
    this.text = text;
  }

  /** A known size, at least 0. */
  public static Dim of(long size) {
    if (size < 0) {
      throw new IllegalArgumentException("a dimension of " + size);
    }
    return new Dim(size, Long.toString(size));
  }

  /** A size that is not known yet; symbols of the same name are the same size. */
  public static Dim symbol(String name) {
    if (name.isEmpty() || Character.isDigit(name.charAt(0)) || name.charAt(0) == '-') {
      throw new IllegalArgumentException("'" + name + "' cannot name a dimension");
    }
    return new Dim(-1, name);
  }

  /** A dimension from what people write: a {@link Number}, a {@link Dim}, or a symbol's name. */
  public static Dim from(Object dimension) {
    if (dimension instanceof Dim dim) {
      return dim;
    }
    if (dimension instanceof Number number) {
      return of(number.longValue());
    }
    return symbol((String) dimension);
  }

  /** Whether the size is a number. */
  public boolean isKnown() {
    return size >= 0;
  }

  /**
   * The number.
   *
   * @throws IllegalStateException if it is not known
   */
  public long size() {
    if (size < 0) {
      throw new IllegalStateException("the size of " + text + " is not known yet");
    }
    return size;
  }

  /** The sum. */
  public Dim plus(Dim other) {
    if (isKnown() && other.isKnown()) {
      return of(Math.addExact(size, other.size));
    }
    return other.size == 0 ? this : size == 0 ? other : derived(this, "+", other);
  }

  /** The difference. */
  public Dim minus(Dim other) {
    if (isKnown() && other.isKnown()) {
      return of(size - other.size);
    }
    return other.size == 0 ? this : equals(other) ? of(0) : derived(this, "-", other);
  }

  /** The product. */
  public Dim times(Dim other) {
    if (isKnown() && other.isKnown()) {
      return of(Math.multiplyExact(size, other.size));
    }
    return other.size == 1 ? this : size == 1 ? other : derived(this, "*", other);
  }

  /** The quotient, rounded down. */
  public Dim dividedBy(Dim other) {
    if (isKnown() && other.isKnown()) {
      return of(size / other.size);
    }
    return other.size == 1 ? this : equals(other) ? ONE : derived(this, "/", other);
  }

  private static Dim derived(Dim left, String operator, Dim right) {
    return new Dim(-1, "(" + left.text + operator + right.text + ")");
  }

  /** Whether the two can be the same size: both known and equal, or one of them not known. */
  public boolean matches(Dim other) {
    return !isKnown() || !other.isKnown() || size == other.size;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Dim dim && dim.text.equals(text);
  }

  @Override
  public int hashCode() {
    return text.hashCode();
  }

  @Override
  public String toString() {
    return text;
  }
}
