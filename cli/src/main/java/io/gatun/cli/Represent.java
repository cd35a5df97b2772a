package io.gatun.cli;

import io.gatun.batch.ExampleArray;
import io.gatun.batch.ExampleLines;
import io.gatun.batch.Extractor;
import io.gatun.batch.LineReader;
import io.gatun.batch.NpyFiles;
import io.gatun.format.Model;
import io.gatun.format.TensorFile;
import io.gatun.format.TextCodec;
import io.gatun.graph.Graph;
import io.gatun.graph.Names;
import io.gatun.graph.Value;
import io.gatun.job.RepresentationAnswers;
import io.gatun.kernel.Device;
import io.gatun.kernel.Workers;
import io.gatun.representation.Example;
import io.gatun.representation.ExampleReader;
import io.gatun.representation.Extraction;
import io.gatun.representation.Feed;
import io.gatun.representation.Pooling;
import io.gatun.representation.Progress;
import io.gatun.representation.Report;
import io.gatun.representation.ReportOptions;
import io.gatun.representation.RepresentationWriter;
import io.gatun.representation.Selection;
import io.gatun.training.Sample;
import io.gatun.training.TrainingConfig;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** {@code gatun represent}: representations of data, and what units detect. */
final class Represent implements Syntax.Subcommand {
  private final Streams streams;

  private final CommandSpec spec =
      new Syntax(
              "represent",
              this,
              "Writes representations of data, any values of the network: with --output as columns"
                  + " of a"
                  + " table, a row for each record of the input, which may be large, broken in"
                  + " places, and"
                  + " interrupted; with --output-dir as arrays, a file for each value. Or shows,"
                  + " with"
                  + " --report, in a page what the network makes of the data and what its units"
                  + " detect.",
              "",
              "For a table the input is read as 'gatun translate' reads it. For arrays and the"
                  + " page it has an"
                  + " example on each line, text or numbers as the model reads them; or it is an"
                  + " array"
                  + " (npy, npz, safetensors) whose first axis is that of the examples; or the"
                  + " configuration of a training (json), of whose data --split is taken, with its"
                  + " labels.")
          .exitCodes("3", "done, but some records of a table were bad and have no representation")
          .examples(
              "  gatun represent examples/names names.csv --values rnn --pool last --column name"
                  + " --keep id"
                  + " --output names.parquet",
              "  gatun represent examples/names names.txt --values rnn --output-dir features",
              "  gatun represent examples/digits images.npy --values 'conv*' --pool mean"
                  + " --output-dir features",
              "  gatun represent examples/digits examples/digits/train.json --report digits.html");
  private final ModelOptions modelOptions = new ModelOptions(spec);

  private final Argument<List<Path>> files =
      Argument.parameters(Path.class, 1, "FILE", TableOptions.FILES).in(spec);

  private final TableOptions tableOptions = new TableOptions(spec);

  private final Argument<List<String>> values =
      Argument.options(
              String.class,
              "--values",
              "NAMES",
              "Which values: names, or patterns such as 'conv*', with commas between; by default"
                  + " the"
                  + " path from layer to layer, which 'gatun inspect' shows with all else.")
          .split()
          .in(spec);

  private final Argument<String> pool =
      Argument.option(
              String.class,
              "--pool",
              "HOW",
              "What is kept of time steps, or of the places of an image: all (the default), last,"
                  + " mean,"
                  + " max, or at:P,P… (counted from 0, or from the end where negative).")
          .by("all")
          .in(spec);

  private final Argument<Path> folder =
      Argument.option(
              Path.class,
              "--output-dir",
              "DIR",
              "Write an array NAME.npy for each value here, and ids.txt.")
          .in(spec);

  private final Argument<Path> report =
      Argument.option(
              Path.class,
              "--report",
              "FILE",
              "Write the page here: one file of HTML that needs nothing else.")
          .in(spec);

  private final Argument<Path> labels =
      Argument.option(Path.class, "--labels", "FILE", "The label of each example, on a line each.")
          .in(spec);

