package io.gatun.batch;

import io.gatun.format.Model;
import io.gatun.format.TextCodec;
import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.WeightFormat;
import io.gatun.kernel.Workers;
import io.gatun.representation.Example;
import io.gatun.representation.Extraction;
import io.gatun.representation.Feed;
import io.gatun.representation.Pooling;
import io.gatun.representation.RepresentationWriter.Column;
import io.gatun.representation.Selection;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/**
 * Texts, or lines of numbers, in; vectors out: any values on the way through a network, by name or
 * pattern, with what is kept of their time steps or places.
 *
 * <pre>{@code
 * try (Model model = ModelFolder.open(Path.of("examples/names"));
 *     Extractor extractor = Extractor.of(model, List.of("rnn"), Pooling.LAST)) {
 *   float[] vector = extractor.extract("Kovačević").vector();
 * }
 * }</pre>
 *
 * <p>{@link #task} and {@link #examples} are tasks for a {@link BatchRun} over many records, a
 * {@link BatchService} for single ones from many threads, or a {@link BatchIterator}. The numbers
 * are those of an {@link Extraction}, whatever stands beside a record in its batch. Of an
 * encoder–decoder it is the encoder whose values there are.
 *
 * <p>Immutable and thread-safe; the weights are packed once and shared. The caller closes it, after
 * its runs and before the model.
 */
public final class Extractor implements AutoCloseable {
  /** How many bytes of representations are in memory at a time, waiting to be written. */
  private static final long WINDOW_BYTES = 64L << 20;

  private final Feed feed;
  private final Optional<TextCodec> codec;
  private final Extraction extraction;
  private final List<Column> columns;

  private Extractor(Feed feed, Optional<TextCodec> codec, Extraction extraction) {
    this.feed = feed;
    this.codec = codec;
    this.extraction = extraction;
    columns = extraction.columns();
  }

  /**
   * Makes an extractor on the {@linkplain Devices#best() best device}, with weights as they are
   * stored.
   *
   * @param model any model; stays open as long as this
   * @param values names and patterns of values, as {@link Selection#of(Feed, Collection)} reads
   *     them; none for the {@linkplain Selection#path path} from layer to layer
   * @param pooling what is kept of the positions of each
   * @throws IllegalArgumentException if a name is unknown, a pattern fits nothing, or a value that
   *     is named is no real numbers for each record
   */
  public static Extractor of(Model model, Collection<String> values, Pooling pooling) {
    return of(model, values, pooling, Devices.best(), null);
  }

  /**
   * Makes an extractor.
   *
   * @param model any model; stays open as long as this
   * @param values names and patterns of values; none for the path from layer to layer
   * @param pooling what is kept of the positions of each
   * @param device where it computes; stays open as long as this
   * @param format what the weights are rounded to; {@code null} for the one they are stored in
   * @throws IllegalArgumentException if a name is unknown, a pattern fits nothing, or a value that
   *     is named is no real numbers for each record
   */
  public static Extractor of(
      Model model, Collection<String> values, Pooling pooling, Device device, WeightFormat format) {
    Feed feed = Feed.of(model.graphs().get(0));
    List<String> names = new ArrayList<>();
    List<Value> found =
        values.isEmpty() ? Selection.path(feed.graph()) : Selection.of(feed, values);
    for (Value value : found) {
      if (value.type().isFloat()) {
        names.add(value.name());
      } else if (values.contains(value.name())) {
        throw new IllegalArgumentException(
            value + " is " + value.type().label() + ", expected a value of real numbers");
      }
    }
    return new Extractor(
        feed, model.source(), Extraction.of(feed, names, pooling, device, format, Workers.none()));
  }

  /** What there is of each record. A size that records do not share is −1. */
  public List<Column> columns() {
    return columns;
  }

