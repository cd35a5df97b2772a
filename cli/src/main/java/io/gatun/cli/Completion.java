package io.gatun.cli;

import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code gatun completion}: lets the shell complete the command line. */
@Command(
    name = "completion",
    mixinStandardHelpOptions = true,
    versionProvider = Gatun.Version.class,
    description = "Prints a script with which the shell completes commands and options.",
    parameterListHeading = "%n",
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  source <(gatun completion bash)",
      "  gatun completion bash > ~/.local/share/bash-completion/completions/gatun",
      "  echo 'source <(gatun completion zsh)' >> ~/.zshrc"
    })
final class Completion implements Callable<Integer> {
  /** The shells there is a script for. */
  enum Shell {
    /** Bash 4 or later. */
    bash,
    /** Zsh, which runs the script for Bash. */
    zsh
  }

  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "SHELL", description = "One of ${COMPLETION-CANDIDATES}.")
  private Shell shell;

  @Override
  public Integer call() {
    String script = AutoComplete.bash("gatun", spec.root().commandLine());
    if (shell == Shell.zsh) {
      spec.commandLine()
          .getOut()
          .print(
              "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n");
    }
    spec.commandLine().getOut().print(script);
    return ExitCode.OK;
  }
}
