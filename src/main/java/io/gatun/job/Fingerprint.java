package io.gatun.job;

import io.gatun.table.Row;
import java.util.List;

/**
 * A number that is another one when a record read so far is another one, so that a job goes on with
 * the input it began with. FNV-1a with 64 bits (Fowler, Noll, Vo), over characters and bits.
 */
final class Fingerprint {
  private static final long PRIME = 0x100000001b3L;
  private long value = 0xcbf29ce484222325L;

  /** Returns the number of all that was added. */
  long value() {
    return value;
  }

  /** Adds a record, or why there is none. */
  void add(Object record) {
    switch (record) {
      case null -> mix(0);
      case String text -> {
        for (int i = 0; i < text.length(); i++) {
          mix(text.charAt(i));
        }
        mix(-text.length());
      }
      case Row row -> {
        for (Object each : row.values()) {
          add(each);
        }
      }
      case float[] numbers -> {
        for (float each : numbers) {
          mix(Float.floatToRawIntBits(each));
        }
        mix(-numbers.length);
      }
      case List<?> list -> {
        for (Object each : list) {
          add(each);
        }
        mix(-list.size());
      }
      default -> add(record.toString());
    }
  }

  private void mix(long bits) {
    value = (value ^ bits) * PRIME;
  }
}
