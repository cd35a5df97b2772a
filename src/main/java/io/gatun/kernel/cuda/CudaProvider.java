package io.gatun.kernel.cuda;

import io.gatun.bindings.Cudart;
import io.gatun.kernel.Device;
import io.gatun.kernel.DeviceProvider;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Provides NVIDIA's GPUs where its driver and libraries are. Its devices are {@code cuda}, the
 * first GPU, {@code cuda:1} and so on, and with a {@link Precision} behind it {@code cuda:tf32} or
 * {@code cuda:1:bfloat16}.
 *
 * <p>A machine whose kernel has no driver of NVIDIA's is told by one look at a file; nothing is
 * loaded there. Where libraries are looked for otherwise: {@code docs/gpu.md}.
 */
public final class CudaProvider implements DeviceProvider {
  static final String NAME = "cuda";

  /** What the driver makes, natively, on embedded machines and under Windows' Linux. */
  private static final List<String> DRIVER_FILES =
      List.of("/dev/nvidiactl", "/dev/nvhost-ctrl", "/dev/dxg");

  /** For {@link java.util.ServiceLoader}. */
  public CudaProvider() {}

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public int preference() {
    return 20;
  }

  @Override
  public boolean provides(String name) {
    return name.equals(NAME) || name.startsWith(NAME + ":");
  }

  /** Whether it is worth a warning that the GPU is not used: there is one, or one was asked for. */
  @Override
  public boolean expected() {
    return System.getProperty(LibrarySearch.PROPERTY) != null
        || DRIVER_FILES.stream().anyMatch(file -> Files.exists(Path.of(file)));
  }

  @Override
  public Optional<String> unavailable() {
    if (!System.getProperty("os.name").equals("Linux")) {
      return Optional.of("GPUs are used on Linux only");
    }
    if (!expected()) {
      return Optional.of("this machine has no NVIDIA driver (no " + DRIVER_FILES.get(0) + ")");
    }
    return unusable();
  }

  /** Why the libraries, or the device, cannot be used. */
  private static Optional<String> unusable() {
    CudaLibraries libraries = CudaLibraries.get();
    if (libraries.missing().isPresent()) {
      return libraries.missing();
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment count = arena.allocate(ValueLayout.JAVA_INT);
      Calls.cuda("cudaGetDeviceCount", Cudart.cudaGetDeviceCount(count));
      return count.get(ValueLayout.JAVA_INT, 0) > 0
          ? Optional.empty()
          : Optional.of("CUDA finds no device");
    } catch (CudaException e) {
      return Optional.of(e.getMessage());
    }
  }

  @Override
  public List<String> details() {
    if (!System.getProperty("os.name").equals("Linux")) {
      return List.of();
    }
    return CudaLibraries.get().lines();
  }

  @Override
  public Device open() {
    return open(NAME);
  }

  @Override
  public Device shared() {
    CudaDevice device = (CudaDevice) open(NAME);
    device.keepOpen();
    return device;
  }

  /**
   * Opens a device by its name.
   *
   * @throws IllegalArgumentException if the name is none, with what it may be
   */
  @Override
  public Device open(String name) {
    int index = 0;
    Precision precision = Precision.FLOAT32;
    String[] parts = name.split(":", -1);
    for (int i = 1; i < parts.length; i++) {
      Precision named = Precision.of(parts[i]);
      if (named != null && i == parts.length - 1) {
        precision = named;
      } else if (i == 1 && parts[i].matches("[0-9]{1,4}")) {
        index = Integer.parseInt(parts[i]);
      } else {
        throw new IllegalArgumentException(
            "no device is called "
                + name
                + "; expected cuda, cuda:NUMBER, and behind it :float32, :tf32, :float16 or"
                + " :bfloat16");
      }
    }
    unavailable()
        .ifPresent(
            reason -> {
              throw new IllegalStateException("device " + name + ": " + reason);
            });
    CudaDevice device = new CudaDevice(index, precision, true);
    try {
      SelfCheck.check(device);
      return device;
    } catch (RuntimeException | Error e) {
      device.close();
      throw e;
    }
  }
}
