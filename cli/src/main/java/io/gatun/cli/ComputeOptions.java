package io.gatun.cli;

import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.Workers;
import java.io.IOException;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** What computes, where one pass is shared by threads, and what is shown meanwhile. */
final class ComputeOptions {
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "How many threads compute; by default as many as there are processors.")
  void threads(int count) {
    if (count < 1) {
      throw new TypeConversionException("--threads is " + count + ", expected at least 1");
    }
    threads = count;
  }

  @Option(
      names = "--device",
      paramLabel = "NAME",
      defaultValue = "auto",
      description =
          "What computes: auto (the best there is, the default) or one of 'gatun devices'.")
  private String device;

  @Option(
      names = "--progress",
      paramLabel = "WHEN",
      defaultValue = "auto",
      description =
          "Show rate and remaining time on standard error: ${COMPLETION-CANDIDATES}; by default"
              + " ${DEFAULT-VALUE}, that is, when it is a terminal.")
  private ProgressLine.When progress;

  /** When progress is shown. */
  ProgressLine.When progress() {
    return progress;
  }

  /** What to do on a device. */
  interface Work {
    /** Does it and returns the exit code. */
    int on(Device device, Workers workers) throws IOException;
  }

  /** Runs something on the device asked for, with threads that share its work. */
  int with(Work work) throws IOException {
    try (Workers workers = new Workers(threads)) {
      if (device.equals("auto")) {
        return work.on(Devices.best(), workers);
      }
      try (Device opened = Devices.open(device)) {
        return work.on(opened, workers);
      }
    }
  }
}
