package io.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the command says of itself, and what it says when it is called wrongly. */
class CommandLineTest {
  private static final List<String> COMMANDS =
      List.of("translate", "score", "run", "convert", "inspect", "devices", "completion");

  @Test
  void helpNamesEveryCommandAndTheExitCodes() {
    Run run = Run.of("--help");
    assertEquals(ExitCode.OK, run.code());
    for (String command : COMMANDS) {
      assertTrue(run.out().contains("\n  " + command + " "), command);
    }
    assertTrue(run.out().contains("Exit codes:"));
    assertTrue(run.out().contains("Examples:"));
    assertEquals("", run.err());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"translate", "score", "run", "convert", "inspect", "devices", "completion"})
  void everyCommandHasHelpWithExamplesThatFits(String command) {
    Run run = Run.of(command, "--help");
    assertEquals(ExitCode.OK, run.code());
    assertTrue(run.out().contains("Examples:\n"));
    assertTrue(run.out().contains("gatun " + command), "an example shows the command");
    assertTrue(run.out().lines().allMatch(line -> line.length() <= 100), run.out());
    assertFalse(run.out().contains("${"), "a variable was left as it is");
  }

  @Test
  void versionNamesTheProgramAndTheJava() {
    Run run = Run.of("--version");
    assertEquals(ExitCode.OK, run.code());
    assertTrue(run.out().startsWith("gatun "));
    assertTrue(run.out().contains("Java " + Runtime.version()));
  }

  @Test
  void noCommandIsAUsageError() {
    Run run = Run.of();
    assertEquals(ExitCode.USAGE, run.code());
    assertEquals("", run.out());
    assertEquals("gatun: a command is missing\nTry 'gatun --help' for more.\n", run.err());
  }

  @Test
  void aMisspeltCommandOrOptionIsAUsageErrorThatSuggests() {
    Run run = Run.of("translat", "model");
    assertEquals(ExitCode.USAGE, run.code());
    assertTrue(run.err().startsWith("gatun: Unmatched arguments"), run.err());
    assertTrue(run.err().contains("translate"), run.err());

    run = Run.of("translate", "model", "--n-bst", "3");
    assertEquals(ExitCode.USAGE, run.code());
    assertTrue(run.err().startsWith("gatun translate: Unknown option"), run.err());
    assertTrue(run.err().contains("--n-best"), run.err());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "translate m --beam x",
        "translate m --threads 0",
        "translate m --threads 10000000",
        "translate m --batch-tokens 0",
        "translate m --temperature 2",
        "translate m --top-k 2",
        "translate m --top-p 0.5",
        "translate m --seed 2",
        "translate m a --input b",
        "translate",
        "score m a --input b",
        "score m --threads -1",
        "score m --targets -",
        "inspect m --unroll 0",
        "inspect m --unroll 2 --json",
        "completion fish",
        "devices extra"
      })
  void aWrongCommandLineIsToldBeforeAnythingIsOpened(String line) {
    Run run = Run.of(line.split(" "));
    assertEquals(ExitCode.USAGE, run.code(), run.err());
    assertEquals("", run.out());
    assertTrue(run.err().startsWith("gatun " + line.split(" ")[0] + ": "), run.err());
    assertTrue(run.err().lines().count() <= 2, run.err());
  }

  @Test
  void aModelThatIsNotThereIsOneLine() {
    Run run = Run.of("translate", "no/such/model");
    assertEquals(ExitCode.FAILURE, run.code());
    assertEquals("gatun: no such model: no/such/model, expected a folder or a file\n", run.err());
    assertEquals("", run.out());
  }

  @Test
  void aFaultOfTheProgramSaysWhatToDo() {
    String message = Messages.of(new NullPointerException("x is null"));
    assertTrue(message.startsWith("unexpected java.lang.NullPointerException: x is null; "));
    assertTrue(message.contains("--stacktrace"));
    assertTrue(Messages.of(new OutOfMemoryError()).contains("-Xmx"));
  }

  @Test
  void devicesShowsWhatAutoTakes() {
    Run run = Run.of("devices");
    assertEquals(ExitCode.OK, run.code());
    assertEquals(1, run.out().lines().filter(line -> line.startsWith("* ")).count());
    assertTrue(run.out().contains("scalar"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"bash", "zsh"})
  void completionKnowsCommandsAndOptions(String shell) {
    Run run = Run.of("completion", shell);
    assertEquals(ExitCode.OK, run.code());
    for (String word : COMMANDS) {
      assertTrue(run.out().contains(word), word);
    }
    assertTrue(run.out().contains("--n-best"));
    assertEquals(shell.equals("zsh"), run.out().startsWith("autoload"));
  }
}
