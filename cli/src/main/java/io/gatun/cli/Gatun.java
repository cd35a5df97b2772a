package io.gatun.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The command {@code gatun}; each of its subcommands is a class of this package. */
@Command(
    name = "gatun",
    mixinStandardHelpOptions = true,
    versionProvider = Gatun.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    description = "Runs trained recurrent networks over text and other sequences.",
    subcommands = {Devices.class})
public final class Gatun {
  private Gatun() {}

  /**
   * Runs the command and ends the JVM with its exit code: 0 when all went well, 1 when something
   * failed, 2 when the command line was wrong.
   *
   * @param args the command line
   */
  public static void main(String[] args) {
    System.exit(new CommandLine(new Gatun()).execute(args));
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
