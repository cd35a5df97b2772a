package io.gatun.spark;

import io.gatun.job.OnError;
import io.gatun.kernel.WeightFormat;
import io.gatun.representation.Pooling;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.spark.sql.DataFrameReader;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * The command for {@code spark-submit}: rows in, a network, rows out, with the options of {@code
 * gatun translate}, {@code gatun classify} and {@code gatun represent}.
 */
@Command(
    name = "spark-submit … gatun-spark.jar",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "Answers the rows of files with a network, on all machines of a cluster.")
public final class SparkJob implements Callable<Integer> {
  /** What is done. */
  enum Work {
    translate,
    classify,
    represent
  }

  @Spec private CommandSpec spec;

  @Parameters(index = "0", description = "${COMPLETION-CANDIDATES}")
  private Work work;

  @Parameters(
      index = "1",
      paramLabel = "MODEL",
      description =
          "The model: a path that every machine has, or the name of what --files or --archives of"
              + " spark-submit brought.")
  private String model;

  @Parameters(
      index = "2..*",
      arity = "1..*",
      paramLabel = "INPUT",
      description = "Files or folders, wherever Spark reads from.")
  private List<String> inputs;

  @Option(
      names = {"-o", "--output"},
      required = true,
      paramLabel = "FOLDER",
      description = "Where Spark writes the rows.")
  private String output;

  @Option(
      names = "--input-format",
      defaultValue = "parquet",
      description = "parquet (the default), csv, json, text, orc or another that Spark has.")
  private String inputFormat;

  @Option(names = "--output-format", description = "By default that of the input.")
  private String outputFormat;

  @Option(
      names = "--option",
      paramLabel = "NAME=VALUE",
      description = "An option of Spark's reader; csv has header=true by default.")
  private Map<String, String> options = new LinkedHashMap<>();

  @Option(
      names = "--column",
      paramLabel = "NAME",
      description = "The column that the network reads, where there is more than one.")
  private String column;

  @Option(
      names = "--keep",
      paramLabel = "NAME",
      split = ",",
      description = "Columns that are carried through to the output, such as identifiers.")
  private List<String> keep = List.of();

  @Option(
      names = "--numbers",
      paramLabel = "NAME",
      description = "A column of record numbers from 1, which --sample needs.")
  private String numbers;

  @Option(
      names = "--partitions",
      paramLabel = "N",
      description = "Deal the rows out to N partitions first, such as those of one large file.")
  private Integer partitions;

  @Option(names = "--force", description = "Replace the output if it is there already.")
  private boolean force;

  @Option(
      names = "--on-error",
      paramLabel = "WHAT",
      defaultValue = "skip",
      description =
          "What to do about a row without an answer: stop, skip (leave nulls; the default) or"
              + " record (say why in a column 'problem').")
  private String onError;

  @Option(
      names = "--weights",
      paramLabel = "FILE",
      description = "Take the weights from this file, found as the model is.")
  private String weights;

  @Option(names = "--device", defaultValue = "auto", description = "What computes.")
  private String device;

  @Option(names = "--weight-format", description = "What weights are rounded to: see 'gatun'.")
  private String weightFormat;

  @Option(names = "--batch-tokens", defaultValue = "4096", description = "See 'gatun'.")
  private int batchTokens;

  @Option(
      names = "--values",
      paramLabel = "NAMES",
      split = ",",
      description = "With represent: see 'gatun represent'.")
  private List<String> values;

  @Option(names = "--pool", paramLabel = "HOW", description = "With represent: see 'gatun'.")
  private String pool;

  @Option(names = "--n-best", paramLabel = "N", description = "Up to N answers for each row.")
  private Integer answers;

  @Option(names = "--beam", paramLabel = "N", description = "See 'gatun translate'.")
  private Integer beam;

  @Option(names = "--max-length", paramLabel = "N", description = "See 'gatun translate'.")
  private Integer maxLength;

  @Option(names = "--min-length", paramLabel = "N", description = "See 'gatun translate'.")
  private Integer minLength;

  @Option(names = "--length-penalty", paramLabel = "A", description = "See 'gatun translate'.")
  private Double lengthPenalty;

  @Option(names = "--no-repeat-ngram", paramLabel = "N", description = "See 'gatun translate'.")
  private Integer noRepeatNgram;

  @Option(names = "--sample", description = "See 'gatun translate'; with --numbers.")
  private boolean sample;

