package io.gatun.training;

import io.gatun.format.TextCodec;
import io.gatun.format.Vocabulary;
import java.util.ArrayList;
import java.util.List;

/**
 * Turns samples into items: text into tokens, names of classes into numbers.
 *
 * @param source may be {@code null}
 * @param target may be {@code null}
 * @param labels may be {@code null}
 */
record Encoding(TextCodec source, TextCodec target, Vocabulary labels) {

  /** An item of a sample for its first target. */
  Item item(Sample sample) {
    return item(sample, sample.targets().isEmpty() ? null : sample.targets().get(0));
  }

  private Item item(Sample sample, String right) {
    return new Item(
        source == null || sample.text() == null ? null : source.encode(sample.text()),
        target == null || right == null ? null : target.encode(right),
        labels == null || right == null ? -1 : labels.id(right, -1),
        sample.numbers(),
        sample.values());
  }

  /** Items to learn from: one for each target of a sample. */
  List<Item> items(List<Sample> samples, int longest) {
    List<Item> items = new ArrayList<>();
    for (Sample sample : samples) {
      int count = Math.max(1, target == null ? 1 : sample.targets().size());
      for (int i = 0; i < count; i++) {
        Item item = target == null ? item(sample) : item(sample, sample.targets().get(i));
        boolean fits =
            item.size() > 0
                && (item.source() == null || item.source().length <= longest)
                && (item.target() == null || item.target().length <= longest + 2L);
        if (fits) {
          items.add(item);
        }
      }
    }
    return items;
  }
}
