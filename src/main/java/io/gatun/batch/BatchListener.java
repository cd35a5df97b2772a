package io.gatun.batch;

/** Hears how a run goes. Called on the thread that runs the batch; what it throws ends the run. */
public interface BatchListener {
  /** Hears nothing. */
  BatchListener NONE = new BatchListener() {};

  /**
   * A record was left out. Called in the order of the records.
   *
   * @param number the record's number, counted from 1
   * @param reason why
   */
  default void bad(long number, String reason) {}

  /**
   * The same with the place of the record; calls {@link #bad(long, String)} by default.
   *
   * @param number the record's number, counted from 1
   * @param place where it stands, see {@link RecordReader#place}
   * @param reason why
   */
  default void bad(long number, String place, String reason) {
    bad(number, reason);
  }

  /**
   * How far the run is. Called while answers are written and after that, and at every {@link
   * BatchOptions#progressMillis()} of waiting, not more often than that; and once at the end.
   *
   * @param progress how far
   */
  default void progress(BatchProgress progress) {}
}
