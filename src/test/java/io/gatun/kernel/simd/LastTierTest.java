package io.gatun.kernel.simd;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledForJreRange;

/**
 * In a process whose profiles are full of other vector code, and whose compile queue is treated as
 * backed up, every kernel that C1 gives up ("out of virtual registers") ends in the last tier of
 * the compiler, where it could be left in a lower one for ever because nobody asks C2; and none
 * makes objects in the end, which they all do below that tier. A small one may be in tier 3 to the
 * end of its own, since it is compiled as a part of its caller.
 */
@Timeout(300)
class LastTierTest {
  private static final Pattern COMPILED =
      Pattern.compile(
          "^ *\\d+ +\\d+ [ %sbn!]* +([1-4]) +io\\.gatun\\.kernel\\.simd\\.(\\w+::\\w+)"
              + "( @ \\d+)? \\(\\d+ bytes\\)(.*)$");

  private static final List<String> KERNELS =
      List.of("WideTiles", "NarrowTiles", "Gates", "RowPasses", "Activations");

  /** Not yet of JDK 21, which under this flag still makes objects in a few kernels. */
  @Test
  @EnabledForJreRange(minVersion = 25)
  void everyKernelEndsInTheLastTierAndMakesNoObjects() throws Exception {
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules",
                "jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+PrintCompilation",
                "-XX:Tier3DelayOn=0",
                "-cp",
                location(SimdProvider.class) + ":" + location(TierProbe.class),
                TierProbe.class.getName())
            .redirectErrorStream(true)
            .start();
    String printed = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertEquals(0, process.waitFor(), printed);
    assertTrue(printed.contains("done true"), printed);
    Map<String, String> last = new TreeMap<>();
    Set<String> givenUp = new HashSet<>();
    List<String> boxed = new ArrayList<>();
    for (String line : printed.lines().toList()) {
      if (line.startsWith("boxed ")) {
        boxed.add(line);
      }
      Matcher compiled = COMPILED.matcher(line);
      if (compiled.matches() && isKernel(compiled.group(2))) {
        String then = compiled.group(4).strip();
        if (then.startsWith("COMPILE SKIPPED")) {
          givenUp.add(compiled.group(2));
        }
        if (then.isEmpty() || then.startsWith("COMPILE SKIPPED")) {
          last.put(compiled.group(2), "tier " + compiled.group(1) + " " + then);
        }
      }
    }
    assertEquals(List.of(), boxed);
    assertTrue(last.size() > 8, last::toString);
    last.entrySet()
        .removeIf(
            kernel ->
                kernel.getValue().equals("tier 4 ")
                    || kernel.getValue().equals("tier 3 ") && !givenUp.contains(kernel.getKey()));
    assertEquals(Map.of(), last);
  }

  /** Whether a method computes with vectors, and does not only choose who does. */
  private static boolean isKernel(String method) {
    return KERNELS.contains(method.split("::")[0]) && !method.endsWith("::apply");
  }

  private static String location(Class<?> type) throws Exception {
    return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
  }
}
