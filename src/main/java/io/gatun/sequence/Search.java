package io.gatun.sequence;

import io.gatun.kernel.Kernels;
import io.gatun.sequence.Hypothesis.End;
import io.gatun.sequence.TokenListener.Decision;
import io.gatun.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The host's side of a generation: which rows live, what each may become, and which hypotheses have
 * ended. Only the best tokens of each row and their log-probabilities come up from the device.
 * Greedy search is a beam of one; a sample is a row of its own. Its arrays are kept from one
 * generation to the next.
 */
final class Search implements AutoCloseable {
  private final EncoderDecoder model;
  private final Decoding decoding;
  private final Kernels kernels;
  private final HostArray values;
  private final HostArray ids;
  private final Masks masks;
  private final Sampler sampler = new Sampler();
  private final History history = new History();
  private final Ended ended = new Ended();

  private List<Sentence> batch;
  private GenerationOptions options;
  private int[] endTokens;
  private int candidates;
  private boolean wholeRows;
  private int step;
  private boolean last;
  private boolean stopAll;

  // What lives. The rows of a sentence lie together, best first, or by the sample's number.
  private Rows live = new Rows();
  private Rows next = new Rows();
  private int[] parents = {};
  private int[] heads = {};

  // Rows whose next token is required.
  private int forcedCount;
  private int[] forcedRows = {};
  private int[] forcedTokens = {};
  private int[] forcedAt = {};
  private HostArray forcedValues;

  /** The rows of one step: to which sentence each belongs, and what led to it. */
  private static final class Rows {
    int count;
    int[] sentence = {};
    int[] node = {};
    int[] sample = {};
    long[] random = {};
    double[] sum = {};

    void ensure(int rows) {
      if (sentence.length < rows) {
        sentence = new int[rows];
        node = new int[rows];
        sample = new int[rows];
        random = new long[rows];
        sum = new double[rows];
      }
    }

    int add(int ofSentence, int itsNode, double itsSum) {
      sentence[count] = ofSentence;
      node[count] = itsNode;
      sum[count] = itsSum;
      return count++;
    }
  }

  Search(EncoderDecoder model, Decoding decoding) {
    this.model = model;
    this.decoding = decoding;
    this.kernels = decoding.kernels;
    values = new HostArray(model.device(), model.device().real());
    ids = new HostArray(model.device(), DType.INT32);
    masks = new Masks(model);
  }

  /** The hypotheses of each sentence; the batch and the options must have been checked. */
  List<List<Hypothesis>> run(List<Sentence> sentences, GenerationOptions with) {
    batch = sentences;
    options = with;
    try {
      begin();
      while (live.count > 0) {
        step();
      }
      List<List<Hypothesis>> all = new ArrayList<>(batch.size());
      for (int s = 0; s < batch.size(); s++) {
        all.add(ended.hypotheses(s, batch.get(s).tokens().length, history, options));
      }
      return all;
    } finally {
      batch = null;
      options = null;
    }
  }

  private void begin() {
    int samples = options.sampling() ? options.nBest() : 1;
    int count = Math.multiplyExact(batch.size(), samples);
    int most = Math.multiplyExact(count, options.beamWidth());
    endTokens = options.endTokens() == null ? model.endTokens : options.endTokens();
    chooseCandidates();
    live.ensure(most);
    next.ensure(most);
    if (parents.length < most) {
      parents = new int[most];
      heads = new int[most];
      forcedRows = new int[most];
      forcedTokens = new int[most];
      forcedAt = new int[most];
    }
    values.ensure(Math.multiplyExact((long) most, (long) candidates));
    ids.ensure(Math.multiplyExact((long) most, (long) candidates));
    masks.begin(options, endTokens);
    history.clear(options.attention() ? decoding.sourceTime() : 0);
    ended.clear(batch.size(), options.nBest());
    step = 0;
    stopAll = false;
    live.count = 0;
    for (int s = 0; s < batch.size(); s++) {
      int root = history.root();
      for (int sample = 0; sample < samples; sample++) {
        if (options.maxLength() == 0) {
          end(s, sample, root, 0, 0, End.MAX_LENGTH);
          continue;
        }
        int row = live.add(s, root, 0);
        live.sample[row] = sample;
        live.random[row] = Sampler.stream(options.seed(), batch.get(s).id(), sample);
      }
    }
    if (live.count > 0) {
      decoding.start(live.count, most, live.sentence);
    }
  }

  /**
   * How many tokens of each row are looked at. The best {@code beamWidth} tokens that do not end a
   * hypothesis are among the best {@code beamWidth + endTokens}.
   */
  private void chooseCandidates() {
    int vocabulary = model.vocabulary();
    wholeRows = false;
    if (options.sampling()) {
      wholeRows = options.topK() == 0 || options.topK() >= vocabulary;
      candidates = wholeRows ? vocabulary : options.topK();
      sampler.ensure(candidates);
    } else if (options.target() == 1 && options.beamWidth() == 1 && !options.exhaustive()) {
      candidates = 1;
    } else {
      candidates = Math.min(vocabulary, options.beamWidth() + endTokens.length);
    }
  }