  @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "With --sample.")
  private long seed;

  @Option(names = "--temperature", paramLabel = "T", description = "With --sample.")
  private Double temperature;

  @Option(names = "--top-k", paramLabel = "K", description = "With --sample.")
  private Integer topK;

  @Option(names = "--top-p", paramLabel = "P", description = "With --sample.")
  private Double topP;

  private SparkJob() {}

  /**
   * Runs the command. Leaves the process with 2 if the command line is wrong; what fails while it
   * runs is thrown, as Spark wants it.
   *
   * @param args the command line
   * @throws Exception what went wrong
   */
  public static void main(String[] args) throws Exception {
    Exception[] failure = {null};
    CommandLine line = new CommandLine(new SparkJob());
    line.setExecutionExceptionHandler(
        (e, command, parsed) -> {
          failure[0] = e;
          return 1;
        });
    int code = line.execute(args);
    if (failure[0] != null) {
      throw failure[0];
    }
    if (code != 0) {
      System.exit(code);
    }
  }

  @Override
  public Integer call() {
    GatunTransform transform;
    try {
      transform = transform();
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage());
    }
    SparkSession spark = SparkSession.builder().appName("gatun " + work).getOrCreate();
    try {
      DataFrameReader reader = spark.read().format(inputFormat);
      if (inputFormat.equals("csv")) {
        reader.option("header", "true");
      }
      Dataset<Row> rows = reader.options(options).load(inputs.toArray(new String[0]));
      if (partitions != null) {
        rows = rows.repartition(partitions);
      }
      LongAccumulator records = spark.sparkContext().longAccumulator("gatun: rows");
      LongAccumulator bad = spark.sparkContext().longAccumulator("gatun: bad rows");
      transform
          .apply(rows, records, bad)
          .write()
          .format(outputFormat == null ? inputFormat : outputFormat)
          .option("header", "true")
          .option("ignoreNullFields", "false") // of JSON: each row has all columns
          .mode(force ? SaveMode.Overwrite : SaveMode.ErrorIfExists)
          .save(output);
      if (bad.value() > 0) {
        System.err.printf(
            Locale.ROOT,
            "gatun: %,d of %,d rows were bad and have no answer%n",
            bad.value(),
            records.value());
      }
    } finally {
      spark.stop();
    }
    return 0;
  }

  private GatunTransform transform() {
    if (values != null && work != Work.represent) {
      throw new IllegalArgumentException("--values goes with represent only");
    }
    GatunTransform.Builder builder =
        switch (work) {
          case translate -> GatunTransform.translate(model);
          case classify -> GatunTransform.classify(model);
          case represent ->
              GatunTransform.represent(
                  model, values == null ? new String[0] : values.toArray(new String[0]));
        };
    builder
        .weights(weights)
        .column(column)
        .keep(keep.toArray(new String[0]))
        .numbers(numbers)
        .device(device)
        .weightFormat(weightFormat == null ? null : format(weightFormat))
        .onError(onError(onError))
        .batchTokens(batchTokens);
    if (pool != null) {
      builder.pooling(Pooling.parse(pool));
    }
    if (answers != null) {
      builder.nBest(answers);
    }
    if (beam != null) {
      builder.beam(beam);
    }
    if (maxLength != null) {
      builder.maxLength(maxLength);
    }
    if (minLength != null) {
      builder.minLength(minLength);
    }
    if (lengthPenalty != null) {
      builder.lengthPenalty(lengthPenalty);
    }
    if (noRepeatNgram != null) {
      builder.noRepeatNgram(noRepeatNgram);
    }
    if (sample) {
      builder.sample(seed);
    }
    if (temperature != null) {
      builder.temperature(temperature);
    }
    if (topK != null) {
      builder.topK(topK);
    }
    if (topP != null) {
      builder.topP(topP);
    }
    return builder.build();
  }

  private static WeightFormat format(String label) {
    for (WeightFormat each : WeightFormat.values()) {
      if (each.label().equals(label)) {
        return each;
      }
    }
    throw new IllegalArgumentException("--weight-format: '" + label + "' is no format of weights");
  }

  private static OnError onError(String name) {
    for (OnError each : OnError.values()) {
      if (each.name().toLowerCase(Locale.ROOT).equals(name)) {
        return each;
      }
    }
    throw new IllegalArgumentException(
        "--on-error is '" + name + "', expected stop, skip or record");
  }
}