  /**
   * Bounds the window of a run so that the representations in it need no more than 64 MiB, or one
   * record's.
   *
   * @param options how the run divides its work
   * @return the same with a window as large at most
   */
  public BatchOptions bounded(BatchOptions options) {
    long record = 0;
    long token = 0;
    for (Column column : columns) {
      long bytes = Float.BYTES;
      boolean isOpen = false;
      for (long dim : column.dims()) {
        isOpen |= dim < 0;
        bytes *= Math.max(1, dim);
      }
      if (isOpen) {
        token += bytes;
      } else {
        record += bytes;
      }
    }
    long records = Math.max(1, WINDOW_BYTES / Math.max(1, record));
    long tokens = Math.max(1, WINDOW_BYTES / Math.max(1, token));
    return options.toBuilder()
        .windowRecords((int) Math.min(options.windowRecords(), records))
        .windowTokens((int) Math.min(options.windowTokens(), tokens))
        .build();
  }

  /**
   * Represents one record. For more than a few a {@link BatchRun} over {@link #task} is faster by
   * far.
   *
   * @param line a text, or numbers with spaces or commas between
   * @return its representation; empty for a line without anything
   * @throws BadRecordException if it has a token that the model does not know, or not the numbers
   *     it reads, or a value has no such position
   */
  public Representation extract(String line) {
    BatchTask<String, Example, Representation> task = task();
    Example example = task.prepare(1, line);
    Representation trivial = task.trivial(example);
    if (trivial != null) {
      return trivial;
    }
    try (BatchTask.Worker<Example, Representation> worker = task.newWorker()) {
      return worker.run(List.of(example)).get(0);
    }
  }

  /**
   * The task of representing lines.
   *
   * @return to be used while this is open
   * @throws IllegalArgumentException if the network reads tokens, and the model does not say how
   *     text becomes tokens
   */
  public BatchTask<String, Example, Representation> task() {
    ExampleText text = new ExampleText(feed, codec);
    return new Task<>() {
      @Override
      Example example(long number, String line) {
        return text.example(number - 1, Long.toString(number), line, Optional.empty());
      }
    };
  }

  /**
   * The task of representing examples, such as arrays of numbers that are there already.
   *
   * @return to be used while this is open
   */
  public BatchTask<Example, Example, Representation> examples() {
    return new Task<>() {
      @Override
      Example example(long number, Example example) {
        return example;
      }
    };
  }

  /** Frees the packed weights. */
  @Override
  public void close() {
    extraction.close();
  }

  private abstract class Task<R> implements BatchTask<R, Example, Representation> {
    abstract Example example(long number, R record);

    @Override
    public Example prepare(long number, R record) {
      Example example = example(number, record);
      if (!isNothing(example)) {
        try {
          feed.check(example);
        } catch (IllegalArgumentException e) {
          throw new BadRecordException(e.getMessage(), e);
        }
      }
      return example;
    }

    /** No number, or no token but those that the codec puts around a text. */
    private boolean isNothing(Example example) {
      return example.tokens() != null && codec.isPresent()
          ? ExampleText.isBare(codec.get(), example.tokens())
          : example.size() == 0;
    }

    @Override
    public int tokens(Example example) {
      return example.size();
    }

    @Override
    public int compare(Example a, Example b) {
      return Extraction.compare(a, b);
    }

    @Override
    public Representation trivial(Example example) {
      return isNothing(example) ? Representation.EMPTY : null;
    }

    @Override
    public Worker<Example, Representation> newWorker() {
      Extraction.Runner runner = extraction.newRunner();
      return new Worker<>() {
        @Override
        public List<Representation> run(List<Example> examples) {
          List<Representation> all = new ArrayList<>();
          try {
            runner.run(examples, (example, values) -> all.add(representation(values)));
          } catch (IllegalArgumentException e) { // no such position, or a size that does not go
            throw new BadRecordException(e.getMessage(), e);
          }
          return all;
        }

        @Override
        public void close() {
          runner.close();
        }
      };
    }
  }

  private Representation representation(List<Tensor> values) {
    List<Representation.Part> parts = new ArrayList<>();
    for (int i = 0; i < values.size(); i++) {
      Tensor value = values.get(i);
      parts.add(
          new Representation.Part(columns.get(i).name(), value.shape().dims(), value.toFloats()));
    }
    return new Representation(parts);
  }
}