  private final Argument<String> split =
      Argument.option(
              String.class,
              "--split",
              "PART",
              "Which part of a training's data: train, validation or test (the default).")
          .by("test")
          .in(spec);

  private final Argument<Integer> top =
      Argument.option(
              Integer.class,
              "--top",
              "K",
              "How many examples the page shows for each unit; ${DEFAULT-VALUE} by default.")
          .by("9")
          .in(spec);

  private final Argument<Integer> units =
      Argument.option(
              Integer.class,
              "--units",
              "N",
              "How many units the page shows of each value, those that vary most; ${DEFAULT-VALUE}"
                  + " by"
                  + " default.")
          .by("24")
          .in(spec);

  private final Argument<Integer> sample =
      Argument.option(
              Integer.class,
              "--sample",
              "N",
              "How many examples, drawn at random, the page projects and probes; ${DEFAULT-VALUE}"
                  + " by"
                  + " default.")
          .by("1000")
          .in(spec);

  private final RunOptions runOptions = new RunOptions(spec, modelOptions);

  /** The data of arrays and the page; null for standard input. */
  private Path input;

  Represent(Streams streams) {
    this.streams = streams;
  }

  @Override
  public CommandSpec spec() {
    return spec;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    boolean table = runOptions.namesOutput();
    if ((table ? 1 : 0) + (folder.get() != null ? 1 : 0) + (report.get() != null ? 1 : 0) != 1) {
      throw usage(
          "expected one of --output, for a table, --output-dir, for arrays, and --report, for a"
              + " page");
    }
    Pooling pooling;
    try {
      pooling = Pooling.parse(pool.get());
    } catch (IllegalArgumentException e) {
      throw usage("--pool: " + e.getMessage());
    }
    if (!List.of("train", "validation", "test").contains(split.get())) {
      throw usage("--split is " + split.get() + ", expected train, validation or test");
    }
    if (top.get() < 1 || units.get() < 1 || sample.get() < 2) {
      throw usage("--top and --units are at least 1, --sample at least 2");
    }
    try {
      tableOptions.check(files.get());
      runOptions.batch();
      if (table) {
        refuse(List.of("--labels", "--split", "--top", "--units", "--sample"), "is for --report");
      } else {
        refuse(OF_TABLES, "goes with --output, for a table");
        input = tableOptions.only(files.get());
      }
      if (report.get() != null) {
        refuse(List.of("--weight-format"), "does not go with --report");
      }
    } catch (IllegalArgumentException e) {
      throw usage(e.getMessage());
    }
    try (Model model = modelOptions.open()) {
      Graph graph = model.graphs().get(0);
      checkValues(model, graph);
      if (table) {
        return table(model, pooling);
      }
      Feed feed = Feed.of(graph);
      return runOptions.withWorkers(
          (device, workers) -> {
            if (report.get() != null) {
              page(model, feed, device, workers);
            } else {
              arrays(model, feed, pooling, device, workers);
            }
            return ExitCode.OK;
          });
    }
  }

  /** Options that say how a table is gone through. */
  private static final List<String> OF_TABLES =
      List.of(
          "--input-format",
          "--column",
          "--keep",
          "--no-header",
          "--shard",
          "--resume",
          "--force",
          "--on-error",
          "--errors",
          "--chunk-records",
          "--metrics",
          "--batch-tokens");

  private void refuse(List<String> options, String why) {
    for (String each : options) {
      if (spec.commandLine().getParseResult().hasMatchedOption(each)) {
        throw new IllegalArgumentException(each + " " + why);
      }
    }
  }

  private int table(Model model, Pooling pooling) throws IOException, InterruptedException {
    try (TableOptions.Table table = tableOptions.open(files.get(), streams)) {
      return runOptions.withDevice(
          device -> {
            try (Extractor extractor =
                Extractor.of(model, values.get(), pooling, device, runOptions.weightFormat())) {
              return runOptions.run(
                  streams,
                  table,
                  extractor.bounded(runOptions.batch()),
                  extractor.task(),
                  new RepresentationAnswers(extractor.columns()));
            }
          });
    }
  }

