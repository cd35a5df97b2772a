package io.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gatun.Shared;
import io.gatun.house.Jdk21Signatures;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The command runs on JDK 21 although a later one compiles it. */
class CommandRunsOnJdk21Test {
  @Test
  void theCommandCallsNothingThatJdk21DoesNotHave() {
    var signatures = Jdk21Signatures.open();
    assumeTrue(
        signatures.isPresent(),
        "skipped: this Java has no lib/ct.sym and is not version 21 itself");
    Path project = Shared.project();
    try (Jdk21Signatures jdk21 = signatures.get()) {
      List<String> missing =
          jdk21.missing(
              project.resolve("cli/target/classes"), project.resolve("src/target/classes"));
      assertTrue(missing.isEmpty(), () -> String.join("\n", missing));
    }
  }
}
