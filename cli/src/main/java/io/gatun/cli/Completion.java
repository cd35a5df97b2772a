package io.gatun.cli;

import picocli.AutoComplete;
import picocli.CommandLine.Model.CommandSpec;

/** {@code gatun completion}: lets the shell complete the command line. */
final class Completion implements Syntax.Subcommand {
  /** The shells there is a script for. */
  enum Shell {
    /** Bash 4 or later. */
    bash,
    /** Zsh, which runs the script for Bash. */
    zsh
  }

  private final CommandSpec spec =
      new Syntax(
              "completion",
              this,
              "Prints a script with which the shell completes commands and options.")
          .examples(
              "  source <(gatun completion bash)",
              "  gatun completion bash > ~/.local/share/bash-completion/completions/gatun",
              "  echo 'source <(gatun completion zsh)' >> ~/.zshrc");

  private final Argument<Shell> shell =
      Argument.parameter(Shell.class, 0, "1", "SHELL", "One of ${COMPLETION-CANDIDATES}.").in(spec);

  @Override
  public CommandSpec spec() {
    return spec;
  }

  @Override
  public Integer call() {
    String script = AutoComplete.bash("gatun", spec.root().commandLine());
    if (shell.get() == Shell.zsh) {
      spec.commandLine()
          .getOut()
          .print(
              "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n");
    }
    spec.commandLine().getOut().print(script);
    return ExitCode.OK;
  }
}
