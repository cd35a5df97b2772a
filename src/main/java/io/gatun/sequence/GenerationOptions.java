package io.gatun.sequence;

import java.util.Arrays;

/**
 * How tokens are chosen. Immutable; without any setting it is greedy: the most probable token at
 * each step, up to 256 tokens.
 *
 * <p><b>Masks.</b> Tokens that are not allowed at a step (suppressed ones, end tokens before the
 * minimum length, repetitions) get the log-probability −∞; those of the others stay what the
 * network gave them, they are not made to sum to 1 again.
 *
 * <p><b>Ties.</b> Of equal candidates the one of the better hypothesis comes first, then the lower
 * token id.
 *
 * <p><b>Beam search.</b> All live hypotheses of a sentence have the same length. At each step their
 * continuations are ranked by the sum of log-probabilities. Those among the first {@code beamWidth}
 * that are end tokens end a hypothesis; the first {@code beamWidth} that are not live on. At the
 * last step the first {@code beamWidth} all end. The ended ones are ranked by {@linkplain
 * LengthPenalty score}.
 */
public final class GenerationOptions {
  /** Greedy. */
  public static final GenerationOptions GREEDY = builder().build();

  private final int beamWidth;
  private final int nBest;
  private final LengthPenalty lengthPenalty;
  private final double patience;
  private final boolean exhaustive;
  private final int minLength;
  private final int maxLength;
  private final int[] endTokens;
  private final int[] suppressed;
  private final int noRepeatNgram;
  private final boolean sampling;
  private final double temperature;
  private final int topK;
  private final double topP;
  private final long seed;
  private final boolean logProbabilities;
  private final boolean attention;
  private final TokenListener listener;

  private GenerationOptions(Builder builder) {
    beamWidth = builder.beamWidth;
    nBest = builder.nBest;
    lengthPenalty = builder.lengthPenalty;
    patience = builder.patience;
    exhaustive = builder.exhaustive;
    minLength = builder.minLength;
    maxLength = builder.maxLength;
    endTokens = builder.endTokens == null ? null : distinct(builder.endTokens);
    suppressed = distinct(builder.suppressed);
    noRepeatNgram = builder.noRepeatNgram;
    sampling = builder.sampling;
    temperature = builder.temperature;
    topK = builder.topK;
    topP = builder.topP;
    seed = builder.seed;
    logProbabilities = builder.logProbabilities;
    attention = builder.attention;
    listener = builder.listener;
  }

  private static int[] distinct(int[] tokens) {
    return Arrays.stream(tokens).sorted().distinct().toArray();
  }

  /** Begins with the defaults. */
  public static Builder builder() {
    return new Builder();
  }

  /** Beam search of a width, with the defaults otherwise. */
  public static GenerationOptions beam(int width) {
    return builder().beamWidth(width).build();
  }

  /** See {@link Builder#beamWidth}. */
  public int beamWidth() {
    return beamWidth;
  }

  /** See {@link Builder#nBest}. */
  public int nBest() {
    return nBest;
  }

  /** See {@link Builder#lengthPenalty}. */
  public LengthPenalty lengthPenalty() {
    return lengthPenalty;
  }

  /** See {@link Builder#patience}. */
  public double patience() {
    return patience;
  }

  /** See {@link Builder#exhaustive}. */
  public boolean exhaustive() {
    return exhaustive;
  }

  /** See {@link Builder#minLength}. */
  public int minLength() {
    return minLength;
  }

  /** See {@link Builder#maxLength}. */
  public int maxLength() {
    return maxLength;
  }

  /** See {@link Builder#endTokens}; {@code null} for the network's own. */
  public int[] endTokens() {
    return endTokens == null ? null : endTokens.clone();
  }

  /** See {@link Builder#suppress}; sorted. */
  public int[] suppressed() {
    return suppressed.clone();
  }

  /** See {@link Builder#noRepeatNgram}. */
  public int noRepeatNgram() {
    return noRepeatNgram;
  }

  /** See {@link Builder#sampling}. */
  public boolean sampling() {
    return sampling;
  }

  /** See {@link Builder#temperature}. */
  public double temperature() {
    return temperature;
  }

