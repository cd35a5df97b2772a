package io.gatun.spark;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gatun.Shared;
import io.gatun.batch.BatchListener;
import io.gatun.batch.BatchOptions;
import io.gatun.batch.BatchRun;
import io.gatun.batch.BatchTask;
import io.gatun.batch.Classifier;
import io.gatun.batch.Extractor;
import io.gatun.batch.InputRecord;
import io.gatun.batch.RecordWriter;
import io.gatun.batch.Translator;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.job.Answers;
import io.gatun.job.ClassificationAnswers;
import io.gatun.job.OnError;
import io.gatun.job.RepresentationAnswers;
import io.gatun.job.TranslationAnswers;
import io.gatun.representation.Pooling;
import io.gatun.sequence.GenerationOptions;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two executors, processes of their own, give the rows of a single machine.
 *
 * <p>Spark's local cluster starts its executors with the jars of a distribution. Here the class
 * path of the tests takes their place; the folder that stands for the distribution is empty, and
 * the environment, see the module's pom, says where it is and which Scala it would have.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class LocalClusterTest {
  private static final StructType SCHEMA =
      DataTypes.createStructType(
          List.of(
              DataTypes.createStructField("id", DataTypes.LongType, false),
              DataTypes.createStructField("word", DataTypes.StringType, true),
              DataTypes.createStructField("other", DataTypes.DoubleType, true)));

  @TempDir static Path folder;
  private static SparkSession spark;

  @BeforeAll
  static void startTheCluster() throws IOException {
    String home = System.getenv("SPARK_HOME");
    assumeTrue(home != null, "skipped: the environment is that of the module's pom");
    Files.createDirectories(Path.of(home, "jars"));
    Path archive = folder.resolve("names.zip");
    zip(example("names"), archive);
    spark =
        SparkSession.builder()
            .master("local-cluster[2,1,1024]")
            .appName("gatun")
            .config("spark.ui.enabled", "false")
            .config("spark.archives", archive + "#shipped") // as --archives of spark-submit
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.executor.extraClassPath", System.getProperty("java.class.path"))
            .config("spark.executor.extraJavaOptions", "-XX:+UseSerialGC")
            .config("spark.executorEnv.JAVA_HOME", System.getProperty("java.home"))
            .config("spark.scheduler.minRegisteredResourcesRatio", "1")
            .config("spark.scheduler.maxRegisteredResourcesWaitingTime", "120s")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.sql.warehouse.dir", folder.resolve("warehouse").toString())
            .getOrCreate();
  }

  @AfterAll
  static void stopTheCluster() {
    if (spark != null) {
      spark.stop();
    }
  }

  private static Path example(String name) {
    return Shared.project().resolve("examples").resolve(name);
  }

  /** Words of many lengths, among them some that have no answer. */
  private static List<Row> rows(String file) throws IOException {
    List<String> words = new ArrayList<>(Files.readAllLines(Shared.project().resolve(file)));
    Random random = new Random(7);
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 120; i++) {
      String first = words.get(random.nextInt(words.size()));
      String joined = first + words.get(random.nextInt(words.size()));
      String word = i == 17 ? null : i == 83 ? "\u2603\u2603" : i == 101 ? "" : joined;
      rows.add(RowFactory.create((long) i + 1, word, i / 8.0));
    }
    return rows;
  }

  private static Dataset<Row> dataset(List<Row> rows) {
    return spark.createDataFrame(rows, SCHEMA).repartition(4, functions.col("id"));
  }

  /** What a single machine answers: the values of the columns, or why there are none. */
  private static <I, O> Map<Long, Object> alone(
      List<Row> rows, BatchTask<String, I, O> task, Answers<O> answers) throws Exception {
    Map<Long, Object> found = new HashMap<>();
    int[] next = {0};
    BatchRun<String, I, O> run =
        new BatchRun<>(
            waiting -> {
              if (next[0] == rows.size()) {
                return null;
              }
              String word = rows.get(next[0]++).getString(1);
              return word == null
                  ? InputRecord.bad(next[0], "'word' is null, expected a text", next[0])
                  : InputRecord.of(next[0], word, next[0]);
            },
            task,
            new RecordWriter<O>() {
              @Override
              public void write(long number, O answer) {
                found.put(number, answers.values(answer));
              }

              @Override
              public void skip(long number) {
                throw new UnsupportedOperationException();
              }

              @Override
              public void skip(long number, Object identity, String reason) {
                found.put(number, reason);
              }
            },
            BatchOptions.builder().workers(2).build(),
            BatchListener.NONE);
    run.run();
    return found;
  }

  private static void assertSame(Object expected, Object value) {
    if (expected instanceof List<?> list) {
      assertEquals(list, java(value));
    } else if (expected instanceof float[] numbers) {
      List<Object> floats = new ArrayList<>();
      for (float each : numbers) {
        floats.add(each);
      }
      assertEquals(floats, java(value));
    } else {
      assertEquals(expected, value);
    }
  }

  private static List<Object> java(Object seq) {
    List<Object> list = new ArrayList<>();
    for (var each = ((scala.collection.Seq<?>) seq).iterator(); each.hasNext(); ) {
      list.add(each.next());
    }
    return list;
  }

  private static Map<Long, Object> translations(
      List<Row> rows, int nBest, UnaryOperator<GenerationOptions.Builder> more) throws Exception {
    try (Model model = ModelFolder.open(example("pronunciation"));
        Translator translator = Translator.of(model)) {
      var options = more.apply(translator.options().nBest(nBest));
      return alone(
          rows,
          translator.translation(options.build()),
          new TranslationAnswers(nBest, (number, answer) -> ""));
    }
  }

  /** Compares rows of {@code id}, the columns of answers, and the problem. */
  private static void check(Map<Long, Object> expected, List<Row> found) {
    assertEquals(expected.size(), found.size());
    for (Row row : found) {
      Object answer = expected.remove(row.getLong(0));
      int problem = row.length() - 1;
      if (answer instanceof Object[] values) {
        assertNull(row.get(problem));
        for (int i = 0; i < values.length; i++) {
          assertSame(values[i], row.get(1 + i));
        }
      } else {
        assertEquals(answer, row.get(problem), "row " + row);
        for (int i = 1; i < problem; i++) {
          assertNull(row.get(i));
        }
      }
    }
    assertTrue(expected.isEmpty(), "rows are missing");
  }

  @Test
  @Order(1)
  void theAnswersAreThoseOfASingleMachineAndANetworkIsLoadedOnceInEachExecutor() throws Exception {
    List<Row> rows = rows("examples/pronunciation/words.txt");
    GatunTransform.Builder transform =
        GatunTransform.translate(example("pronunciation").toString())
            .column("word")
            .keep("id")
            .onError(OnError.RECORD)
            .windowRecords(12);
    Dataset<Row> one = transform.build().apply(dataset(rows));
    assertArrayEquals(
        new String[] {"id", "translation", "score", "problem"}, one.schema().fieldNames());
    check(translations(rows, 1, options -> options), one.collectAsList());
    Dataset<Row> best = transform.nBest(3).beam(4).maxLength(12).build().apply(dataset(rows));
    assertArrayEquals(
        new String[] {"id", "translations", "scores", "problem"}, best.schema().fieldNames());
    check(
        translations(rows, 3, options -> options.beamWidth(4).maxLength(12)), best.collectAsList());

    List<String> processes =
        spark
            .range(0, 40, 1, 20)
            .mapPartitions(
                (MapPartitionsFunction<Long, String>)
                    numbers ->
                        List.of(ProcessHandle.current().pid() + " " + Networks.loads()).iterator(),
                Encoders.STRING())
            .collectAsList();
    Set<String> different = new HashSet<>(processes);
    assertEquals(2, different.size(), processes.toString());
    assertTrue(different.stream().allMatch(each -> each.endsWith(" 1")), processes.toString());
    assertFalse(different.toString().contains(ProcessHandle.current().pid() + " "));
  }

  @Test
  @Order(2)
  void whatIsDrawnAtRandomDependsOnTheNumberOfTheRow() throws Exception {
    List<Row> rows = rows("examples/pronunciation/words.txt").subList(0, 40);
    GatunTransform.Builder transform =
        GatunTransform.translate(example("pronunciation").toString())
            .column("word")
            .keep("id")
            .onError(OnError.RECORD)
            .sample(11)
            .temperature(1.5);
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, () -> transform.build().apply(dataset(rows)));
    assertTrue(refused.getMessage().contains("a column of numbers"), refused.getMessage());
    check(
        translations(
            rows, 1, options -> options.beamWidth(1).sampling(true).seed(11).temperature(1.5)),
        transform.numbers("id").build().apply(dataset(rows)).collectAsList());
  }

  @Test
  @Order(3)
  void anExpressionGivesTheSameFromAModelThatWasShipped() throws Exception {
    List<Row> rows = rows("examples/names/names.txt");
    Column answer =
        GatunTransform.classify("shipped")
            .nBest(2)
            .onError(OnError.RECORD)
            .build()
            .column(functions.col("word"));
    List<Row> found =
        dataset(rows)
            .select(functions.col("id"), answer.as("answer"))
            .selectExpr("id", "answer.labels", "answer.probabilities", "answer.problem")
            .collectAsList();
    try (Model model = ModelFolder.open(example("names"));
        Classifier classifier = Classifier.of(model)) {
      Map<Long, Object> expected =
          alone(rows, classifier.task(), new ClassificationAnswers(true, 2, (number, it) -> ""));
      expected.replaceAll(
          (number, each) -> each instanceof String text ? text.replace("'word'", "'value'") : each);
      check(expected, found);
    }
  }

  @Test
  @Order(3)
  void vectorsAreThoseOfASingleMachineInATransformAndInAnExpression() throws Exception {
    List<Row> rows = rows("examples/names/names.txt").subList(0, 90);
    List<String> values = List.of("rnn.hidden", "embedding");
    GatunTransform.Builder names =
        GatunTransform.represent(example("names").toString(), "rnn.hidden", "embedding");
    Map<Long, Object> expected;
    Map<Long, Object> last;
    try (Model model = ModelFolder.open(example("names"));
        Extractor steps = Extractor.of(model, values, Pooling.ALL);
        Extractor ends = Extractor.of(model, List.of("rnn"), Pooling.LAST)) {
      expected = alone(rows, steps.task(), new RepresentationAnswers(steps.columns()));
      last = alone(rows, ends.task(), new RepresentationAnswers(ends.columns()));
    }
    Dataset<Row> found =
        names.column("word").keep("id").onError(OnError.RECORD).build().apply(dataset(rows));
    assertArrayEquals(
        new String[] {"id", "rnn.hidden", "embedding", "problem"}, found.schema().fieldNames());
    check(expected, found.collectAsList());
    Column vector =
        GatunTransform.represent(example("names").toString(), "rnn")
            .pooling(Pooling.LAST)
            .build()
            .vector(functions.col("word"));
    Dataset<Row> expression = dataset(rows).select(functions.col("id"), vector.as("vector"));
    assertEquals("array<float>", expression.schema().fields()[1].dataType().simpleString());
    for (Row row : expression.collectAsList()) {
      Object alone = last.remove(row.getLong(0));
      assertSame(alone instanceof Object[] columns ? columns[0] : null, row.get(1));
    }
    assertTrue(last.isEmpty(), "rows are missing");
  }

  private static void zip(Path from, Path to) throws IOException {
    try (OutputStream file = Files.newOutputStream(to);
        ZipOutputStream zip = new ZipOutputStream(file);
        Stream<Path> files = Files.list(from)) {
      for (Path each : files.filter(Files::isRegularFile).toList()) {
        zip.putNextEntry(new ZipEntry(each.getFileName().toString()));
        Files.copy(each, zip);
        zip.closeEntry();
      }
    }
  }

  @Test
  @Order(4)
  void rowsWithoutAnAnswerAreNullOrEndTheJobAndAllColumnsAreKeptByDefault() throws Exception {
    List<Row> rows = rows("examples/names/names.txt");
    GatunTransform.Builder names =
        GatunTransform.classify(example("names").toString()).column("word");
    List<Row> found = new ArrayList<>(names.build().apply(dataset(rows)).collectAsList());
    found.sort(Comparator.comparingLong(row -> row.getLong(0)));
    assertEquals(120, found.size());
    Row bad = found.get(17);
    assertEquals(18L, bad.get(0));
    assertEquals(17 / 8.0, bad.get(2));
    assertNull(bad.get(3));
    assertNull(bad.get(4));
    assertTrue(found.get(18).getDouble(4) > 0);
    Exception stopped =
        assertThrows(
            Exception.class,
            () -> names.onError(OnError.STOP).build().apply(dataset(rows)).collectAsList());
    assertTrue(
        stopped.toString().contains("is null, expected a text")
            || stopped.toString().contains("BadRecordException"),
        stopped.toString());
  }

  @Test
  @Order(5)
  void whatCannotWorkIsRefusedInTheDriver() throws Exception {
    List<Row> rows = rows("examples/names/names.txt");
    String names = example("names").toString();
    Map<GatunTransform.Builder, String> cases = new HashMap<>();
    cases.put(GatunTransform.classify(names), "say which one the network reads");
    cases.put(GatunTransform.classify(names).column("name"), "no column 'name', only id, word");
    cases.put(GatunTransform.classify("nowhere").column("word"), "there is no nowhere here");
    cases.put(GatunTransform.translate(names).column("word"), "which classify is for");
    cases.forEach(
        (builder, message) -> {
          Exception refused =
              assertThrows(
                  IllegalArgumentException.class, () -> builder.build().apply(dataset(rows)));
          assertTrue(refused.getMessage().contains(message), refused.getMessage());
        });
    Dataset<Row> labelled = dataset(rows).withColumn("label", functions.lit(1));
    assertThrows(
        IllegalArgumentException.class,
        () -> GatunTransform.classify(names).column("word").build().apply(labelled));
    assertThrows(
        IllegalArgumentException.class, () -> GatunTransform.classify(names).beam(3).build());
    assertThrows(
        IllegalArgumentException.class, () -> GatunTransform.represent(names).nBest(3).build());
  }

  /** The command of the manual, but for what stands before the jar. It ends the session. */
  @Test
  @Order(6)
  void theCommandOfTheManualWritesTheRows() throws Exception {
    List<Row> rows = rows("examples/pronunciation/words.txt");
    Path words = folder.resolve("words.parquet");
    dataset(rows).write().parquet(words.toString());
    String page = Files.readString(Shared.project().resolve("docs/batch.md"));
    Matcher command =
        Pattern.compile("spark-submit[^`]*?gatun-spark-\\S+\\.jar \\\\\n([^`]*)```").matcher(page);
    assertTrue(command.find(), "no command");
    Path output = folder.resolve("answers");
    List<String> args =
        new ArrayList<>(Arrays.asList(command.group(1).replace("\\\n", " ").trim().split("\\s+")));
    args.replaceAll(
        word ->
            switch (word) {
              case "pronunciation" -> example("pronunciation").toString();
              case "hdfs:///words.parquet" -> words.toString();
              case "hdfs:///answers" -> output.toString();
              default -> word;
            });
    args.addAll(List.of("--output-format", "json"));
    SparkJob.main(args.toArray(new String[0]));
    List<String> lines = new ArrayList<>();
    try (Stream<Path> files = Files.list(output)) {
      for (Path part : files.filter(file -> file.toString().endsWith(".json")).toList()) {
        lines.addAll(Files.readAllLines(part));
      }
    }
    assertEquals(120, lines.size());
    assertTrue(
        lines.contains(
            "{\"id\":18,\"translation\":null,\"score\":null,"
                + "\"problem\":\"'word' is null, expected a text\"}"),
        lines.get(17));
  }
}
