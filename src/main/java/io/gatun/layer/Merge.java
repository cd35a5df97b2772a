package io.gatun.layer;

import java.util.Locale;

/** How a bidirectional layer joins what its two directions say, as Keras' {@code merge_mode}. */
public enum Merge {
  /** Forward, then backward, side by side: twice the features. */
  CONCAT,
  /** Their sum. */
  SUM,
  /** Half their sum; Keras' {@code ave}. */
  MEAN,
  /** Their elementwise product; Keras' {@code mul}. */
  PRODUCT;

  /**
   * The way of a name: {@code concat}, {@code sum}, {@code mean} or {@code ave}, {@code product} or
   * {@code mul}.
   *
   * @throws IllegalArgumentException for another name
   */
  public static Merge of(String name) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "concat" -> CONCAT;
      case "sum" -> SUM;
      case "mean", "ave" -> MEAN;
      case "product", "mul" -> PRODUCT;
      default ->
          throw new IllegalArgumentException(
              "two directions cannot be merged by " + name + "; concat, sum, mean and product can");
    };
  }

  /** The ONNX operator that joins them along an axis of size 2; none for {@link #CONCAT}. */
  String reduction() {
    return switch (this) {
      case CONCAT -> throw new IllegalStateException("nothing is reduced");
      case SUM -> "ReduceSum";
      case MEAN -> "ReduceMean";
      case PRODUCT -> "ReduceProd";
    };
  }
}
