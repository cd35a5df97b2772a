package io.gatun.training;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;

/**
 * The batches of an epoch: all items in random order, those of a pool of batches sorted by length,
 * cut where a batch has enough sequences or tokens, and the batches in random order again. They
 * depend on the seed and the epoch alone. Stateless.
 */
final class Batches {
  private Batches() {}

  static List<List<Item>> of(
      List<Item> items, TrainingConfig.Batch settings, long seed, int epoch) {
    Random random = new Random(seed * 0x9E3779B97F4A7C15L + epoch + 1);
    List<Item> shuffled = new ArrayList<>(items);
    Collections.shuffle(shuffled, random);
    List<List<Item>> batches = new ArrayList<>();
    long pool = (long) settings.pool() * settings.sequences();
    for (long from = 0; from < shuffled.size(); from += pool) {
      List<Item> part = shuffled.subList((int) from, (int) Math.min(shuffled.size(), from + pool));
      part.sort(
          Comparator.comparingInt(Item::size)
              .thenComparingInt(item -> item.target() == null ? 0 : item.target().length));
      cut(part, settings, batches);
    }
    Collections.shuffle(batches, random);
    return batches;
  }

  private static void cut(
      List<Item> sorted, TrainingConfig.Batch settings, List<List<Item>> batches) {
    List<Item> batch = new ArrayList<>();
    long tokens = 0;
    for (Item item : sorted) {
      boolean full =
          batch.size() == settings.sequences()
              || !batch.isEmpty() && tokens + item.tokens() > settings.tokens();
      if (full) {
        batches.add(batch);
        batch = new ArrayList<>();
        tokens = 0;
      }
      batch.add(item);
      tokens += item.tokens();
    }
    if (!batch.isEmpty()) {
      batches.add(batch);
    }
  }

  /** The items of each shard, the longest first, dealt out in turn. */
  static List<List<Item>> shards(List<Item> batch, int count) {
    List<Item> longestFirst = new ArrayList<>(batch);
    longestFirst.sort(Comparator.comparingInt(Item::size).reversed());
    List<List<Item>> shards = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      List<Item> shard = new ArrayList<>();
      for (int k = i; k < longestFirst.size(); k += count) {
        shard.add(longestFirst.get(k));
      }
      if (!shard.isEmpty()) {
        shards.add(shard);
      }
    }
    return shards;
  }
}
