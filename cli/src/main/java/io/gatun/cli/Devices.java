package io.gatun.cli;

import io.gatun.kernel.Devices.Entry;
import java.io.PrintWriter;
import java.util.List;
import picocli.CommandLine.Model.CommandSpec;

/** {@code gatun devices}: what this machine offers to run a network on. */
final class Devices implements Syntax.Subcommand {
  private final CommandSpec spec =
      new Syntax(
              "devices",
              this,
              "Shows what this machine offers to run a network on, best first, and why not more."
                  + " The one"
                  + " with the star is what '--device auto' takes.")
          .examples(
              "  gatun devices", "  gatun translate examples/g2p_en words.txt --device scalar");

  @Override
  public CommandSpec spec() {
    return spec;
  }

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    List<Entry> entries = io.gatun.kernel.Devices.list();
    int width = entries.stream().mapToInt(entry -> entry.name().length()).max().orElse(0);
    boolean starred = false;
    for (Entry entry : entries) {
      boolean best = entry.available() && !starred;
      starred |= best;
      String name = entry.name() + " ".repeat(width - entry.name().length());
      String text = entry.available() ? entry.description() : "not available: " + entry.reason();
      out.println((best ? "* " : "  ") + name + "  " + text);
      for (String line : entry.details()) {
        out.println("    " + " ".repeat(width) + line);
      }
    }
    out.println();
    int processors = Runtime.getRuntime().availableProcessors();
    out.println(
        processors
            + (processors == 1 ? " processor, " : " processors, ")
            + System.getProperty("os.name")
            + " "
            + System.getProperty("os.arch")
            + ", Java "
            + Runtime.version());
    return ExitCode.OK;
  }
}
