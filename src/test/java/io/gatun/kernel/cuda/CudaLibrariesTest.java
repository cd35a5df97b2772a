package io.gatun.kernel.cuda;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gatun.bindings.Cublas;
import io.gatun.bindings.Cudart;
import io.gatun.kernel.Devices;
import java.io.File;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a machine says of its GPU: with nothing of NVIDIA's, with libraries and no device, with a
 * library that is too old, and with all there. Each in a process of its own, since libraries are
 * loaded once.
 */
@Timeout(300)
class CudaLibrariesTest {
  /** Prints what {@code gatun devices} would, and what is taken by itself. */
  static final class Probe {
    private Probe() {}

    @SuppressWarnings("SystemOut")
    public static void main(String[] arguments) {
      for (Devices.Entry entry : Devices.list()) {
        System.out.println(entry.name() + " | " + entry.description() + " | " + entry.reason());
        entry.details().forEach(line -> System.out.println("  " + line));
      }
      System.out.println("best " + Devices.best().name());
      if (arguments.length > 0) {
        calls();
      }
    }

    /** Calls of NVIDIA's own libraries that need no device. */
    @SuppressWarnings("SystemOut")
    private static void calls() {
      try (Arena arena = Arena.ofConfined()) {
        MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
        System.out.println("runtime " + Cudart.cudaRuntimeGetVersion(out));
        System.out.println("version " + out.get(ValueLayout.JAVA_INT, 0));
        int count = Cudart.cudaGetDeviceCount(out);
        System.out.println("count " + count + " " + Calls.text(Cudart.cudaGetErrorName(count)));
        try {
          Calls.cuda("cudaGetDeviceCount", count);
        } catch (CudaException e) {
          System.out.println("message " + e.getMessage());
        }
        int handle = Cublas.cublasCreate_v2(out);
        System.out.println(
            "handle " + handle + " " + Calls.text(Cublas.cublasGetStatusName(handle)));
      }
    }
  }

  private static String probe(String path, String... arguments) throws Exception {
    return probe(path, CudaFixture.classPath(), List.of(), arguments);
  }