  private ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  /** A value of the decoder is not there where a sequence is only read. */
  private void checkValues(Model model, Graph graph) {
    if (model.graphs().size() < 2) {
      return;
    }
    for (String word : values.get()) {
      boolean there = graph.values().containsKey(word);
      if (!there && model.decoder().values().containsKey(word)) {
        throw new CommandException(
            word
                + " is a value of the decoder, which has one for each token that is generated; what"
                + " the encoder has: "
                + Names.suggest("", Selection.path(graph).stream().map(Value::name).toList()));
      }
    }
  }

  private void arrays(Model model, Feed feed, Pooling pooling, Device device, Workers workers)
      throws IOException {
    List<String> words =
        values.get().isEmpty()
            ? Selection.path(feed.graph()).stream().map(Value::name).toList()
            : values.get();
    try (Extraction extraction =
            Extraction.of(feed, words, pooling, device, runOptions.weightFormat(), workers);
        Data data = open(model, feed);
        NpyFiles arrays = new NpyFiles(folder.get())) {
      Shown shown = new Shown(streams, runOptions.progress());
      long count;
      try {
        count = extraction.run(data.reader(), arrays, shown);
      } finally {
        shown.clear();
      }
      arrays.commit();
      PrintWriter out = spec.commandLine().getOut();
      for (RepresentationWriter.Column column : extraction.columns()) {
        out.printf(
            Locale.ROOT,
            "%s: %s of %,d examples%n",
            NpyFiles.file(folder.get(), column.name()),
            column.type().label() + shape(column),
            count);
      }
    }
  }

  private static String shape(RepresentationWriter.Column column) {
    StringBuilder text = new StringBuilder("[");
    text.append(column.ragged() ? "all steps" : "examples");
    for (int i = column.ragged() ? 1 : 0; i < column.dims().size(); i++) {
      text.append(", ").append(column.dims().get(i) < 0 ? "any" : column.dims().get(i).toString());
    }
    return text.append("]").toString();
  }

  private void page(Model model, Feed feed, Device device, Workers workers) throws IOException {
    boolean single = model.graphs().size() == 1;
    ReportOptions options =
        new ReportOptions(
            model.name(),
            model.description().orElse(""),
            values.get(),
            model.source().map(codec -> codec.vocabulary().symbols()).orElse(List.of()),
            model.labels().map(all -> all.symbols()).orElse(List.of()),
            single && model.labels().isPresent()
                ? Optional.of(model.logits().name())
                : Optional.empty(),
            top.get(),
            units.get(),
            sample.get());
    try (OutputFile out = OutputFile.open(report.get());
        Data data = open(model, feed)) {
      Shown shown = new Shown(streams, runOptions.progress());
      String html;
      try {
        html = Report.html(feed, data.reader(), options, device, workers, shown);
      } finally {
        shown.clear();
      }
      out.write(html.getBytes(StandardCharsets.UTF_8));
      out.commit();
    }
  }

  // ---- data -------------------------------------------------------------------------------------

  /** Examples and what has to be closed after them. */
  private record Data(ExampleReader reader, List<AutoCloseable> open) implements AutoCloseable {
    @Override
    public void close() throws IOException {
      for (AutoCloseable each : open) {
        try {
          each.close();
        } catch (IOException | RuntimeException e) {
          throw e;
        } catch (Exception e) {
          throw new IOException(e);
        }
      }
    }
  }

