package io.gatun.sequence;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/**
 * What a network says of the next token, computed some other way, and what follows from it: search
 * written down as its definition reads, without rows, devices or sharing.
 */
@FunctionalInterface
interface Oracle {
  /** The log-probabilities of the token after {@code target}, before any mask. */
  double[] next(int[] source, int[] target);

  /** A hypothesis in the making or ended. */
  record Found(int[] tokens, double sum, double score, Hypothesis.End end) {
    int length() {
      return tokens.length + (end == Hypothesis.End.END_TOKEN ? 1 : 0);
    }

    @Override
    public String toString() {
      return Arrays.toString(tokens) + " " + end + " " + sum + " (" + score + ")";
    }
  }

  /** The log-probabilities that the options leave, −∞ for what is not allowed. */
  default double[] allowed(
      int[] source, int[] target, int[] prefix, int[] ends, GenerationOptions options) {
    double[] values = next(source, target);
    if (target.length < prefix.length) {
      double[] only = new double[values.length];
      Arrays.fill(only, Double.NEGATIVE_INFINITY);
      only[prefix[target.length]] = values[prefix[target.length]];
      return only;
    }
    for (int token : options.suppressed()) {
      values[token] = Double.NEGATIVE_INFINITY;
    }
    if (target.length < options.minLength()) {
      for (int end : ends) {
        values[end] = Double.NEGATIVE_INFINITY;
      }
    }
    int n = options.noRepeatNgram();
    for (int token = 0; n > 0 && token < values.length; token++) {
      int[] longer = append(target, token);
      if (longer.length >= n) {
        int[] ngram = Arrays.copyOfRange(longer, longer.length - n, longer.length);
        for (int from = 0; from + n < longer.length; from++) {
          if (Arrays.equals(ngram, Arrays.copyOfRange(longer, from, from + n))) {
            values[token] = Double.NEGATIVE_INFINITY;
          }
        }
      }
    }
    return values;
  }

  static int[] append(int[] tokens, int token) {
    int[] longer = Arrays.copyOf(tokens, tokens.length + 1);
    longer[tokens.length] = token;
    return longer;
  }

  static boolean contains(int[] tokens, int token) {
    return Arrays.stream(tokens).anyMatch(t -> t == token);
  }

  private static Found ended(
      int[] tokens, double sum, Hypothesis.End end, GenerationOptions options) {
    int length = tokens.length + (end == Hypothesis.End.END_TOKEN ? 1 : 0);
    return new Found(tokens, sum, options.lengthPenalty().score(sum, length), end);
  }

  /** Beam search as {@link GenerationOptions} defines it. */
  default List<Found> beam(int[] source, int[] prefix, int[] ends, GenerationOptions options) {
    int width = options.beamWidth();
    List<Found> done = new ArrayList<>();
    List<Found> live = List.of(new Found(new int[0], 0, 0, null));
    for (int step = 0; step < options.maxLength() && !live.isEmpty(); step++) {
      boolean last = step + 1 == options.maxLength();
      List<Found> candidates = new ArrayList<>();
      for (Found each : live) {
        double[] values = allowed(source, each.tokens(), prefix, ends, options);
        for (int token = 0; token < values.length; token++) {
          if (values[token] > Double.NEGATIVE_INFINITY) {
            candidates.add(
                new Found(append(each.tokens(), token), each.sum() + values[token], 0, null));
          }
        }
      }
      // A stable sort: of equals the one of the better hypothesis, then the lower token.
      candidates.sort(Comparator.comparingDouble((Found f) -> -f.sum()));
      List<Found> next = new ArrayList<>();
      for (int rank = 0; rank < candidates.size(); rank++) {
        Found each = candidates.get(rank);
        int token = each.tokens()[step];
        if (contains(ends, token)) {
          if (rank < width) {
            int[] tokens = Arrays.copyOf(each.tokens(), step);
            done.add(ended(tokens, each.sum(), Hypothesis.End.END_TOKEN, options));
          }
        } else if (last) {
          if (rank < width) {
            done.add(ended(each.tokens(), each.sum(), Hypothesis.End.MAX_LENGTH, options));
          }
        } else if (next.size() < width) {
          next.add(each);
        }
      }
      if (candidates.isEmpty()) {
        for (Found each : live) {
          done.add(ended(each.tokens(), each.sum(), Hypothesis.End.NO_TOKEN_ALLOWED, options));
        }
      }
      done.sort(Comparator.comparingDouble((Found f) -> -f.score()));
      if (options.exhaustive()) {
        live = canStillWin(next, done, options) ? next : List.of();
      } else {
        live = done.size() >= options.target() ? List.of() : next;
      }
    }
    if (options.maxLength() == 0) {
      done.add(ended(new int[0], 0, Hypothesis.End.MAX_LENGTH, options));
    }
    return done.subList(0, Math.min(options.nBest(), done.size()));
  }

  private static boolean canStillWin(
      List<Found> live, List<Found> done, GenerationOptions options) {
    if (live.isEmpty() || done.size() < options.nBest()) {
      return true;
    }
    double worst = done.get(options.nBest() - 1).score();
    for (int length = live.get(0).tokens().length + 1; length <= options.maxLength(); length++) {
      if (options.lengthPenalty().score(live.get(0).sum(), length) > worst) {
        return true;
      }
    }
    return false;
  }

  /** Every hypothesis there can be, best first. */
  default List<Found> all(int[] source, int[] prefix, int[] ends, GenerationOptions options) {
    List<Found> found = new ArrayList<>();
    extend(new int[0], 0, source, prefix, ends, options, found);
    found.sort(Comparator.comparingDouble((Found f) -> -f.score()));
    return found;
  }

  private void extend(
      int[] tokens,
      double sum,
      int[] source,
      int[] prefix,
      int[] ends,
      GenerationOptions options,
      List<Found> found) {
    if (tokens.length == options.maxLength()) {
      found.add(ended(tokens, sum, Hypothesis.End.MAX_LENGTH, options));
      return;
    }
    double[] values = allowed(source, tokens, prefix, ends, options);
    for (int token = 0; token < values.length; token++) {
      if (values[token] == Double.NEGATIVE_INFINITY) {
        continue;
      }
      if (contains(ends, token)) {
        found.add(ended(tokens, sum + values[token], Hypothesis.End.END_TOKEN, options));
      } else {
        extend(append(tokens, token), sum + values[token], source, prefix, ends, options, found);
      }
    }
  }

  /** {@code x − log Σ e^x}. */
  static double[] logSoftmax(double[] x) {
    double maximum = Arrays.stream(x).max().orElse(0);
    double sum = Arrays.stream(x).map(v -> Math.exp(v - maximum)).sum();
    return Arrays.stream(x).map(v -> v - maximum - Math.log(sum)).toArray();
  }
}