  private void step() {
    last = step + 1 == options.maxLength();
    for (int row = 0; row < live.count; row++) {
      decoding.token(row, step == 0 ? model.startToken : history.token(live.node[row]));
    }
    decoding.step();
    if (options.attention()) {
      HostArray weights = decoding.attention();
      for (int row = 0; row < live.count; row++) {
        history.attend(live.node[row], weights, (long) row * decoding.sourceTime());
      }
    }
    readForced();
    readCandidates(masks.apply(decoding, kernels, history, live.node, live.count, step));
    next.count = 0;
    for (int first = 0; first < live.count; ) {
      int sentence = live.sentence[first];
      int end = first + 1;
      while (end < live.count && live.sentence[end] == sentence) {
        end++;
      }
      if (options.sampling()) {
        draw(first, end);
      } else {
        select(first, end);
      }
      first = end;
    }
    if (stopAll) {
      stop(0);
    }
    step++;
    boolean same = next.count == live.count;
    for (int row = 0; same && row < next.count; row++) {
      same = next.sentence[row] == live.sentence[row];
    }
    Rows before = live;
    live = next;
    next = before;
    if (live.count > 0) {
      decoding.advance(live.count, parents, live.sentence, same);
    }
  }

  // ---- what comes up from the device ----------------------------------------------------------

  /** Reads the log-probabilities of required tokens, before anything is masked. */
  private void readForced() {
    forcedCount = 0;
    for (int row = 0; row < live.count; row++) {
      int[] prefix = batch.get(live.sentence[row]).prefix();
      forcedAt[row] = -1;
      if (step < prefix.length) {
        forcedAt[row] = forcedCount;
        forcedRows[forcedCount] = row;
        forcedTokens[forcedCount++] = prefix[step];
      }
    }
    if (forcedCount > 0) {
      forcedValues = decoding.gather(forcedCount, forcedRows, forcedTokens);
      for (int i = 0; i < forcedCount; i++) {
        if (Double.isNaN(forcedValues.getReal(i))) {
          throw notNumbers(forcedRows[i]);
        }
      }
    }
  }

  private void readCandidates(boolean masked) {
    if (forcedCount == live.count) {
      return;
    }
    long count = (long) live.count * candidates;
    if (wholeRows) {
      kernels.copy(
          decoding.logProbabilities(), values.region(), count * model.device().real().bytes());
    } else {
      if (masked) {
        decoding.bestOfMasked(candidates, values, ids);
      } else {
        decoding.best(candidates, values, ids);
      }
      ids.pull(kernels, count);
    }
    values.pull(kernels, count);
    for (int row = 0; row < live.count; row++) {
      if (forcedAt[row] < 0) {
        checkNumbers(row);
      }
    }
  }

  /**
   * One NaN among the logits makes all log-probabilities of the row NaN, except those masked
   * afterwards: so it is enough to look at the first, and at all if the first is −∞.
   */
  private void checkNumbers(int row) {
    for (int i = 0; i < candidates; i++) {
      double value = value(row, i);
      if (Double.isNaN(value)) {
        throw notNumbers(row);
      }
      if (value > Double.NEGATIVE_INFINITY) {
        return;
      }
    }
    if (candidates < model.vocabulary() && decoding.hasNaN(row)) {
      throw notNumbers(row);
    }
  }

  private SequenceException notNumbers(int row) {
    return new SequenceException(
        live.sentence[row],
        "the decoder's logits for token "
            + step
            + " are not numbers; its weights or inputs hold NaN or infinity");
  }

  private double value(int row, int candidate) {
    return values.getReal((long) row * candidates + candidate);
  }

  private int id(int row, int candidate) {
    return wholeRows ? candidate : ids.getInt((long) row * candidates + candidate);
  }

  // ---- beam search ----------------------------------------------------------------------------

  private void select(int first, int end) {
    int sentence = live.sentence[first];
    int width = options.beamWidth();
    int begin = next.count;
    int rank = 0;
    int told = 0;
    Arrays.fill(heads, first, end, 0);
    while (rank < width || (!last && next.count - begin < width)) {
      int best = best(first, end);
      if (best < 0) {
        break;
      }
      boolean forced = forcedAt[best] >= 0;
      int token = forced ? forcedTokens[forcedAt[best]] : id(best, heads[best]);
      double value = forced ? forcedValues.getReal(forcedAt[best]) : value(best, heads[best]);
      heads[best]++;
      double sum = live.sum[best] + value;
      if (isEnd(token)) {
        if (rank < width) {
          int node = history.add(live.node[best], token, value);
          end(sentence, 0, node, step + 1, sum, End.END_TOKEN);
        }
      } else if (last) {
        int node = history.add(live.node[best], token, value);
        tell(sentence, told++, token, value);
        end(sentence, 0, node, step + 1, sum, End.MAX_LENGTH);
      } else {
        parents[next.count] = best;
        next.add(sentence, history.add(live.node[best], token, value), sum);
      }
      rank++;
    }
    if (rank == 0) {
      for (int row = first; row < end; row++) {
        end(sentence, 0, live.node[row], step, live.sum[row], End.NO_TOKEN_ALLOWED);
      }
    }
    if (isDone(sentence, begin)) {
      next.count = begin;
    } else {
      tellAll(sentence, begin);
    }
  }

