package io.gatun.kernel.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.core.JsonFactory;
import io.gatun.bindings.Libraries;
import java.io.File;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Devices on the libraries that stand in for NVIDIA's, which are loaded as others would be. What
 * they hold is counted, so that a test can say that all of it was given back.
 */
final class CudaFixture {
  private static final String[] KINDS = {
    "device",
    "host",
    "stream",
    "event",
    "cublas",
    "cudnn",
    "tensor-descriptor",
    "dropout-descriptor",
    "rnn-descriptor",
    "data-descriptor",
    "filter-descriptor",
    "convolution-descriptor",
    "module",
    "device-bytes",
    "host-bytes"
  };

  private static final CudaDevice[] SHARED = new CudaDevice[2];

  private CudaFixture() {}

  /** The libraries, with nothing set to fail; loaded, if these are the first that are. */
  static synchronized StandIn standIn() {
    StandIn standIn = StandIn.ready();
    String before = System.getProperty(LibrarySearch.PROPERTY);
    System.setProperty(LibrarySearch.PROPERTY, standIn.folder().toString());
    try {
      CudaLibraries libraries = CudaLibraries.get();
      assumeTrue(
          libraries.lines().stream().anyMatch(line -> line.contains(standIn.folder().toString())),
          () -> "skipped: other libraries are loaded: " + libraries.lines());
    } finally {
      // Others that ask for the best device must not get this one.
      if (before == null) {
        System.clearProperty(LibrarySearch.PROPERTY);
      } else {
        System.setProperty(LibrarySearch.PROPERTY, before);
      }
    }
    return standIn;
  }

  /** A device that lives as long as the tests, with whole layers by cuDNN or without. */
  static synchronized CudaDevice device(boolean cudnn) {
    standIn();
    int which = cudnn ? 1 : 0;
    if (SHARED[which] == null) {
      SHARED[which] = new CudaDevice(0, Precision.FLOAT32, cudnn);
      SHARED[which].kernels();
    }
    return SHARED[which];
  }

  /** The class path for a process that runs tests, also where the tests' own loader differs. */
  static String classPath() {
    Set<String> places = new LinkedHashSet<>();
    for (Class<?> type :
        List.of(CudaDevice.class, CudaFixture.class, Libraries.class, JsonFactory.class)) {
      try {
        var source = type.getProtectionDomain().getCodeSource().getLocation();
        places.add(Path.of(source.toURI()).toString());
      } catch (URISyntaxException e) {
        throw new AssertionError(e);
      }
    }
    places.add(System.getProperty("java.class.path"));
    return String.join(File.pathSeparator, places);
  }

  /** What is alive in the libraries. */
  static Map<String, Long> alive(StandIn standIn) {
    Map<String, Long> alive = new TreeMap<>();
    for (String kind : KINDS) {
      alive.put(kind, standIn.live(kind));
    }
    return alive;
  }

  /**
   * Fails if more, or less, is alive than before, or if something was misused; a test that was
   * skipped before it had the libraries has nothing to say.
   */
  static void check(StandIn standIn, Map<String, Long> before) {
    if (standIn == null) {
      return;
    }
    standIn.checkNoFaults();
    assertEquals(before, alive(standIn), "what is alive in the libraries");
  }
}
