package io.gatun.sequence;

import io.gatun.kernel.Kernels;
import io.gatun.tensor.DType;

/**
 * Sets the log-probabilities of tokens that are not allowed to −∞, on the device: suppressed ones,
 * end tokens before the minimum length, and those that would repeat an n-gram.
 */
final class Masks implements AutoCloseable {
  private final EncoderDecoder model;
  private final HostArray places;
  private int[] suppressed = {};
  private int[] endTokens = {};
  private int minLength;
  private int ngram;
  private int[] tokens = {};
  private int placesForRows;
  private boolean placesForEnds;
  private int count;

  Masks(EncoderDecoder model) {
    this.model = model;
    places = new HostArray(model.device(), DType.INT64);
  }

  void begin(GenerationOptions options, int[] ends) {
    suppressed = options.suppressed();
    endTokens = ends;
    minLength = options.minLength();
    ngram = options.noRepeatNgram();
    placesForRows = -1;
  }

  /**
   * Masks the log-probabilities of a step, in which every row has {@code step} tokens; returns
   * whether there was something to mask.
   */
  boolean apply(
      Decoding decoding, Kernels kernels, History history, int[] nodes, int rows, int step) {
    boolean ends = step < minLength;
    if (ngram > 0 || rows != placesForRows || ends != placesForEnds) {
      collect(history, nodes, rows, step, ends);
      places.push(kernels, count);
    }
    if (count > 0) {
      kernels.assign(decoding.logProbabilities(), places.region(), count, Double.NEGATIVE_INFINITY);
    }
    return count > 0;
  }

  private void collect(History history, int[] nodes, int rows, int step, boolean ends) {
    long most = (long) suppressed.length + endTokens.length + (ngram > 0 ? step : 0);
    // On a device that works beside the host the last step is over: its result has been read.
    places.ensure(Math.multiplyExact(most, rows));
    count = 0;
    for (int row = 0; row < rows; row++) {
      for (int token : suppressed) {
        add(row, token);
      }
      if (ends) {
        for (int token : endTokens) {
          add(row, token);
        }
      }
      if (ngram > 0) {
        repeated(history, nodes[row], row, step);
      }
    }
    placesForRows = rows;
    placesForEnds = ends;
  }

  /** A token is masked if the last n − 1 tokens and it occurred before. */
  private void repeated(History history, int node, int row, int step) {
    if (tokens.length < step) {
      tokens = new int[step * 2];
    }
    history.tokens(node, step, tokens);
    int suffix = step - (ngram - 1);
    for (int i = 0; i + ngram <= step; i++) {
      int same = 0;
      while (same < ngram - 1 && tokens[i + same] == tokens[suffix + same]) {
        same++;
      }
      if (same == ngram - 1) {
        add(row, tokens[i + ngram - 1]);
      }
    }
  }

  private void add(int row, int token) {
    places.setLong(count++, (long) row * model.vocabulary() + token);
  }

  @Override
  public void close() {
    places.close();
  }
}
