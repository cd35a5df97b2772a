package io.gatun.spark;

import io.gatun.batch.BatchOptions;
import io.gatun.format.Model;
import io.gatun.job.OnError;
import io.gatun.kernel.WeightFormat;
import io.gatun.representation.Pooling;
import io.gatun.sequence.GenerationOptions;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.TreeSet;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.ByteType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.ShortType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.LongAccumulator;

/**
 * A network over the rows of a dataset: adds the columns that the commands {@code translate},
 * {@code classify} and {@code represent} write, with the same values.
 *
 * <pre>{@code
 * Dataset<Row> answers =
 *     GatunTransform.translate("examples/pronunciation")
 *         .column("word")
 *         .keep("id")
 *         .build()
 *         .apply(spark.read().parquet("words.parquet"));
 * }</pre>
 *
 * <p>The model is a path that the driver and every executor have, or the name of what {@code
 * --files} or {@code --archives} brought there. It is loaded once in each executor and shared by
 * its tasks. The rows of a partition keep their order; within a partition, rows of like length are
 * computed together, a bounded number of them at a time.
 *
 * <p>Immutable and thread-safe.
 */
public final class GatunTransform {
  private final Settings settings;
  private final String column;
  private final List<String> keep;
  private final String numbers;

  private GatunTransform(Builder builder) {
    settings = builder.settings();
    column = builder.column;
    keep = builder.keep;
    numbers = builder.numbers;
  }

  /**
   * Text to text, by an encoder–decoder; columns {@code translation} and {@code score}, or {@code
   * translations} and {@code scores} with more than one answer.
   *
   * @param model the model's folder or file
   */
  public static Builder translate(String model) {
    return new Builder(Settings.Kind.TRANSLATE, model);
  }

  /**
   * Classes; columns {@code label} and {@code probability}, {@code labels} and {@code
   * probabilities} with more than one answer, or {@code numbers} of a network without labels.
   *
   * @param model the model's folder or file
   */
  public static Builder classify(String model) {
    return new Builder(Settings.Kind.CLASSIFY, model);
  }

  /**
   * Representations, as features for something else: a column for each value, called as it is
   * called in the network, an array of floats. Of a value with its own number of steps in each row
   * it has all steps one behind the other.
   *
   * @param model the model's folder or file
   * @param values names and patterns of values; none for the path from layer to layer
   */
  public static Builder represent(String model, String... values) {
    Builder builder = new Builder(Settings.Kind.REPRESENT, model);
    builder.values = List.of(values);
    return builder;
  }

  /** Collects options, which are those of the commands. For one thread. */
  public static final class Builder {
    private final Settings.Kind kind;
    private final String model;
    private List<String> values;
    private Pooling pooling;
    private String weights;
    private String column;
    private List<String> keep;
    private String numbers;
    private String device = "auto";
    private WeightFormat weightFormat;
    private OnError onError = OnError.SKIP;
    private int batchTokens = BatchOptions.builder().build().batchTokens();
    private int windowRecords = 16_384;
    private Integer beam;
    private Integer nBest;
    private Integer maxLength;
    private Integer minLength;
    private Double lengthPenalty;
    private Integer noRepeatNgram;
    private boolean sample;
    private Double temperature;
    private Integer topK;
    private Double topP;
    private Long seed;
    private final TreeSet<String> generation = new TreeSet<>();

    private Builder(Settings.Kind kind, String model) {
      this.kind = kind;
      this.model = Objects.requireNonNull(model, "model");
    }

    /** Takes the weights from this file, which is found as the model is. */
    public Builder weights(String file) {
      weights = file;
      return this;
    }

    /** Says which column the network reads, where there is more than one. */
    public Builder column(String name) {
      column = name;
      return this;
    }

    /** Says which columns are carried through, before those of the answer; all by default. */
    public Builder keep(String... names) {
      keep = List.of(names);
      return this;
    }

    /**
     * Names a column of record numbers, counted from 1. Where answers are drawn at random, a row's
     * number decides what is drawn; it has to be said then, since Spark does not number rows.
     */
    public Builder numbers(String name) {
      numbers = name;
      return this;
    }

    /** Says what computes: {@code auto}, the default, or one of {@code gatun devices}. */
    public Builder device(String name) {
      device = Objects.requireNonNull(name, "name");
      return this;
    }

    /** Says what weights are rounded to when they are loaded; null for how they are stored. */
    public Builder weightFormat(WeightFormat format) {
      weightFormat = format;
      return this;
    }

    /**
     * Says what is done about rows without an answer: {@link OnError#SKIP} leaves nulls, {@link
     * OnError#RECORD} also says why in a column {@code problem}, {@link OnError#STOP} fails the
     * task, and with it the job.
     */
    public Builder onError(OnError what) {
      onError = Objects.requireNonNull(what, "what");
      return this;
    }