  /** The row whose next candidate is best: of equals the first; −1 if none has one. */
  private int best(int first, int end) {
    int best = -1;
    double most = 0;
    for (int row = first; row < end; row++) {
      double value;
      if (forcedAt[row] >= 0) {
        if (heads[row] > 0) {
          continue;
        }
        value = forcedValues.getReal(forcedAt[row]);
      } else {
        if (heads[row] >= candidates) {
          continue;
        }
        value = value(row, heads[row]);
        if (value == Double.NEGATIVE_INFINITY) {
          continue;
        }
      }
      double sum = live.sum[row] + value;
      if (best < 0 || sum > most) {
        best = row;
        most = sum;
      }
    }
    return best;
  }

  private boolean isDone(int sentence, int begin) {
    if (next.count == begin) {
      return true;
    }
    if (!options.exhaustive() && ended.count(sentence) >= options.target()) {
      return true;
    }
    if (!options.exhaustive() && options.listener() != null) {
      // Somebody watches what the search does, not only what comes out.
      return false;
    }
    // Sums only fall, and a sum weighs least at the greatest length: no better end than certainty
    // to the last step. Where that is not enough, what is found already is what will be returned.
    double most = options.lengthPenalty().score(next.sum[begin], options.maxLength());
    return ended.allReach(sentence, most);
  }

  // ---- sampling -------------------------------------------------------------------------------

  private void draw(int first, int end) {
    int sentence = live.sentence[first];
    int begin = next.count;
    for (int row = first; row < end; row++) {
      int sample = live.sample[row];
      int token;
      double value;
      if (forcedAt[row] >= 0) {
        token = forcedTokens[forcedAt[row]];
        value = forcedValues.getReal(forcedAt[row]);
      } else {
        live.random[row] = Sampler.advance(live.random[row]);
        int drawn =
            sampler.draw(
                values,
                (long) row * candidates,
                candidates,
                options.temperature(),
                options.topP(),
                !wholeRows,
                Sampler.unit(live.random[row]));
        if (drawn < 0) {
          end(sentence, sample, live.node[row], step, live.sum[row], End.NO_TOKEN_ALLOWED);
          continue;
        }
        token = id(row, drawn);
        value = value(row, drawn);
      }
      int node = history.add(live.node[row], token, value);
      double sum = live.sum[row] + value;
      if (isEnd(token)) {
        end(sentence, sample, node, step + 1, sum, End.END_TOKEN);
      } else if (last) {
        tell(sentence, sample, token, value);
        end(sentence, sample, node, step + 1, sum, End.MAX_LENGTH);
      } else {
        parents[next.count] = row;
        int added = next.add(sentence, node, sum);
        next.sample[added] = sample;
        next.random[added] = live.random[row];
      }
    }
    tellAll(sentence, begin);
  }

  // ---- ends -----------------------------------------------------------------------------------

  private boolean isEnd(int token) {
    for (int end : endTokens) {
      if (end == token) {
        return true;
      }
    }
    return false;
  }

  private void end(int sentence, int sample, int node, int length, double sum, End why) {
    double score = options.lengthPenalty().score(sum, length);
    if (options.sampling()) {
      ended.set(sentence, sample, node, length, sum, score, why);
    } else {
      ended.add(sentence, node, length, sum, score, why);
    }
  }

  /** Tells the listener of a sentence's new rows, which begin at {@code begin}. */
  private void tellAll(int sentence, int begin) {
    if (options.listener() == null) {
      return;
    }
    boolean stopped = false;
    for (int row = begin; row < next.count; row++) {
      int hypothesis = options.sampling() ? next.sample[row] : row - begin;
      int node = next.node[row];
      stopped |= tell(sentence, hypothesis, history.token(node), history.logProbability(node));
    }
    if (stopped) {
      stop(begin);
    }
  }

  private boolean tell(int sentence, int hypothesis, int token, double value) {
    if (options.listener() == null) {
      return false;
    }
    Decision decision = options.listener().onToken(sentence, hypothesis, step, token, value);
    stopAll |= decision == Decision.STOP_ALL;
    return decision == Decision.STOP_SENTENCE;
  }

  /** Ends all new rows from {@code begin} on. */
  private void stop(int begin) {
    for (int row = begin; row < next.count; row++) {
      int sample = options.sampling() ? next.sample[row] : 0;
      end(next.sentence[row], sample, next.node[row], step + 1, next.sum[row], End.STOPPED);
    }
    next.count = begin;
  }

  @Override
  public void close() {
    values.close();
    ids.close();
    masks.close();
  }
}
