package io.gatun.kernel.cuda;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import io.gatun.kernel.Devices;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;

/**
 * Runs the tests of networks that the processor is tested with on the best device there is, which
 * is a GPU's: in a process of its own, on a GPU by {@code jmh/gpu-check}, and on the libraries that
 * stand in for NVIDIA's by {@link NetworksOnTheStandInTest}.
 */
final class GpuSuites {
  /** Networks that are computed and trained. */
  static final List<String> NETWORKS =
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

  /** A training from its configuration to its folder. */
  static final String TRAINING = "io.gatun.training.TrainerTest";

  /**
   * What a GPU does not do: it reads no input where it lies on the host, and does not train layer
   * normalisation within a recurrent layer.
   */
  private static final List<String> NOT_THERE =
      List.of(
          "parametersChangeBetweenRunsWithoutPlanningAgain",
          "ofPeepholesProjectionsCoupledGatesAndLayerNormalisation");

  private GpuSuites() {}

  private static DiscoverySelector selector(String name) {
    return name.contains("#") ? selectMethod(name) : selectClass(name);
  }

  /** Runs the suites named, or the kernels' contract and all networks. */
  @SuppressWarnings("SystemOut")
  public static void main(String[] names) {
    List<String> suites = new ArrayList<>(List.of(names));
    if (suites.isEmpty()) {
      suites.add(CudaHardwareTest.class.getName());
      suites.addAll(NETWORKS);
      suites.add(TRAINING);
    }
    System.exit(run(new PrintWriter(System.out, true, UTF_8), suites) ? 0 : 1);
  }

  /**
   * Runs suites, classes or {@code class#method}, and prints what failed; whether nothing did, and
   * the device is a GPU's.
   */
  static boolean run(PrintWriter out, List<String> suites) {
    String best = Devices.best().name();
    SummaryGeneratingListener listener = new SummaryGeneratingListener();
    LauncherFactory.create()
        .execute(
            LauncherDiscoveryRequestBuilder.request()
                .selectors(suites.stream().map(GpuSuites::selector).toList())
                .filters(
                    (PostDiscoveryFilter)
                        test ->
                            FilterResult.includedIf(
                                NOT_THERE.stream()
                                    .noneMatch(test.getUniqueId().toString()::contains)))
                .build(),
            listener);
    var summary = listener.getSummary();
    summary.printFailuresTo(out, 8);
    out.println(
        "best "
            + best
            + ", ran "
            + summary.getTestsFoundCount()
            + " tests, skipped "
            + summary.getTestsAbortedCount()
            + ", failed "
            + summary.getTotalFailureCount());
    return summary.getTotalFailureCount() == 0 && best.startsWith(CudaProvider.NAME);
  }
}
