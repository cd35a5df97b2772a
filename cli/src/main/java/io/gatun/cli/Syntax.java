package io.gatun.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * How a command is called: what {@code --help} says of it, but for its {@linkplain Argument
 * arguments}.
 */
final class Syntax {
  private final CommandSpec spec;

  /** A subcommand. */
  interface Subcommand extends Callable<Integer> {
    /** How it is called. */
    CommandSpec spec();
  }

  /**
   * A command that only has its name.
   *
   * @param command what runs
   * @param description the lines that say what it does
   */
  Syntax(String name, Object command, String... description) {
    spec = CommandSpec.wrapWithoutInspection(command).name(name);
    spec.versionProvider(new Gatun.Version());
    spec.usageMessage()
        .sortOptions(false)
        .description(description)
        .parameterListHeading("%n")
        .optionListHeading("%nOptions:%n");
  }

  /**
   * Says what the command ends with.
   *
   * @param more codes beyond the first three, and behind each what it means
   */
  Syntax exitCodes(String... more) {
    Map<String, String> codes = new LinkedHashMap<>();
    codes.put("0", "all went well");
    codes.put("1", "something failed; a message on standard error says what");
    codes.put("2", "the command line is wrong");
    for (int i = 0; i < more.length; i += 2) {
      codes.put(more[i], more[i + 1]);
    }
    spec.usageMessage().exitCodeListHeading("%nExit codes:%n").exitCodeList(codes);
    return this;
  }

  /** Gives examples, and what there is to say after them. */
  CommandSpec examples(String... lines) {
    spec.usageMessage().footerHeading("%nExamples:%n").footer(lines);
    return spec;
  }

  /** Adds the options that every command has, behind its own. */
  static CommandSpec complete(CommandSpec spec) {
    spec.addOption(
        OptionSpec.builder("-h", "--help")
            .usageHelp(true)
            .description("Show this help message and exit.")
            .build());
    spec.addOption(
        OptionSpec.builder("-V", "--version")
            .versionHelp(true)
            .description("Print version information and exit.")
            .build());
    return spec;
  }
}
