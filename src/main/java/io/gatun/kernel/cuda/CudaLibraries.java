package io.gatun.kernel.cuda;

import io.gatun.bindings.Cublas;
import io.gatun.bindings.Cudart;
import io.gatun.bindings.Cudnn;
import io.gatun.bindings.Driver;
import io.gatun.bindings.Libraries;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * NVIDIA's libraries as this machine has them, loaded once: the driver, and of the major versions
 * that it can run the newest whose runtime and cuBLAS are both there. Without cuDNN the device
 * works, too.
 */
final class CudaLibraries {
  private static final int[] MAJORS = {13, 12};
  private static final int[] CUDNN_MAJORS = {9, 8};

  private final List<String> lines = new ArrayList<>();
  private final List<String> missing = new ArrayList<>();
  private boolean cudnn;

  private static final class Loaded {
    static final CudaLibraries LIBRARIES = new CudaLibraries();
  }

  private CudaLibraries() {
    LibrarySearch driver = new LibrarySearch();
    LibrarySearch.Found found = driver.find("libcuda.so.1", Driver.FUNCTIONS);
    int driverMajor = Integer.MAX_VALUE;
    if (found != null) {
      Libraries.bind("Driver", found.functions());
      int version = version("cuDriverGetVersion");
      driverMajor = version == 0 ? Integer.MAX_VALUE : version / 1000;
      lines.add("driver for CUDA " + release(version) + ": " + found.where());
    } else {
      lack("libcuda.so.1 (the driver; install NVIDIA's)");
    }
    lines.addAll(driver.problems());
    loadToolkit(driverMajor);
    loadCudnn();
    if (!missing.isEmpty() || !cudnn) {
      lines.add("looked in " + LibrarySearch.places());
    }
  }

  /** What there is; the first call looks for it. */
  static CudaLibraries get() {
    return Loaded.LIBRARIES;
  }

  /** What keeps the device from being used, if anything does. */
  Optional<String> missing() {
    return missing.isEmpty() ? Optional.empty() : Optional.of(String.join("; ", missing));
  }

  /** Whether cuDNN is there. */
  boolean cudnn() {
    return cudnn;
  }

  /** For people: each library, where it is or where it was looked for. */
  List<String> lines() {
    return lines;
  }

  private void loadToolkit(int driverMajor) {
    List<String> majors = new ArrayList<>();
    for (int major : MAJORS) {
      if (major <= driverMajor) {
        majors.add(String.valueOf(major));
      }
    }
    if (majors.isEmpty()) {
      missing.add(
          "the driver runs CUDA "
              + driverMajor
              + " at most, 12 is needed: install a newer driver of NVIDIA's");
      return;
    }
    LibrarySearch search = new LibrarySearch();
    LibrarySearch.Found runtime = null;
    LibrarySearch.Found products = null;
    for (String major : majors) {
      LibrarySearch.Found ofRuntime = search.find("libcudart.so." + major, Cudart.FUNCTIONS);
      LibrarySearch.Found ofProducts = search.find("libcublas.so." + major, Cublas.FUNCTIONS);
      boolean both = ofRuntime != null && ofProducts != null;
      if (both || (runtime == null && products == null)) {
        runtime = ofRuntime;
        products = ofProducts;
      }
      if (both) {
        break;
      }
    }
    String or = String.join(" or .", majors);
    if (runtime != null) {
      Libraries.bind("Cudart", runtime.functions());
      lines.add("runtime " + release(version("cudaRuntimeGetVersion")) + ": " + runtime.where());
    } else {
      lack("libcudart.so." + or);
    }
    if (products != null) {
      Libraries.bind("Cublas", products.functions());
      lines.add("cuBLAS: " + products.where());
    } else {
      lack("libcublas.so." + or);
    }
    lines.addAll(search.problems());
  }

  private void loadCudnn() {
    LibrarySearch search = new LibrarySearch();
    for (int major : CUDNN_MAJORS) {
      var found = search.find("libcudnn.so." + major, Cudnn.FUNCTIONS);
      if (found != null) {
        Libraries.bind("Cudnn", found.functions());
        cudnn = true;
        lines.add("cuDNN " + Cudnn.cudnnGetVersion() + ": " + found.where());
        break;
      }
    }
    if (!cudnn) {
      lines.add("no cuDNN (libcudnn.so.9 or .8): recurrent layers run through cuBLAS, slower");
    }
    lines.addAll(search.problems());
  }

  private void lack(String library) {
    missing.add("no " + library);
    lines.add("no " + library);
  }

  private static String release(int version) {
    return version / 1000 + "." + version % 1000 / 10;
  }

  /** The version that a library says it has; 0 if it does not say. */
  private static int version(String function) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment version = arena.allocate(ValueLayout.JAVA_INT);
      int code =
          function.equals("cuDriverGetVersion")
              ? Driver.cuDriverGetVersion(version)
              : Cudart.cudaRuntimeGetVersion(version);
      return code == 0 ? version.get(ValueLayout.JAVA_INT, 0) : 0;
    }
  }
}
