package io.gatun.cli;

import io.gatun.batch.BatchOptions;
import io.gatun.batch.BatchProgress;
import io.gatun.batch.BatchRun;
import io.gatun.batch.BatchTask;
import io.gatun.batch.LineReader;
import io.gatun.batch.LineWriter;
import io.gatun.batch.RecordReader;
import io.gatun.batch.Translator;
import io.gatun.format.Model;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.WeightFormat;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import java.util.OptionalLong;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** How a command goes through lines: where they go, who computes, what is shown meanwhile. */
final class RunOptions {
  /** Stands for standard input or standard output. */
  private static final Path STANDARD = Path.of("-");

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FILE",
      description =
          "Write here; standard output by default. The file appears when all is done; nothing is"
              + " left behind otherwise.")
  private Path output;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "How many threads compute; by default as many as there are processors.")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(
      names = "--device",
      paramLabel = "NAME",
      defaultValue = "auto",
      description =
          "What computes: auto (the best there is, the default) or one of 'gatun devices'.")
  private String device;

  @Option(
      names = "--weight-format",
      paramLabel = "FORMAT",
      converter = FormatConverter.class,
      completionCandidates = FormatCandidates.class,
      description =
          "What weights are rounded to when they are loaded: ${COMPLETION-CANDIDATES}; by default"
              + " they stay as they are stored. Smaller ones need less memory and change answers a"
              + " little.")
  private WeightFormat weightFormat;

  @Option(
      names = "--batch-tokens",
      paramLabel = "N",
      defaultValue = "4096",
      description =
          "How many tokens are computed together on one thread; ${DEFAULT-VALUE} by default. More"
              + " need more memory; answers do not depend on it.")
  private int batchTokens;

  @Option(
      names = "--progress",
      paramLabel = "WHEN",
      defaultValue = "auto",
      description =
          "Show rate and remaining time on standard error: ${COMPLETION-CANDIDATES}; by default"
              + " ${DEFAULT-VALUE}, that is, when it is a terminal.")
  private ProgressLine.When progress;

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
    if (device.equals("auto")) {
      return with(model, Devices.best(), work);
    }
    try (Device opened = Devices.open(device)) {
      return with(model, opened, work);
    }
  }

  private int with(Model model, Device opened, Work work) throws IOException, InterruptedException {
    try (Translator translator = Translator.of(model, opened, weightFormat)) {
      return work.with(translator);
    }
  }

  /** What to do on a device. */
  interface DeviceWork {
    /** Does it and returns the exit code. */
    int on(Device device) throws IOException, InterruptedException;
  }

  /** Runs something on the device asked for and gives the device back. */
  int withDevice(DeviceWork work) throws IOException, InterruptedException {
    if (device.equals("auto")) {
      return work.on(Devices.best());
    }
    try (Device opened = Devices.open(device)) {
      return work.on(opened);
    }
  }

  /** Checks what can be checked before anything is opened. */
  BatchOptions batch() {
    return BatchOptions.builder().workers(threads).batchTokens(batchTokens).build();
  }

  /** Goes through all lines and returns the exit code. */
  <R, I, O> int run(
      Streams streams,
      String inputName,
      RecordReader<R> reader,
      BatchTask<R, I, O> task,
      LineWriter.Format<O> format)
      throws IOException, InterruptedException {
    boolean toStandardOutput = isStandard(output);
    ProgressLine listener = new ProgressLine(streams, progress, inputName, toStandardOutput);
    BatchProgress summary;
    try {
      if (toStandardOutput) {
        OutputStream out = new StandardOutput(streams.out());
        summary =
            new BatchRun<>(reader, task, new LineWriter<>(out, format), batch(), listener).run();
      } else {
        try (OutputFile out = OutputFile.open(output)) {
          summary =
              new BatchRun<>(reader, task, new LineWriter<>(out, format), batch(), listener).run();
          out.commit();
        }
      }
    } finally {
      listener.clear();
    }
    listener.end(summary);
    return summary.bad() > 0 ? ExitCode.BAD_LINES : ExitCode.OK;
  }
}
