package io.gatun.kernel.cuda;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import io.gatun.kernel.Devices;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;

/**
 * The networks that are tested on the processor, on the libraries that stand in for NVIDIA's: the
 * same tests in a process in which those are the best device there is. Afterwards nothing is alive
 * in the libraries but what the shared device holds.
 */
@Timeout(600)
class NetworksOnTheStandInTest {
  private static final List<String> SUITES =
      List.of(
          "io.gatun.kernel.TrainingKernelsTest",
          "io.gatun.graph.GradientsTest",
          "io.gatun.graph.RecurrentGradientsTest",
          "io.gatun.conformance.KerasJsTest",
          "io.gatun.conformance.OnnxRecurrentTest",
          "io.gatun.conformance.KeywordSpotterTest",
          "io.gatun.layer.ConventionsTest",
          "io.gatun.sequence.IndependenceTest",
          "io.gatun.batch.TranslatorTest");

  /**
   * What a GPU does not do: it reads no input where it lies on the host, and does not train layer
   * normalisation within a recurrent layer.
   */
  private static final List<String> NOT_THERE =
      List.of(
          "parametersChangeBetweenRunsWithoutPlanningAgain",
          "ofPeepholesProjectionsCoupledGatesAndLayerNormalisation");

  /** Runs suites and says what failed, and what is left in the libraries. */
  static final class Suites {
    private Suites() {}

    @SuppressWarnings("SystemOut")
    public static void main(String[] names) {
      StandIn standIn = StandIn.in(Path.of(System.getProperty(LibrarySearch.PROPERTY)));
      System.out.println("best " + Devices.best().name());
      var before = CudaFixture.alive(standIn);
      SummaryGeneratingListener listener = new SummaryGeneratingListener();
      LauncherFactory.create()
          .execute(
              LauncherDiscoveryRequestBuilder.request()
                  .selectors(Arrays.stream(names).map(name -> selectClass(name)).toList())
                  .filters(
                      (PostDiscoveryFilter)
                          test ->
                              FilterResult.includedIf(
                                  NOT_THERE.stream()
                                      .noneMatch(test.getUniqueId().toString()::contains)))
                  .build(),
              listener);
      PrintWriter out = new PrintWriter(System.out, true, UTF_8);
      var summary = listener.getSummary();
      summary.printFailuresTo(out, 8);
      out.println(
          "ran " + summary.getTestsFoundCount() + ", failed " + summary.getTotalFailureCount());
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
    command.addAll(SUITES);
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String printed = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertEquals(0, process.waitFor(), printed);
    assertTrue(printed.contains("best cuda:0"), printed);
    assertTrue(printed.contains(", failed 0"), printed);
    assertTrue(printed.contains("faults 0"), printed);
    assertTrue(printed.contains("nothing is left"), printed);
  }
}
