package io.gatun.cli;

import io.gatun.batch.BatchOptions;
import io.gatun.batch.BatchTask;
import io.gatun.batch.LineReader;
import io.gatun.batch.LineWriter;
import io.gatun.batch.RecordReader;
import io.gatun.batch.Translator;
import io.gatun.format.Model;
import io.gatun.job.Answers;
import io.gatun.job.BatchJob;
import io.gatun.job.JobSummary;
import io.gatun.job.OnError;
import io.gatun.job.RowTask;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.WeightFormat;
import io.gatun.kernel.Workers;
import io.gatun.table.Column;
import io.gatun.table.ColumnType;
import io.gatun.table.Row;
import io.gatun.table.TableFormats;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.TypeConversionException;

/** How a command goes through lines: where they go, who computes, what is shown meanwhile. */
final class RunOptions {
  /** Stands for standard input or standard output. */
  private static final Path STANDARD = Path.of("-");

  private final CommandSpec spec;
  private final ModelOptions model;

  private final Argument<Path> output =
      Argument.option(
          Path.class,
          "-o,--output",
          "FILE",
          "Write here; standard output by default. The file appears when all is done; what is done"
              + " until then lies beside it, for --resume.");

  private final Argument<String> outputFormat =
      Argument.option(
          String.class,
          "--output-format",
          "FORMAT",
          "text, csv, tsv, jsonl, npy, parquet or arrow; by default what the end of the file's name"
              + " says, else text. A name with .gz or .zst behind is compressed.");

  private final Argument<Boolean> resume =
      Argument.flag(
          "--resume", "Go on with what an interrupted command of this output left, if it did.");

  private final Argument<Boolean> force =
      Argument.flag(
          "--force", "Replace the output if it is there already, and what an interruption left.");

  private final Argument<OnError> onError =
      Argument.option(
              OnError.class,
              "--on-error",
              "WHAT",
              "What to do about a record without an answer: stop, skip (report it, keep its place;"
                  + " the"
                  + " default) or record (skip it, and name it with the reason in a side file).")
          .by("skip")
          .read(new OnErrorConverter(), new OnErrorCandidates());

  private final Argument<Path> errors =
      Argument.option(
          Path.class,
          "--errors",
          "FILE",
          "With --on-error record: the side file; by default the output's name with .errors.jsonl"
              + " behind.");

  private final Argument<Integer> chunkRecords =
      Argument.option(
              Integer.class,
              "--chunk-records",
              "N",
              "How many records make a row group of Parquet, a batch of Arrow or a piece of a"
                  + " compressed file, which is where --resume can go on; ${DEFAULT-VALUE} by"
                  + " default.")
          .by("16384");

  private final Argument<Path> metrics =
      Argument.option(
          Path.class,
          "--metrics",
          "FILE",
          "Write at the end, as JSON, how much was done and where the time went.");

  private final Argument<Integer> threads = threads();

  private final Argument<String> device = device();

  private final Argument<WeightFormat> weightFormat =
      Argument.option(
              WeightFormat.class,
              "--weight-format",
              "FORMAT",
              "What weights are rounded to when they are loaded: ${COMPLETION-CANDIDATES}; by"
                  + " default"
                  + " they stay as they are stored. Smaller ones need less memory and change"
                  + " answers a"
                  + " little.")
          .read(new FormatConverter(), new FormatCandidates());

  private final Argument<Integer> batchTokens =
      Argument.option(
              Integer.class,
              "--batch-tokens",
              "N",
              "How many tokens are computed together on one thread, of 512 records at most;"
                  + " ${DEFAULT-VALUE} by default. More need more memory; answers do not depend on"
                  + " it.")
          .by("4096");

  private final Argument<ProgressLine.When> progress =
      Argument.option(
              ProgressLine.When.class,
              "--progress",
              "WHEN",
              "Show rate and remaining time on standard error: ${COMPLETION-CANDIDATES}; by default"
                  + " ${DEFAULT-VALUE}, that is, when it is a terminal.")
          .by("auto");

  /** Gives a command these arguments, after those that it has. */
  RunOptions(CommandSpec spec, ModelOptions model) {
    this.spec = spec;
    this.model = model;
    Argument.add(
        spec,
        output,
        outputFormat,
        resume,
        force,
        onError,
        errors,
        chunkRecords,
        metrics,
        threads,
        device,
        weightFormat,
        batchTokens,
        progress);
  }

  /** How many threads compute. */
  static Argument<Integer> threads() {
    return Argument.option(
            Integer.class,
            "--threads",
            "N",
            "How many threads compute; by default as many as there are processors.")
        .or(Runtime.getRuntime().availableProcessors());
  }

  /** What computes. */
  static Argument<String> device() {
    return Argument.option(
            String.class,
            "--device",
            "NAME",
            "What computes: auto (the best there is, the default), simd, scalar, cuda, cuda:N, and"
                + " behind it :tf32, :float16 or :bfloat16; 'gatun devices' says what there is.")
        .by("auto");
  }

