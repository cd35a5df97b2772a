package io.gatun.batch;

/**
 * How a run divides its work. None of it changes an answer; it decides speed and memory. Immutable.
 *
 * <p>At most {@link #windowRecords()} records with {@link #windowTokens()} tokens and {@link
 * #windowBytes()} bytes are in memory at a time, from being read to being written. When a batch for
 * every worker has come together, later on half a window, or no more input is there for now, what
 * has come is sorted by length and cut into batches.
 */
public final class BatchOptions {
  /** The most threads that can be asked for: each has an execution and a stack of its own. */
  public static final int MAX_WORKERS = 1024;

  private final int workers;
  private final int batchTokens;
  private final int batchRecords;
  private final int windowRecords;
  private final int windowTokens;
  private final long windowBytes;
  private final int maxRecordTokens;
  private final int progressMillis;

  private BatchOptions(Builder builder) {
    workers = builder.workers;
    batchTokens = builder.batchTokens;
    batchRecords = builder.batchRecords;
    windowRecords = builder.windowRecords;
    windowTokens = builder.windowTokens;
    windowBytes = builder.windowBytes;
    maxRecordTokens = builder.maxRecordTokens;
    progressMillis = builder.progressMillis;
  }

  /** Starts with the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  /** Starts with these options. */
  public Builder toBuilder() {
    return new Builder(this);
  }

  /** Returns how many threads compute; 1 by default. */
  public int workers() {
    return workers;
  }

  /** Returns the bound on records × longest record of a batch, in tokens; 4,096 by default. */
  public int batchTokens() {
    return batchTokens;
  }

  /** Returns how many records a batch has at most; 512 by default. */
  public int batchRecords() {
    return batchRecords;
  }

  /** Returns how many records are in memory at most; 131,072 by default. */
  public int windowRecords() {
    return windowRecords;
  }

  /**
   * Returns how many tokens the records in memory have at most, if it is more than one record;
   * 1,048,576 by default.
   */
  public int windowTokens() {
    return windowTokens;
  }

  /**
   * Returns how many bytes of the input the records in memory were at most, if it is more than one
   * record; 64 MiB by default.
   */
  public long windowBytes() {
    return windowBytes;
  }

  /** Returns how many tokens a record may have; a longer one is bad. 32,768 by default. */
  public int maxRecordTokens() {
    return maxRecordTokens;
  }

  /** Returns the time between two reports of progress, in milliseconds; 250 by default. */
  public int progressMillis() {
    return progressMillis;
  }

  /** Collects options. For one thread. */
  public static final class Builder {
    private int workers = 1;
    private int batchTokens = 4096;
    private int batchRecords = 512;
    private int windowRecords = 131_072;
    private int windowTokens = 1 << 20;
    private long windowBytes = 64L << 20;
    private int maxRecordTokens = 32_768;
    private int progressMillis = 250;

    private Builder() {}

    private Builder(BatchOptions options) {
      workers = options.workers;
      batchTokens = options.batchTokens;
      batchRecords = options.batchRecords;
      windowRecords = options.windowRecords;
      windowTokens = options.windowTokens;
      windowBytes = options.windowBytes;
      maxRecordTokens = options.maxRecordTokens;
      progressMillis = options.progressMillis;
    }

    private static int atLeast(int least, int value, String what) {
      if (value < least) {
        throw new IllegalArgumentException(what + " is " + value + ", expected at least " + least);
      }
      return value;
    }

    /** Sets how many threads compute, at most {@link #MAX_WORKERS}. */
    public Builder workers(int threads) {
      workers = atLeast(1, threads, "the number of workers");
      if (threads > MAX_WORKERS) {
        throw new IllegalArgumentException(
            "the number of workers is " + threads + ", expected at most " + MAX_WORKERS);
      }
      return this;
    }

    /** Sets the bound on records × longest record of a batch. */
    public Builder batchTokens(int tokens) {
      batchTokens = atLeast(1, tokens, "the size of a batch in tokens");
      return this;
    }

    /** Sets how many records a batch has at most. */
    public Builder batchRecords(int records) {
      batchRecords = atLeast(1, records, "the size of a batch in records");
      return this;
    }

    /** Sets how many records are in memory at most. */
    public Builder windowRecords(int records) {
      windowRecords = atLeast(1, records, "the window in records");
      return this;
    }

    /** Sets how many tokens the records in memory have at most. */
    public Builder windowTokens(int tokens) {
      windowTokens = atLeast(1, tokens, "the window in tokens");
      return this;
    }

    /** Sets how many bytes of the input the records in memory were at most. */
    public Builder windowBytes(long bytes) {
      if (bytes < 1) {
        throw new IllegalArgumentException(
            "the window in bytes is " + bytes + ", expected at least 1");
      }
      windowBytes = bytes;
      return this;
    }

    /** Sets how many tokens a record may have. */
    public Builder maxRecordTokens(int tokens) {
      maxRecordTokens = atLeast(1, tokens, "the longest record in tokens");
      return this;
    }

    /** Sets the time between two reports of progress; 0 for one after every group of answers. */
    public Builder progressMillis(int millis) {
      progressMillis = atLeast(0, millis, "the time between reports of progress");
      return this;
    }

    /** Makes the options. */
    public BatchOptions build() {
      return new BatchOptions(this);
    }
  }
}
