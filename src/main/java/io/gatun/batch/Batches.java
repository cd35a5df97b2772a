package io.gatun.batch;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToIntFunction;

/** How sorted items become batches. */
final class Batches {
  private Batches() {}

  /**
   * Cuts items into batches, in their order.
   *
   * @param items sorted so that what is best computed together stands together
   * @param length of an item in tokens
   * @param mostTokens the bound on items × longest item of a batch of more than one
   * @param mostItems the bound on its items
   */
  static <T> List<List<T>> cut(
      List<T> items, ToIntFunction<T> length, long mostTokens, int mostItems) {
    List<List<T>> batches = new ArrayList<>();
    List<T> batch = new ArrayList<>();
    int longest = 0;
    for (T item : items) {
      int its = length.applyAsInt(item);
      longest = Math.max(longest, its);
      boolean full = batch.size() >= mostItems || (batch.size() + 1L) * longest > mostTokens;
      if (!batch.isEmpty() && full) {
        batches.add(batch);
        batch = new ArrayList<>();
        longest = its;
      }
      batch.add(item);
    }
    if (!batch.isEmpty()) {
      batches.add(batch);
    }
    return batches;
  }
}