    /** Bounds rows × longest row of a batch, in tokens; 4,096 by default. */
    public Builder batchTokens(int tokens) {
      batchTokens = tokens;
      return this;
    }

    /** Bounds how many rows of a partition are in memory at a time; 16,384 by default. */
    public Builder windowRecords(int records) {
      windowRecords = records;
      return this;
    }

    /** Says what is kept of the positions of representations; all of them by default. */
    public Builder pooling(Pooling kept) {
      pooling = Objects.requireNonNull(kept, "kept");
      return this;
    }

    /** Sets how many answers a row has at most; 1 by default. */
    public Builder nBest(int count) {
      nBest = count;
      return this;
    }

    /** Keeps so many hypotheses while searching. */
    public Builder beam(int width) {
      generation.add("beam");
      beam = width;
      return this;
    }

    /** Stops an answer after so many tokens. */
    public Builder maxLength(int tokens) {
      generation.add("maxLength");
      maxLength = tokens;
      return this;
    }

    /** No answer is shorter than so many tokens. */
    public Builder minLength(int tokens) {
      generation.add("minLength");
      minLength = tokens;
      return this;
    }

    /** Ranks answers by log-probability / length^exponent. */
    public Builder lengthPenalty(double exponent) {
      generation.add("lengthPenalty");
      lengthPenalty = exponent;
      return this;
    }

    /** No so many tokens in a row come twice in an answer. */
    public Builder noRepeatNgram(int size) {
      generation.add("noRepeatNgram");
      noRepeatNgram = size;
      return this;
    }

    /** Draws tokens at random, by the probabilities the model gives them. */
    public Builder sample(long seedOfAll) {
      generation.add("sample");
      sample = true;
      seed = seedOfAll;
      return this;
    }

    /** When sampling, below 1 the probable becomes more so. */
    public Builder temperature(double divisor) {
      generation.add("temperature");
      temperature = divisor;
      return this;
    }

    /** When sampling, draws from so many most probable tokens. */
    public Builder topK(int count) {
      generation.add("topK");
      topK = count;
      return this;
    }

    /** When sampling, draws from the fewest tokens that have this probability together. */
    public Builder topP(double probability) {
      generation.add("topP");
      topP = probability;
      return this;
    }

    /**
     * Makes the transform. The model is not opened yet.
     *
     * @throws IllegalArgumentException if an option is out of its range or does not go with others
     */
    public GatunTransform build() {
      if (kind != Settings.Kind.TRANSLATE && !generation.isEmpty()) {
        throw new IllegalArgumentException(
            String.join(", ", generation) + " go with translate only");
      }
      if (kind == Settings.Kind.REPRESENT && nBest != null) {
        throw new IllegalArgumentException("nBest goes with translate and classify only");
      }
      if (kind != Settings.Kind.REPRESENT && pooling != null) {
        throw new IllegalArgumentException("pooling goes with represent only");
      }
      if (nBest != null && nBest < 1) {
        throw new IllegalArgumentException("nBest is " + nBest + ", expected at least 1");
      }
      if (!sample && (temperature != null || topK != null || topP != null)) {
        throw new IllegalArgumentException("temperature, topK and topP go with sample only");
      }
      GatunTransform transform = new GatunTransform(this);
      transform.settings.generation(GenerationOptions.builder());
      transform.settings.batch();
      return transform;
    }

    private Settings settings() {
      Pooling kept = pooling == null ? Pooling.ALL : pooling;
      return new Settings(
          kind,
          values == null ? null : new Settings.Wanted(values, kept.toString()),
          model,
          weights,
          device,
          weightFormat,
          onError,
          batchTokens,
          windowRecords,
          beam,
          nBest,
          maxLength,
          minLength,
          lengthPenalty,
          noRepeatNgram,
          sample,
          temperature,
          topK,
          topP,
          seed);
    }
  }

  /**
   * Answers the rows of a dataset, when the result is used. What was done is counted by
   * accumulators that Spark's pages show, {@code gatun: rows} and {@code gatun: bad rows}.
   *
   * @param rows any dataset
   * @return the columns that are kept, then those of the answer, then {@code problem} where bad
   *     rows are to be recorded
   * @throws IllegalArgumentException if the model or a column is not there or of another kind, or
   *     two columns would have one name
   */
  public Dataset<Row> apply(Dataset<Row> rows) {
    SparkContext context = rows.sparkSession().sparkContext();
    return apply(
        rows, context.longAccumulator("gatun: rows"), context.longAccumulator("gatun: bad rows"));
  }