  /** See {@link Builder#topK}. */
  public int topK() {
    return topK;
  }

  /** See {@link Builder#topP}. */
  public double topP() {
    return topP;
  }

  /** See {@link Builder#seed}. */
  public long seed() {
    return seed;
  }

  /** See {@link Builder#logProbabilities}. */
  public boolean logProbabilities() {
    return logProbabilities;
  }

  /** See {@link Builder#attention}. */
  public boolean attention() {
    return attention;
  }

  /** See {@link Builder#listener}; {@code null} for none. */
  public TokenListener listener() {
    return listener;
  }

  /** How many hypotheses have to end before a sentence is done. */
  int target() {
    return Math.max(nBest, (int) Math.ceil(beamWidth * patience));
  }

  /** A builder with these settings, to change some of them. */
  public Builder toBuilder() {
    Builder builder = new Builder();
    builder.beamWidth = beamWidth;
    builder.nBest = nBest;
    builder.lengthPenalty = lengthPenalty;
    builder.patience = patience;
    builder.exhaustive = exhaustive;
    builder.minLength = minLength;
    builder.maxLength = maxLength;
    builder.endTokens = endTokens;
    builder.suppressed = suppressed;
    builder.noRepeatNgram = noRepeatNgram;
    builder.sampling = sampling;
    builder.temperature = temperature;
    builder.topK = topK;
    builder.topP = topP;
    builder.seed = seed;
    builder.logProbabilities = logProbabilities;
    builder.attention = attention;
    builder.listener = listener;
    return builder;
  }

  /** Collects settings. What is out of range is refused by {@link #build()}. Not thread-safe. */
  public static final class Builder {
    private int beamWidth = 1;
    private int nBest = 1;
    private LengthPenalty lengthPenalty = LengthPenalty.NONE;
    private double patience = 1;
    private boolean exhaustive;
    private int minLength;
    private int maxLength = 256;
    private int[] endTokens;
    private int[] suppressed = {};
    private int noRepeatNgram;
    private boolean sampling;
    private double temperature = 1;
    private int topK;
    private double topP = 1;
    private long seed;
    private boolean logProbabilities;
    private boolean attention;
    private TokenListener listener;

    private Builder() {}

    /**
     * How many hypotheses of a sentence live at a time: 1 to 10,000, by default 1, which is greedy.
     * It may be wider than the vocabulary.
     */
    public Builder beamWidth(int width) {
      beamWidth = width;
      return this;
    }

    /**
     * How many hypotheses are returned for each sentence, best first: 1 to the beam width, by
     * default 1. There are fewer where the search did not find as many. When sampling, it is the
     * number of independent samples, 1 to 10,000, returned in the order of their numbers.
     */
    public Builder nBest(int count) {
      nBest = count;
      return this;
    }

    /** How lengths are weighed against each other; by default {@link LengthPenalty#NONE}. */
    public Builder lengthPenalty(LengthPenalty penalty) {
      lengthPenalty = penalty;
      return this;
    }

    /**
     * A sentence is done when beam width × patience hypotheses (rounded up, at least {@code nBest})
     * have ended: above 0, up to 1,000, by default 1. Kasai et al. 2022, A Call for Clarity in Beam
     * Search.
     */
    public Builder patience(double factor) {
      patience = factor;
      return this;
    }

    /**
     * Instead of by patience, a sentence is done when no live hypothesis can get a better score
     * than the {@code nBest} that have ended; off by default.
     */
    public Builder exhaustive(boolean on) {
      exhaustive = on;
      return this;
    }

    /**
     * The fewest tokens of a hypothesis, the end token not counted: 0 (the default) to the maximum
     * length. Before that, end tokens are not allowed.
     */
    public Builder minLength(int tokens) {
      minLength = tokens;
      return this;
    }

    /**
     * The most tokens of a hypothesis, the end token counted: the number of decoder steps; 0 to
     * 1,000,000, by default 256. With 0 the only hypothesis is the empty one.
     */
    public Builder maxLength(int tokens) {
      maxLength = tokens;
      return this;
    }