  private Data open(Model model, Feed feed) throws IOException {
    String name = input == null ? "-" : input.toString();
    if (name.endsWith(".json")) {
      return new Data(ExampleReader.of(samples(model, feed)), List.of());
    }
    if (name.matches(".*\\.(npy|npz|safetensors)")) {
      TensorFile file = TensorFile.open(input);
      try {
        List<String> given =
            labels.get() == null
                ? List.of()
                : Files.readAllLines(labels.get(), StandardCharsets.UTF_8);
        return new Data(new ExampleArray(ExampleArray.only(file), feed, given), List.of(file));
      } catch (IOException | RuntimeException e) {
        file.close();
        throw e;
      }
    }
    RunOptions.Input lines = RunOptions.Input.open(input, streams);
    RunOptions.Input marks =
        labels.get() == null ? null : RunOptions.Input.open(labels.get(), streams);
    LineReader given = marks == null ? null : marks.lines();
    return new Data(
        new ExampleLines(lines.lines(), feed, model.source(), given),
        marks == null ? List.of(lines) : List.of(lines, marks));
  }

  private List<Example> samples(Model model, Feed feed) throws IOException {
    if (labels.get() != null) {
      throw usage("--labels does not go with the data of a training, which have labels");
    }
    TrainingConfig config = TrainingConfig.read(input);
    List<Sample> part =
        switch (split.get()) {
          case "train" -> config.split().train();
          case "validation" -> config.split().validation();
          default -> config.split().test();
        };
    boolean labelled = model.labels().isPresent();
    Optional<TextCodec> codec = model.source();
    List<Example> examples = new ArrayList<>();
    for (Sample each : part) {
      int number = examples.size();
      String id = split.get() + " " + (number + 1);
      Optional<String> label =
          labelled && !each.targets().isEmpty()
              ? Optional.of(each.targets().get(0))
              : Optional.empty();
      if (each.text() != null) {
        if (codec.isEmpty()) {
          throw new CommandException(model.name() + " reads no text, but " + input + " has text");
        }
        int[] tokens = codec.get().encode(each.text());
        examples.add(Example.ofTokens(number, id, each.text(), tokens, label));
      } else {
        long[] dims = ExampleLines.dims(feed.expected(), each.numbers().length);
        if (dims == null) {
          throw new CommandException(
              id
                  + " has "
                  + each.numbers().length
                  + " numbers, but the model reads "
                  + feed.input());
        }
        examples.add(Example.ofNumbers(number, id, each.numbers(), dims, label));
      }
    }
    return examples;
  }

  /** The line of progress. */
  private static final class Shown implements Progress {
    private static final long FIRST_MILLIS = 700;
    private static final long BETWEEN_MILLIS = 500;
    private static final long BETWEEN_LINES_MILLIS = 5000;

    private final PrintStream err;
    private final boolean shown;
    private final boolean redrawn;
    private final long began = System.nanoTime();
    private long next = FIRST_MILLIS;
    private boolean drawn;

    Shown(Streams streams, ProgressLine.When when) {
      err = streams.err();
      redrawn = streams.errIsTerminal();
      shown = when == ProgressLine.When.always || when == ProgressLine.When.auto && redrawn;
    }

    @Override
    public void examples(long done, OptionalLong total) {
      long now = (System.nanoTime() - began) / 1_000_000;
      if (!shown || now < next) {
        return;
      }
      double rate = done * 1000.0 / Math.max(1, now);
      StringBuilder text = new StringBuilder();
      text.append(String.format(Locale.ROOT, "%,d examples, %,.0f examples/s", done, rate));
      if (total.isPresent() && rate > 0) {
        long left = (long) ((total.getAsLong() - done) / rate);
        text.append(
            String.format(
                Locale.ROOT,
                ", %.0f %%, %d:%02d left",
                Math.floor(100.0 * done / total.getAsLong()),
                left / 60,
                left % 60));
      }
      if (redrawn) {
        err.print("\r" + text + "\033[K");
        err.flush();
        drawn = true;
        next = now + BETWEEN_MILLIS;
      } else {
        err.println(text);
        next = now + BETWEEN_LINES_MILLIS;
      }
    }

    void clear() {
      if (drawn) {
        err.print("\r\033[K");
        err.flush();
        drawn = false;
      }
    }
  }
}