  Dataset<Row> apply(Dataset<Row> rows, LongAccumulator records, LongAccumulator bad) {
    StructType schema = rows.schema();
    List<String> names = Arrays.asList(schema.fieldNames());
    String chosen = column == null ? only(names) : column;
    int place = place(names, chosen);
    if (!Types.isReadable(schema.fields()[place].dataType())) {
      throw new IllegalArgumentException(
          "column '"
              + chosen
              + "' is "
              + schema.fields()[place].dataType().simpleString()
              + ", expected text, numbers or a list of these");
    }
    int number = numbers == null ? -1 : place(names, numbers);
    checkNumbers(number < 0 ? null : schema.fields()[number].dataType());
    List<StructField> fields = new ArrayList<>();
    List<String> carried = keep == null ? names : keep;
    int[] kept = new int[carried.size()];
    for (int i = 0; i < kept.length; i++) {
      kept[i] = place(names, carried.get(i));
      fields.add(schema.fields()[kept[i]]);
    }
    List<StructField> answers = answers();
    for (StructField each : answers) {
      if (carried.contains(each.name())) {
        throw new IllegalArgumentException(
            "the rows have a column '"
                + each.name()
                + "' already: say which ones are to be kept, or rename it");
      }
    }
    fields.addAll(answers);
    int columns = answers.size() - (settings.onError() == OnError.RECORD ? 1 : 0);
    return rows.mapPartitions(
        new AnswerPartition(settings, chosen, place, number, kept, columns, records, bad),
        Encoders.row(DataTypes.createStructType(fields)));
  }

  /**
   * An expression that answers the value of a column with a struct of the answer's columns: {@code
   * rows.withColumn("answer", transform.column(col("word")))}, then {@code answer.score}. It
   * computes value by value, on as many threads as the machine has processors, and so takes several
   * times as long as {@link #apply}; it is there for expressions that need one.
   *
   * @param text what the network reads
   * @throws IllegalArgumentException if the model is not there or of another kind
   */
  public Column column(Column text) {
    checkNumbers(null);
    return functions.udf((org.apache.spark.sql.api.java.UDF1<?, ?>) function(), type()).apply(text);
  }

  /**
   * An expression that gives the only value of {@link #represent} as an array of floats, without a
   * struct around it; null for a row without one. It computes as {@link #column(Column)} does.
   *
   * @param text what the network reads
   * @throws IllegalArgumentException if the model is not there, or there are other columns
   */
  public Column vector(Column text) {
    List<StructField> fields = answers();
    if (settings.kind() != Settings.Kind.REPRESENT || fields.size() != 1) {
      throw new IllegalArgumentException(
          "the columns are "
              + String.join(", ", fields.stream().map(StructField::name).toList())
              + ", expected one value of represent; column gives them as a struct");
    }
    return column(text).getField(fields.get(0).name());
  }

  /**
   * As {@link #column(Column)}, with a record number, where answers are drawn at random.
   *
   * @param text what the network reads
   * @param number the record's number, counted from 1
   * @throws IllegalArgumentException if the model is not there or of another kind
   */
  public Column column(Column text, Column number) {
    return functions
        .udf((org.apache.spark.sql.api.java.UDF2<?, ?, ?>) function(), type())
        .apply(text, number);
  }

  private AnswerValue function() {
    return new AnswerValue(
        settings, type().size() - (settings.onError() == OnError.RECORD ? 1 : 0));
  }

  private StructType type() {
    return DataTypes.createStructType(answers());
  }

  private void checkNumbers(DataType type) {
    if (settings.sample() && type == null) {
      throw new IllegalArgumentException(
          "what is drawn at random depends on a row's number, and Spark does not number rows: name"
              + " a column of numbers");
    }
    boolean whole =
        type == null
            || type instanceof LongType
            || type instanceof IntegerType
            || type instanceof ShortType
            || type instanceof ByteType;
    if (!whole) {
      throw new IllegalArgumentException(
          "the numbers of rows are " + type.simpleString() + ", expected whole numbers");
    }
  }

  /** The columns of answers, as the model is; it is opened in the driver to see. */
  private List<StructField> answers() {
    try (Model model = Network.open(Network.Key.of(settings))) {
      boolean translates = settings.kind() == Settings.Kind.TRANSLATE;
      boolean any = settings.kind() == Settings.Kind.REPRESENT;
      if (!any && translates != (model.kind() == Model.Kind.ENCODER_DECODER)) {
        throw new IllegalArgumentException(
            settings.model()
                + " is a model of kind "
                + model.kind().label()
                + ", which "
                + (translates ? "classify" : "translate")
                + " is for");
      }
      return Types.fields(Network.columns(settings, model), settings.onError() == OnError.RECORD);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String only(List<String> names) {
    if (names.size() != 1) {
      throw new IllegalArgumentException(
          "the rows have the columns "
              + String.join(", ", names)
              + ": say which one the network reads");
    }
    return names.get(0);
  }

  private static int place(List<String> names, String name) {
    int place = names.indexOf(name);
    if (place < 0) {
      throw new IllegalArgumentException(
          "there is no column '" + name + "', only " + String.join(", ", names));
    }
    return place;
  }
}
