package io.gatun.sequence;

import io.gatun.kernel.Workers;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Decodes batches of sentences with an {@link EncoderDecoder}, and scores given targets.
 *
 * <p>The sentences of a batch are decoded together, each as a row (in beam search a row for each
 * live hypothesis); those that are done leave. What comes out for a sentence does not depend on the
 * others, bit for bit, nor on the number of workers. Memory and time are best used when the sources
 * of a batch have similar lengths.
 *
 * <p>A batch is checked before anything is computed. After an exception the generator can be used
 * again.
 *
 * <p>For one thread at a time; a second one that comes while the first one is inside, or a listener
 * that calls its own generator, is turned away with an exception. Whoever made it closes it.
 */
public final class Generator implements AutoCloseable {
  private final EncoderDecoder model;
  private final Decoding decoding;
  private final Search search;
  private final AtomicBoolean busy = new AtomicBoolean();
  private boolean closed;

  Generator(EncoderDecoder model, Workers workers) {
    this.model = model;
    decoding = new Decoding(model, workers);
    search = new Search(model, decoding);
  }

  /**
   * The best hypothesis for one source.
   *
   * @param source its tokens
   * @throws SequenceException if a token is not in the vocabulary
   */
  public Hypothesis generate(int[] source, GenerationOptions options) {
    return generate(List.of(new Sentence(0, source)), options).get(0).get(0);
  }

  /**
   * Decodes a batch.
   *
   * @return for each sentence, in the order given, its hypotheses, best first, at most {@code
   *     nBest} and at least one; when sampling exactly {@code nBest}, in the order of their numbers
   * @throws SequenceException if a token of a sentence or prefix is not in the vocabulary, a prefix
   *     is longer than the maximum length or holds an end token, or the decoder's logits are not
   *     numbers
   * @throws IllegalArgumentException if an option does not fit this network
   * @throws IllegalStateException if it is closed or in use
   */
  public List<List<Hypothesis>> generate(List<Sentence> batch, GenerationOptions options) {
    enter();
    try {
      return decode(batch, options);
    } finally {
      leave();
    }
  }

  private List<List<Hypothesis>> decode(List<Sentence> batch, GenerationOptions options) {
    checkOptions(options);
    List<int[]> sources = new ArrayList<>(batch.size());
    for (int i = 0; i < batch.size(); i++) {
      check(batch.get(i), i, options);
      sources.add(batch.get(i).tokens());
    }
    if (batch.isEmpty()) {
      return List.of();
    }
    decoding.encode(sources);
    return search.run(batch, options);
  }

  /**
   * Scores targets by teacher forcing: at each step the decoder is given the target's own token.
   *
   * @param sources one for each target
   * @param targets tokens without start and end token
   * @throws SequenceException if a token is not in the vocabulary, or the decoder's logits are not
   *     numbers
   * @throws IllegalStateException if it is closed or in use
   */
  public List<Score> score(List<int[]> sources, List<int[]> targets) {
    enter();
    try {
      return force(sources, targets);
    } finally {
      leave();
    }
  }

  private List<Score> force(List<int[]> sources, List<int[]> targets) {
    if (sources.size() != targets.size()) {
      throw new IllegalArgumentException(
          sources.size() + " sources, but " + targets.size() + " targets");
    }
    for (int i = 0; i < sources.size(); i++) {
      check("source", sources.get(i), i, model.sourceVocabulary());
      check("target", targets.get(i), i, model.vocabulary());
    }
    if (sources.isEmpty()) {
      return List.of();
    }
    decoding.encode(sources);
    return new Forcing(model, decoding).run(targets);
  }

  private void enter() {
    if (!busy.compareAndSet(false, true)) {
      throw new IllegalStateException("the generator is in use; each thread needs one of its own");
    }
    if (closed) {
      leave();
      throw new IllegalStateException("the generator is closed");
    }
  }

  private void leave() {
    busy.set(false);
  }

  private void checkOptions(GenerationOptions options) {
    for (int token : options.suppressed()) {
      checkToken("suppressed token", token);
    }
    int[] ends = options.endTokens();
    if (ends != null) {
      for (int token : ends) {
        checkToken("end token", token);
      }
    }
    if (options.attention() && !model.hasAttention()) {
      throw new IllegalArgumentException(
          "attention is asked for, but this network names no attention");
    }
  }

  private void checkToken(String what, int token) {
    if (token >= model.vocabulary()) {
      throw new IllegalArgumentException(
          what + " is " + token + ", expected 0 to " + (model.vocabulary() - 1));
    }
  }

  private void check(Sentence sentence, int place, GenerationOptions options) {
    check("source", sentence.tokens(), place, model.sourceVocabulary());
    int[] prefix = sentence.prefix();
    check("prefix", prefix, place, model.vocabulary());
    if (prefix.length > options.maxLength()) {
      throw new SequenceException(
          place,
          "the prefix has "
              + prefix.length
              + " tokens, but the maximum length is "
              + options.maxLength());
    }
    int[] ends = options.endTokens() == null ? model.endTokens : options.endTokens();
    for (int i = 0; i < prefix.length; i++) {
      for (int end : ends) {
        if (prefix[i] == end) {
          throw new SequenceException(
              place, "token " + i + " of the prefix is " + end + ", which is an end token");
        }
      }
    }
  }

  private static void check(String what, int[] tokens, int place, int vocabulary) {
    for (int i = 0; i < tokens.length; i++) {
      if (tokens[i] < 0 || tokens[i] >= vocabulary) {
        throw new SequenceException(
            place,
            "token "
                + i
                + " of the "
                + what
                + " is "
                + tokens[i]
                + ", expected 0 to "
                + (vocabulary - 1));
      }
    }
  }

  /**
   * Frees its memory. Closing twice does nothing.
   *
   * @throws IllegalStateException while it is in use
   */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    enter();
    try {
      closed = true;
      search.close();
      decoding.close();
    } finally {
      leave();
    }
  }
}
