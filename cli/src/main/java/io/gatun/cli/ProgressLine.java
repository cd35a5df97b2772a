package io.gatun.cli;

import io.gatun.batch.BatchListener;
import io.gatun.batch.BatchProgress;
import io.gatun.job.JobSummary;
import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;

/**
 * Shows on standard error how a run goes, and which lines were bad. On a terminal the progress is
 * one line that is drawn again and again and gone at the end, so that what stays are messages.
 */
final class ProgressLine implements BatchListener {
  /** When progress is shown. */
  enum When {
    /** On a terminal, unless answers are shown there too. */
    auto,
    /** Also where nobody watches, as a line every few seconds. */
    always,
    /** Not at all. */
    never
  }

  /** A run that is over before this shows no progress. */
  private static final long FIRST_MILLIS = 700;

  private static final long BETWEEN_LINES_MILLIS = 5000;

  /** From less than a record or two nobody can say how long it takes. */
  private static final Duration LONGEST_ESTIMATE = Duration.ofDays(4);

  /** After so many bad lines only their number is told. */
  private static final long MOST_REPORTS = 20;

  private final PrintStream err;
  private final String input;
  private final boolean shown;
  private final boolean redrawn;
  private final boolean stopsAtBad;
  private boolean drawn;
  private long nextMillis;
  private long bad;

  /**
   * Makes a listener.
   *
   * @param streams where to print, and whether somebody watches
   * @param when when progress is shown
   * @param input what to call the input
   * @param outputIsShown whether answers go to standard output
   * @param stopsAtBad whether the first bad record ends the run, with a message of its own
   */
  ProgressLine(
      Streams streams, When when, String input, boolean outputIsShown, boolean stopsAtBad) {
    this.stopsAtBad = stopsAtBad;
    this.err = streams.err();
    this.input = input;
    boolean watched = streams.errIsTerminal() && !(outputIsShown && streams.outIsTerminal());
    this.shown = when == When.always || (when == When.auto && watched);
    this.redrawn = streams.errIsTerminal();
    this.nextMillis = redrawn ? FIRST_MILLIS : BETWEEN_LINES_MILLIS;
  }

  @Override
  public void bad(long number, String place, String reason) {
    bad++;
    if (bad > MOST_REPORTS || stopsAtBad) {
      return;
    }
    clear();
    err.println("gatun: " + place + ": " + reason);
    if (bad == MOST_REPORTS) {
      err.println("gatun: " + input + ": further bad lines are counted, not shown");
    }
  }

  @Override
  public void progress(BatchProgress progress) {
    long now = progress.elapsed().toMillis();
    if (!shown || now < nextMillis || progress.records() == 0) {
      return;
    }
    if (redrawn) {
      err.print("\r" + text(progress) + "\033[K");
      err.flush();
      drawn = true;
    } else {
      err.println(text(progress));
      nextMillis = now + BETWEEN_LINES_MILLIS;
    }
  }

  /** Takes the progress off the terminal. */
  void clear() {
    if (drawn) {
      err.print("\r\033[K");
      err.flush();
      drawn = false;
    }
  }

  /** Says at the end how many lines were bad, if any, and where the job began. */
  void end(JobSummary summary) {
    clear();
    if (summary.resumed() > 0) {
      err.printf(
          Locale.ROOT, "gatun: %s: %,d lines had been answered before%n", input, summary.resumed());
    }
    if (summary.bad() > 0) {
      err.printf(
          Locale.ROOT,
          "gatun: %s: %,d of %,d lines were bad and have no answer%n",
          input,
          summary.bad(),
          summary.resumed() + summary.progress().records());
    }
  }

  static String text(BatchProgress progress) {
    StringBuilder text = new StringBuilder();
    text.append(String.format(Locale.ROOT, "%,d lines", progress.records()));
    text.append(String.format(Locale.ROOT, ", %,.0f lines/s", progress.recordsPerSecond()));
    text.append(String.format(Locale.ROOT, ", %,.0f tokens/s", progress.tokensPerSecond()));
    progress
        .fraction()
        .ifPresent(
            part -> text.append(String.format(Locale.ROOT, ", %.0f %%", Math.floor(part * 100))));
    progress
        .remaining()
        .filter(left -> left.compareTo(LONGEST_ESTIMATE) < 0)
        .ifPresent(left -> text.append(", ").append(time(left)).append(" left"));
    BatchProgress.Times times = progress.times();
    double all = times.read().toNanos() + times.compute().toNanos() + times.write().toNanos();
    if (all > 0) {
      text.append(
          String.format(
              Locale.ROOT,
              ", padding %.0f %%, read/compute/write %.0f/%.0f/%.0f %%",
              progress.padding() * 100,
              times.read().toNanos() / all * 100,
              times.compute().toNanos() / all * 100,
              times.write().toNanos() / all * 100));
    }
    return text.toString();
  }

  private static String time(Duration left) {
    long seconds = (left.toMillis() + 999) / 1000;
    return seconds < 3600
        ? String.format(Locale.ROOT, "%d:%02d", seconds / 60, seconds % 60)
        : String.format(
            Locale.ROOT, "%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
  }
}
