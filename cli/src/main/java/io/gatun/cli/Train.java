package io.gatun.cli;

import io.gatun.kernel.Device;
import io.gatun.training.Trainer;
import io.gatun.training.TrainingConfig;
import io.gatun.training.TrainingListener;
import io.gatun.training.TrainingProgress;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;

/** {@code gatun train}: a model from data. */
final class Train implements Syntax.Subcommand {
  private static final long BETWEEN_LINES_MILLIS = 10_000;
  private static final long BETWEEN_DRAWINGS_MILLIS = 500;

  private final Streams streams;

  private final CommandSpec spec =
      new Syntax(
              "train",
              this,
              "Trains a network as a configuration says, and writes it as a model folder that"
                  + " every other"
                  + " command reads.",
              "",
              "What is wrong with the configuration or the data is said before any time is spent."
                  + " The state"
                  + " is kept in checkpoint.safetensors beside the model, written whole or not at"
                  + " all;"
                  + " --resume goes on from there, and what comes out has the same bits as if the"
                  + " training"
                  + " had not been interrupted. The curves are in training.html there.")
          .exitCodes()
          .examples(
              "  gatun train examples/sum/train.json",
              "  gatun train examples/names/train.json --resume");

  private final Argument<Path> file =
      Argument.parameter(
              Path.class,
              0,
              "1",
              "CONFIG",
              "The configuration; docs/training.md says what is in it.")
          .in(spec);

  private final Argument<Boolean> resume =
      Argument.flag(
              "--resume",
              "Go on from the checkpoint of a training that was interrupted, if there is one.")
          .in(spec);

  private final Argument<Boolean> restart =
      Argument.flag("--restart", "Begin anew although there is such a checkpoint.").in(spec);

  private final Argument<Boolean> check =
      Argument.flag("--check", "Only read the configuration and the data, and make the network.")
          .in(spec);

  private final Argument<String> device = RunOptions.device().in(spec);

  private final Argument<ProgressLine.When> progress =
      Argument.option(
              ProgressLine.When.class,
              "--progress",
              "WHEN",
              "Show loss, metric, rate and remaining time on standard error:"
                  + " ${COMPLETION-CANDIDATES}; by default ${DEFAULT-VALUE}, that is, when it is a"
                  + " terminal.")
          .by("auto")
          .in(spec);

  Train(Streams streams) {
    this.streams = streams;
  }

  @Override
  public CommandSpec spec() {
    return spec;
  }

  @Override
  public Integer call() throws IOException, InterruptedException {
    if (!Files.exists(file.get())) {
      throw new NoSuchFileException(file.get().toString());
    }
    TrainingConfig config = TrainingConfig.read(file.get());
    Path checkpoint = config.output().resolve(Trainer.CHECKPOINT);
    if (Files.exists(checkpoint) && !resume.get() && !restart.get() && !check.get()) {
      throw new CommandException(
          checkpoint
              + " is of a training that was interrupted; --resume goes on with it, --restart begins"
              + " anew");
    }
    return RunOptions.on(device.get(), opened -> train(config, opened));
  }

  private int train(TrainingConfig config, Device opened) throws IOException {
    PrintWriter out = spec.commandLine().getOut();
    try (Trainer trainer = new Trainer(config, opened)) {
      out.printf(
          Locale.ROOT,
          "%,d sequences to learn from, %,d for validation, %,d for the test; %,d parameters%n",
          trainer.itemCount(),
          config.split().validation().size(),
          config.split().test().size(),
          trainer.parameterCount());
      out.flush();
      if (check.get()) {
        return ExitCode.OK;
      }
      Shown shown = new Shown(streams, progress.get());
      Map<String, Double> figures;
      try {
        figures = trainer.train(resume.get(), shown);
      } finally {
        shown.clear();
      }
      figures.forEach((name, figure) -> out.printf(Locale.ROOT, "%-12s %.6f%n", name, figure));
    }
    return ExitCode.OK;
  }

  /** The line of progress. */
  private static final class Shown implements TrainingListener {
    private final PrintStream err;
    private final boolean shown;
    private final boolean redrawn;
    private boolean drawn;
    private long next;

    Shown(Streams streams, ProgressLine.When when) {
      err = streams.err();
      redrawn = streams.errIsTerminal();
      shown = when == ProgressLine.When.always || when == ProgressLine.When.auto && redrawn;
    }

    @Override
    public void step(TrainingProgress progress) {
      long now = progress.elapsed().toMillis();
      if (!shown || now < next) {
        return;
      }
      if (redrawn) {
        err.print("\r" + text(progress) + "\033[K");
        err.flush();
        drawn = true;
        next = now + BETWEEN_DRAWINGS_MILLIS;
      } else {
        err.println(text(progress));
        next = now + BETWEEN_LINES_MILLIS;
      }
    }

    @Override
    public void validated(TrainingProgress progress) {
      if (shown) {
        clear();
        StringBuilder figures = new StringBuilder();
        progress
            .metrics()
            .forEach(
                (name, figure) ->
                    figures.append(String.format(Locale.ROOT, ", %s %.4f", name, figure)));
        err.println(
            String.format(
                Locale.ROOT,
                "epoch %d, step %,d: loss %.4f%s",
                progress.epoch(),
                progress.step(),
                progress.loss(),
                figures));
      }
    }

    void clear() {
      if (drawn) {
        err.print("\r\033[K");
        err.flush();
        drawn = false;
      }
    }

    private static String text(TrainingProgress progress) {
      Duration left = progress.remaining();
      double best = progress.best();
      return String.format(
          Locale.ROOT,
          "step %,d of %,d, loss %.4f, %s%,.0f sequences/s, %d:%02d:%02d left",
          progress.step(),
          progress.lastStep(),
          progress.loss(),
          Double.isNaN(best) ? "" : String.format(Locale.ROOT, "best %.4f, ", best),
          progress.sequencesPerSecond(),
          left.toHours(),
          left.toMinutesPart(),
          left.toSecondsPart());
    }
  }
}
