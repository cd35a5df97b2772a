package io.gatun.cli;

import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** The command {@code gatun}; each of its subcommands is a class of this package. */
public final class Gatun implements Runnable {
  /** The subcommands, in the order of the help. */
  private static final List<String> COMMANDS =
      List.of(
          "translate",
          "score",
          "classify",
          "train",
          "evaluate",
          "run",
          "convert",
          "represent",
          "inspect",
          "devices",
          "completion");

  private final CommandSpec spec =
      Syntax.complete(
          new Syntax(
                  "gatun", this, "Runs trained recurrent networks over text and other sequences.")
              .exitCodes(
                  "3", "done, but some lines of the input were bad and have no answer",
                  "130", "interrupted by Ctrl-C",
                  "141", "nobody reads the output any more")
              .examples(
                  "  echo hello | gatun translate examples/pronunciation",
                  "  gatun translate examples/pronunciation words.txt --output phonemes.txt",
                  "  gatun inspect examples/pronunciation --unroll 3",
                  "  gatun COMMAND --help",
                  "",
                  "Where the weights do not lie beside model.json, say where with --weights"
                      + " FILE."));

  private final Argument<Boolean> verbose =
      Argument.flag("-v,--verbose", "Also say what computes.").everywhere().in(spec);

  private final Argument<Boolean> stacktrace =
      Argument.flag("--stacktrace", "When something fails, show where in the program.")
          .everywhere()
          .in(spec);

  private Gatun() {}

  /**
   * Runs the command and ends the JVM with its exit code: 0 when all went well, 1 when something
   * failed, 2 when the command line was wrong, 3 when some lines of the input were bad, 141 when
   * the reader of the output has gone.
   *
   * @param args the command line
   */
  public static void main(String[] args) {
    Streams streams = Streams.ofProcess();
    System.setErr(streams.err());
    System.exit(run(streams, args));
  }

  /** Runs the command in this JVM. */
  static int run(Streams streams, String... args) {
    PrintWriter out =
        new PrintWriter(new OutputStreamWriter(streams.out(), StandardCharsets.UTF_8));
    int code;
    try {
      code = commandLine(streams, out, args.length > 0 ? args[0] : "").execute(args);
    } catch (Error e) { // too little memory, mostly; picocli hands on exceptions only
      streams.err().println("gatun: " + Messages.of(e));
      if (Arrays.asList(args).contains("--stacktrace")) {
        e.printStackTrace(streams.err());
      }
      code = ExitCode.FAILURE;
    }
    out.flush();
    return code;
  }

  /** The command with the subcommand that is called, or with all of them. */
  static CommandLine commandLine(Streams streams, PrintWriter out, String first) {
    Gatun gatun = new Gatun();
    gatun
        .spec
        .usageMessage()
        .synopsisSubcommandLabel("COMMAND")
        .commandListHeading("%nCommands:%n");
    CommandLine line = new CommandLine(gatun.spec);
    // Reading the options of all commands takes a good part of the start, so only the one that is
    // called is asked, unless all are talked about.
    boolean one = COMMANDS.contains(first) && !first.equals("completion");
    for (String name : one ? List.of(first) : COMMANDS) {
      line.addSubcommand(name, Syntax.complete(command(name, streams).spec()));
    }
    line.setOut(out);
    line.setErr(new PrintWriter(streams.err(), true, StandardCharsets.UTF_8));
    line.setUsageHelpAutoWidth(false);
    line.setUsageHelpWidth(100);
    line.setCaseInsensitiveEnumValuesAllowed(true);
    line.setExecutionStrategy(
        parsed -> {
          ConsoleLogger.show(
              gatun.verbose.get() ? System.Logger.Level.INFO : System.Logger.Level.WARNING);
          return new CommandLine.RunLast().execute(parsed);
        });
    line.setParameterExceptionHandler((e, arguments) -> usage(streams, e));
    line.setExecutionExceptionHandler((e, failed, parsed) -> gatun.failed(streams, e));
    return line;
  }

  private static Syntax.Subcommand command(String name, Streams streams) {
    return switch (name) {
      case "translate" -> new Translate(streams);
      case "score" -> new Score(streams);
      case "classify" -> new Classify(streams);
      case "train" -> new Train(streams);
      case "evaluate" -> new Evaluate();
      case "run" -> new NetworkRun();
      case "convert" -> new Convert();
      case "represent" -> new Represent(streams);
      case "inspect" -> new Inspect();
      case "devices" -> new Devices();
      case "completion" -> new Completion();
      default -> throw new IllegalArgumentException(name);
    };
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "a command is missing");
  }

  private static int usage(Streams streams, ParameterException e) {
    CommandLine line = e.getCommandLine();
    String name = line.getCommandSpec().qualifiedName();
    streams.err().println(name + ": " + e.getMessage().replaceAll("\\s*\\R\\s*", " "));
    if (!UnmatchedArgumentException.printSuggestions(e, line.getErr())) {
      streams.err().println("Try '" + name + " --help' for more.");
    }
    return ExitCode.USAGE;
  }

  private int failed(Streams streams, Exception e) {
    Throwable cause = e instanceof UncheckedIOException unchecked ? unchecked.getCause() : e;
    if (Messages.isBrokenPipe(cause)) {
      return ExitCode.BROKEN_PIPE;
    }
    streams.err().println("gatun: " + Messages.of(cause));
    if (stacktrace.get()) {
      cause.printStackTrace(streams.err());
    }
    return ExitCode.FAILURE;
  }

  /** The version of the jar that this class came from. */
  static final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = Gatun.class.getPackage().getImplementationVersion();
      return new String[] {
        "gatun " + (version == null ? "(unpackaged)" : version),
        "Java " + Runtime.version() + ", " + System.getProperty("os.arch")
      };
    }
  }
}
