package io.gatun.cli;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code gatun devices}: what this machine offers to run a network on. */
@Command(
    name = "devices",
    mixinStandardHelpOptions = true,
    description = "Shows what this machine offers to run a network on, and why not more.")
final class Devices implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    out.printf("cpu: %d processors%n", Runtime.getRuntime().availableProcessors());
    out.flush();
    return 0;
  }
}