  private static String probe(
      String path, String classPath, List<String> flags, String... arguments) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-XX:TieredStopAtLevel=1"));
    if (path != null) {
      command.add("-D" + LibrarySearch.PROPERTY + "=" + path);
    }
    command.addAll(flags);
    command.addAll(List.of("-cp", classPath, Probe.class.getName()));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.environment().remove("CUDA_HOME");
    builder.environment().remove("CUDA_PATH");
    Process process = builder.start();
    String printed = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertEquals(0, process.waitFor(), printed);
    return printed;
  }

  private static boolean driver() {
    return Files.exists(Path.of("/dev/nvidiactl")) || Files.exists(Path.of("/dev/dxg"));
  }

  @Test
  void whereThereIsNothingThatIsSaidAndTheProcessorComputes() throws Exception {
    assumeTrue(!driver(), "skipped: this machine has a GPU");
    String said = probe(null);
    assertTrue(said.contains("cuda | null | "), said);
    assertTrue(said.contains("no NVIDIA driver"), said);
    assertTrue(said.contains("looked in -Dgatun.cuda.path (not set), CUDA_HOME (not set)"), said);
    assertFalse(said.contains("not cuda"), said);
    assertTrue(said.contains("best scalar"), said);
  }

  @Test
  void theStandInIsTakenByItselfWhereItsFolderIsGiven() throws Exception {
    String said = probe(StandIn.ready().folder().toString());
    assertTrue(said.contains("best cuda:0"), said);
    assertTrue(said.contains("driver for CUDA "), said);
    assertTrue(said.contains("cuDNN "), said);
  }

  @Test
  void aLibraryThatIsTooOldIsNamedWithWhatItLacks(@TempDir Path folder) throws Exception {
    Path standIn = StandIn.ready().folder();
    for (String library : List.of("libcuda.so.1", "libcublas.so.12")) {
      Files.createSymbolicLink(folder.resolve(library), standIn.resolve(library).toRealPath());
    }
    // Any library at all that loads and has none of the functions.
    Path source = Files.writeString(folder.resolve("empty.c"), "int nothing;\n");
    Path old = folder.resolve("libcudart.so.12");
    int code =
        new ProcessBuilder("gcc", "-shared", "-o", old.toString(), source.toString())
            .inheritIO()
            .start()
            .waitFor();
    assertEquals(0, code);
    String said = probe(folder.toString());
    assertTrue(said.contains(old + " is too old: it has no cudaGetErrorName, "), said);
    assumeTrue(!driver(), "skipped: another runtime may be found on a machine with a GPU");
    assertTrue(said.contains("best scalar"), said);
    assertTrue(said.contains("not cuda: "), said);
  }

  @Test
  void theRedistributablesOfBytedecoAreUnpackedOnceAndOnlyToAFolderOfOnesOwn(@TempDir Path folder)
      throws Exception {
    assumeTrue(!driver(), "skipped: other libraries may be found on a machine with a GPU");
    Path standIn = StandIn.ready().folder();
    Path driver = Files.createDirectory(folder.resolve("driver"));
    Files.createSymbolicLink(
        driver.resolve("libcuda.so.1"), standIn.resolve("libcuda.so.1").toRealPath());
    Path temporary = Files.createDirectory(folder.resolve("tmp"));
    String platform = System.getProperty("os.arch").equals("aarch64") ? "arm64" : "x86_64";
    Path jar = folder.resolve("cuda-redist.jar");
    List<String> names = List.of("libcudart.so.12", "libcublas.so.12", "libcudnn.so.9");
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(jar))) {
      for (String name : names) {
        zip.putNextEntry(new ZipEntry("org/bytedeco/cuda/linux-" + platform + "/" + name));
        Files.copy(standIn.resolve(name), zip);
      }
    }
    String classPath = CudaFixture.classPath() + File.pathSeparator + jar;
    List<String> flags = List.of("-Djava.io.tmpdir=" + temporary);
    String said = probe(driver.toString(), classPath, flags);
    Path unpacked =
        temporary.resolve("gatun-cuda-" + System.getProperty("user.name")).toAbsolutePath();
    assumeTrue(
        !said.contains(": /usr/"), "skipped: this machine has libraries of its own: " + said);
    for (String name : names) {
      assertTrue(said.contains(": " + unpacked.resolve(name) + "\n"), said);
      assertEquals(-1, Files.mismatch(standIn.resolve(name), unpacked.resolve(name)), name);
    }
    try (Stream<Path> files = Files.list(unpacked)) {
      assertEquals(names.size(), files.count(), "nothing else is left there");
    }

    FileTime before = FileTime.fromMillis(0);
    Files.setLastModifiedTime(unpacked.resolve(names.get(0)), before);
    Files.write(unpacked.resolve(names.get(1)), new byte[100]);
    said = probe(driver.toString(), classPath, flags);
    assertEquals(before, Files.getLastModifiedTime(unpacked.resolve(names.get(0))));
    assertEquals(-1, Files.mismatch(standIn.resolve(names.get(1)), unpacked.resolve(names.get(1))));
    assertTrue(said.contains("cuBLAS: " + unpacked.resolve(names.get(1))), said);

    Files.setPosixFilePermissions(unpacked, PosixFilePermissions.fromString("rwxrwxrwx"));
    said = probe(driver.toString(), classPath, flags);
    assertTrue(
        said.contains(
            "cannot be unpacked to "
                + unpacked
                + ": it is not a folder that only this user can write into"),
        said);
    assertTrue(said.contains("best scalar"), said);
  }

  @Test
  void nvidiasOwnLibrariesLoadAndSayThatThereIsNoDevice() throws Exception {
    assumeTrue(!driver(), "skipped: this machine has a GPU");
    String folders = System.getProperty("gatun.test.cuda", "/usr/lib/x86_64-linux-gnu");
    for (String library : List.of("libcudart.so.12", "libcublas.so.12")) {
      assumeTrue(
          Stream.of(folders.split(File.pathSeparator))
              .anyMatch(folder -> Files.exists(Path.of(folder, library))),
          () -> "skipped: no " + library + " in " + folders + "; Debian's package has it");
    }
    String said = probe(folders, "calls");
    assertTrue(said.contains("no libcuda.so.1 (the driver; install NVIDIA's)"), said);
    assertTrue(said.contains("runtime 12."), said);
    assertTrue(said.contains("version 120"), said);
    assertTrue(
        said.contains("count 35 cudaErrorInsufficientDriver")
            || said.contains("count 100 cudaErrorNoDevice"),
        said);
    assertTrue(said.contains("message cudaGetDeviceCount failed with "), said);
    assertTrue(said.contains("handle 1 CUBLAS_STATUS_NOT_INITIALIZED"), said);
    assertTrue(said.contains("best scalar"), said);
    assertTrue(said.contains("not cuda: no libcuda.so.1"), said);
  }
}