    /**
     * Tokens that end a hypothesis, instead of the network's own; none for hypotheses that all go
     * on to the maximum length.
     */
    public Builder endTokens(int... tokens) {
      endTokens = tokens.clone();
      return this;
    }

    /** Tokens that are never chosen, except in a required prefix; none by default. */
    public Builder suppress(int... tokens) {
      suppressed = tokens.clone();
      return this;
    }

    /**
     * No n-gram of this size occurs twice in a hypothesis: 0 (the default, off) to 1,000. 1 forbids
     * any token to be repeated. A required prefix may repeat.
     */
    public Builder noRepeatNgram(int size) {
      noRepeatNgram = size;
      return this;
    }

    /**
     * Tokens are drawn at random from the distribution that the network gives, as changed by masks,
     * temperature, top-k and top-p, in this order; off by default. The beam width must be 1. The
     * log-probabilities reported are the network's own, before those changes.
     */
    public Builder sampling(boolean on) {
      sampling = on;
      return this;
    }

    /**
     * What the log-probabilities are divided by before a token is drawn: above 0, up to 1,000, by
     * default 1. Below 1 the probable ones become more so.
     */
    public Builder temperature(double divisor) {
      temperature = divisor;
      return this;
    }

    /** Only that many of the most probable tokens can be drawn; 0, the default, for all. */
    public Builder topK(int count) {
      topK = count;
      return this;
    }

    /**
     * Only the fewest most probable tokens whose probabilities sum to at least this can be drawn:
     * above 0, up to 1, by default 1, for all. Holtzman et al. 2020, nucleus sampling.
     */
    public Builder topP(double probability) {
      topP = probability;
      return this;
    }

    /**
     * What random numbers are derived from, together with a sentence's id and the sample's number;
     * by default 0. The same seed gives the same samples, whatever the batch.
     */
    public Builder seed(long number) {
      seed = number;
      return this;
    }

    /** Whether hypotheses carry the log-probability of each token; off by default. */
    public Builder logProbabilities(boolean on) {
      logProbabilities = on;
      return this;
    }

    /** Whether hypotheses carry the attention of each token; off by default. */
    public Builder attention(boolean on) {
      attention = on;
      return this;
    }

    /** Who is told each token as it is chosen; {@code null}, the default, for nobody. */
    public Builder listener(TokenListener toBeTold) {
      listener = toBeTold;
      return this;
    }

    /**
     * The options.
     *
     * @throws IllegalArgumentException if a setting is out of its range or does not go with
     *     another, naming it
     */
    public GenerationOptions build() {
      range("beam width", beamWidth, 1, 10_000);
      range("n-best", nBest, 1, sampling ? 10_000 : beamWidth);
      require(patience > 0 && patience <= 1000, "patience", patience, "above 0, up to 1000");
      range("maximum length", maxLength, 0, 1_000_000);
      range("minimum length", minLength, 0, maxLength);
      range("no-repeat n-gram", noRepeatNgram, 0, 1000);
      require(
          temperature > 0 && temperature <= 1000,
          "temperature",
          temperature,
          "above 0, up to 1000 (for the most probable token switch sampling off)");
      range("top-k", topK, 0, Integer.MAX_VALUE);
      require(topP > 0 && topP <= 1, "top-p", topP, "above 0, up to 1");
      require(!sampling || beamWidth == 1, "beam width", beamWidth, "1 when sampling");
      if (lengthPenalty == null) {
        throw new IllegalArgumentException("length penalty is null, expected LengthPenalty.NONE");
      }
      for (int token : suppressed) {
        range("suppressed token", token, 0, Integer.MAX_VALUE);
      }
      if (endTokens != null) {
        for (int token : endTokens) {
          range("end token", token, 0, Integer.MAX_VALUE);
        }
      }
      return new GenerationOptions(this);
    }

    private static void range(String what, int value, int least, int most) {
      require(value >= least && value <= most, what, value, least + " to " + most);
    }

    private static void require(boolean fits, String what, Object value, String expected) {
      if (!fits) {
        throw new IllegalArgumentException(what + " is " + value + ", expected " + expected);
      }
    }
  }
}
