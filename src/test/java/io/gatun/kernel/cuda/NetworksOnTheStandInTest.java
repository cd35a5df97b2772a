package io.gatun.kernel.cuda;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.kernel.Devices;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The networks that are tested on the processor, on the libraries that stand in for NVIDIA's: the
 * same tests in a process in which those are the best device there is. Afterwards nothing is alive
 * in the libraries but what the shared device holds.
 */
@Timeout(600)
class NetworksOnTheStandInTest {
  /** Layers and their gradients are cuDNN's where it has them. */
  private static final List<String> WHOLE_LAYERS =
      List.of("cudnnRNNForward", "cudnnRNNBackwardData_v8", "cudnnRNNBackwardWeights_v8");

  /** Runs suites and says what failed, and what is left in the libraries. */
  static final class Suites {
    private Suites() {}

    @SuppressWarnings("SystemOut")
    public static void main(String[] names) {
      StandIn standIn = StandIn.in(Path.of(System.getProperty(LibrarySearch.PROPERTY)));
      Devices.best();
      var before = CudaFixture.alive(standIn);
      PrintWriter out = new PrintWriter(System.out, true, UTF_8);
      GpuSuites.run(out, List.of(names));
      for (String function : WHOLE_LAYERS) {
        out.println(standIn.calls(function) > 0 ? "called " + function : "nobody called");
      }
      out.println("faults " + standIn.faults() + (standIn.faults() == 0 ? "" : standIn.fault()));
      var after = CudaFixture.alive(standIn);
      // The kernels were loaded when they were first used, and stay.
      before.put("module", after.get("module"));
      out.println(after.equals(before) ? "nothing is left" : "left " + after + ", was " + before);
    }
  }

  @Test
  void theNetworksOfTheProcessorRunOnIt() throws Exception {
    StandIn standIn = StandIn.ready();
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "--add-modules",
            "jdk.incubator.vector",
            "--enable-native-access=ALL-UNNAMED",
            "-XX:+UseSerialGC",
            "-D" + LibrarySearch.PROPERTY + "=" + standIn.folder(),
            "-cp",
            CudaFixture.classPath(),
            Suites.class.getName()));
    command.addAll(GpuSuites.NETWORKS);
    command.add(GpuSuites.TRAINING + "#aResumedTrainingHasTheBitsOfOneThatWasNeverStopped");
    command.add(GpuSuites.TRAINING + "#averagedWeightsAreTheMeanOfThoseAfterEachStep");
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String printed = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertEquals(0, process.waitFor(), printed);
    assertTrue(printed.contains("best cuda:0"), printed);
    assertTrue(printed.contains(", failed 0"), printed);
    for (String function : WHOLE_LAYERS) {
      assertTrue(printed.contains("called " + function), printed);
    }
    assertTrue(printed.contains("faults 0"), printed);
    assertTrue(printed.contains("nothing is left"), printed);
  }
}