  /** Reads the label of a format. */
  static final class FormatConverter implements ITypeConverter<WeightFormat> {
    @Override
    public WeightFormat convert(String label) {
      for (WeightFormat format : WeightFormat.values()) {
        if (format.label().equals(label)) {
          return format;
        }
      }
      throw new TypeConversionException(
          "'"
              + label
              + "' is no format of weights, expected one of "
              + String.join(", ", new FormatCandidates()));
    }
  }

  /** The labels of the formats. */
  static final class FormatCandidates implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return Arrays.stream(WeightFormat.values()).map(WeightFormat::label).iterator();
    }
  }

  /** Reads what to do about bad records. */
  static final class OnErrorConverter implements ITypeConverter<OnError> {
    @Override
    public OnError convert(String name) {
      for (OnError each : OnError.values()) {
        if (label(each).equals(name)) {
          return each;
        }
      }
      throw new TypeConversionException(
          "'" + name + "' is not known, expected one of " + String.join(", ", candidates()));
    }

    private static String label(OnError each) {
      return each.name().toLowerCase(Locale.ROOT);
    }

    static List<String> candidates() {
      return Arrays.stream(OnError.values()).map(OnErrorConverter::label).toList();
    }
  }

  /** What can be done about bad records. */
  static final class OnErrorCandidates implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return OnErrorConverter.candidates().iterator();
    }
  }

  /** Whether it is standard input or output that is meant. */
  static boolean isStandard(Path file) {
    return file == null || file.equals(STANDARD);
  }

  /** An input: what to call it, its bytes, how many there are. */
  record Input(String name, InputStream in, OptionalLong size) implements AutoCloseable {
    /** Opens a file, or standard input where it is null or {@code -}. */
    static Input open(Path file, Streams streams) throws IOException {
      if (isStandard(file)) {
        return new Input("standard input", streams.in(), OptionalLong.empty());
      }
      if (Files.isDirectory(file)) {
        throw new CommandException(file + " is a folder, expected a file of lines");
      }
      if (!Files.exists(file)) {
        throw new NoSuchFileException(file.toString());
      }
      OptionalLong size =
          Files.isRegularFile(file) ? OptionalLong.of(Files.size(file)) : OptionalLong.empty();
      return new Input(file.toString(), Files.newInputStream(file), size);
    }

    LineReader lines() {
      return new LineReader(name, in, size, LineReader.MAX_LINE_BYTES);
    }

    @Override
    public void close() throws IOException {
      if (!name.equals("standard input")) {
        in.close();
      }
    }
  }

  /** What to do with a translator. */
  interface Work {
    /** Does it and returns the exit code. */
    int with(Translator translator) throws IOException, InterruptedException;
  }

  /** Runs something with a model on the device asked for and gives the device back. */
  int withTranslator(Model model, Work work) throws IOException, InterruptedException {
    if (device.get().equals("auto")) {
      return with(model, Devices.best(), work);
    }
    try (Device opened = Devices.open(device.get())) {
      return with(model, opened, work);
    }
  }

  private int with(Model model, Device opened, Work work) throws IOException, InterruptedException {
    try (Translator translator = Translator.of(model, opened, weightFormat.get())) {
      return work.with(translator);
    }
  }

  /** What weights are rounded to, or null. */
  WeightFormat weightFormat() {
    return weightFormat.get();
  }

  /** What to do on a device. */
  interface DeviceWork {
    /** Does it and returns the exit code. */
    int on(Device device) throws IOException, InterruptedException;
  }

  /** Runs something on the device asked for and gives the device back. */
  int withDevice(DeviceWork work) throws IOException, InterruptedException {
    return on(device.get(), work);
  }

  /** Runs something on the device of a name and gives the device back. */
  static int on(String name, DeviceWork work) throws IOException, InterruptedException {
    if (name.equals("auto")) {
      return work.on(Devices.best());
    }
    try (Device opened = Devices.open(name)) {
      return work.on(opened);
    }
  }

  /** What to do on a device, where one pass is shared by threads. */
  interface SharedWork {
    /** Does it and returns the exit code. */
    int on(Device device, Workers workers) throws IOException;
  }

  /** Runs something on the device asked for, with threads that share its work. */
  int withWorkers(SharedWork work) throws IOException, InterruptedException {
    try (Workers workers = new Workers(batch().workers())) {
      return withDevice(opened -> work.on(opened, workers));
    }
  }

  /** Whether it was said that there is to be a table, by its file or its format. */
  boolean namesOutput() {
    return output.get() != null || outputFormat.get() != null;
  }

  /** When progress is shown. */
  ProgressLine.When progress() {
    return progress.get();
  }

  /** Checks what can be checked before anything is opened. */
  BatchOptions batch() {
    if (chunkRecords.get() < 1) {
      throw new IllegalArgumentException(
          "--chunk-records is " + chunkRecords.get() + ", expected at least 1");
    }
    if (outputFormat.get() != null) {
      TableFormats.named(outputFormat.get());
    }
    if (errors.get() != null && onError.get() != OnError.RECORD) {
      throw new IllegalArgumentException("--errors goes with --on-error record only");
    }
    return BatchOptions.builder().workers(threads.get()).batchTokens(batchTokens.get()).build();
  }

  /** Goes through all records, whose answers are lines, and returns the exit code. */
  <R, I, O> int run(
      Streams streams,
      String inputName,
      RecordReader<R> reader,
      BatchTask<R, I, O> task,
      LineWriter.Format<O> format)
      throws IOException, InterruptedException {
    Answers<O> lines =
        new Answers<>() {
          @Override
          public List<Column> columns() {
            return List.of(new Column("text", ColumnType.TEXT));
          }

          @Override
          public Object[] values(O answer) {
            return new Object[] {format.text(1, answer)};
          }

          @Override
          public String text(long number, O answer) {
            return format.text(number, answer);
          }
        };
    return run(
        streams,
        inputName,
        reader,
        TableOptions.Range.ALL,
        batch(),
        task,
        lines,
        List.of(),
        record -> new Object[0]);
  }

  /** Goes through a column of a table and returns the exit code. */
  <I, O> int run(
      Streams streams, TableOptions.Table table, BatchTask<String, I, O> task, Answers<O> answers)
      throws IOException, InterruptedException {
    return run(streams, table, batch(), task, answers);
  }

  /** Goes through a column of a table, with the work divided in another way. */
  <I, O> int run(
      Streams streams,
      TableOptions.Table table,
      BatchOptions batch,
      BatchTask<String, I, O> task,
      Answers<O> answers)
      throws IOException, InterruptedException {
    Function<Row, String> text =
        table.rows().schema().columns().isEmpty()
            ? row -> ""
            : RowTask.text(table.rows().schema(), table.column());
    return run(
        streams,
        table.name(),
        table.rows(),
        table.range(),
        batch,
        new RowTask<>(task, text),
        answers,
        table.kept(),
        table::keep);
  }

  private <R, I, O> int run(
      Streams streams,
      String inputName,
      RecordReader<R> reader,
      TableOptions.Range range,
      BatchOptions batch,
      BatchTask<R, I, O> task,
      Answers<O> answers,
      List<Column> kept,
      Function<R, Object[]> keep)
      throws IOException, InterruptedException {
    boolean toStandardOutput = isStandard(output.get());
    BatchJob.Builder job =
        BatchJob.builder()
            .batch(batch)
            .onError(onError.get())
            .errors(errors.get())
            .resume(resume.get())
            .force(force.get())
            .records(range.from(), range.to())
            .chunkRecords(chunkRecords.get());
    settings().forEach(job::setting);
    if (toStandardOutput) {
      job.output("standard output", new StandardOutput(streams.out()));
      job.format(
          outputFormat.get() == null ? TableFormats.TEXT : TableFormats.named(outputFormat.get()),
          null);
    } else {
      job.output(output.get());
      job.format(
          outputFormat.get() == null
              ? TableFormats.of(output.get()).orElse(TableFormats.TEXT)
              : TableFormats.named(outputFormat.get()),
          TableFormats.compressionOf(output.get()));
    }
    ProgressLine listener =
        new ProgressLine(
            streams, progress.get(), inputName, toStandardOutput, onError.get() == OnError.STOP);
    JobSummary summary;
    try {
      summary = job.build().run(reader, task, answers, kept, keep, HeapPacing.of(listener));
    } finally {
      listener.clear();
    }
    listener.end(summary);
    if (metrics.get() != null) {
      Files.writeString(metrics.get(), summary.progress().toJson() + "\n");
    }
    return summary.bad() > 0 ? ExitCode.BAD_LINES : ExitCode.OK;
  }

  /** Options that change no byte of the output. */
  private static final Set<String> NO_SETTING =
      Set.of(
          "--output",
          "--resume",
          "--force",
          "--on-error",
          "--errors",
          "--metrics",
          "--threads",
          "--batch-tokens",
          "--progress",
          "--input",
          "--weights",
          "--verbose",
          "--stacktrace",
          "--chunk-records",
          "--shard");

  /** What has to be the same when a command is resumed: the model and the other options. */
  private Map<String, String> settings() throws IOException {
    Map<String, String> settings = new TreeMap<>();
    CommandLine.ParseResult parsed = spec.commandLine().getParseResult();
    for (CommandLine.Model.OptionSpec option : parsed.matchedOptions()) {
      if (!NO_SETTING.contains(option.longestName())) {
        settings.put(option.longestName(), String.join(" ", option.stringValues()));
      }
    }
    if (device.get().equals("auto") && !Devices.best().name().equals("simd")) {
      // Another machine's best may be another, and what comes out there has other last bits.
      settings.put("--device", Devices.best().name());
    }
    settings.put("command", spec.name());
    if (!isStandard(output.get())) {
      settings.put("model", model.fingerprint());
    }
    return settings;
  }
}
