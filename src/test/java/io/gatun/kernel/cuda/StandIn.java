package io.gatun.kernel.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * The libraries that stand in for NVIDIA's, built once for a JVM from {@code src/test/c}, and what
 * tests ask of them. Where there is no C compiler the test is skipped and says so.
 */
@SuppressWarnings("restricted")
final class StandIn {
  private static StandIn built;

  private final Path folder;
  private final SymbolLookup symbols;

  private StandIn(Path folder) {
    this.folder = folder;
    symbols = SymbolLookup.libraryLookup(folder.resolve("libcudart.so.12"), Arena.global());
  }

  /** Libraries that somebody else built. */
  static StandIn in(Path folder) {
    return new StandIn(folder);
  }

  /** The libraries, built if they are not yet, with nothing set to fail. */
  static synchronized StandIn ready() {
    if (built == null) {
      assumeTrue(
          System.getProperty("os.name").equals("Linux") && compiles(),
          "the stand-in for a GPU is built by gcc on Linux, which is not there");
      built = new StandIn(build());
    }
    built.reset();
    return built;
  }

  private static boolean compiles() {
    try {
      return new ProcessBuilder("gcc", "--version")
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start()
              .waitFor()
          == 0;
    } catch (IOException missing) {
      return false;
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** Into a folder of the sources' sum, so that what has not changed is not built again. */
  private static Path build() {
    try {
      Path folder = Path.of("target", "standin", sum());
      if (Files.exists(folder.resolve("libcudart.so.12"))) {
        return folder.toAbsolutePath();
      }
      Files.createDirectories(folder.getParent());
      Path making = Files.createTempDirectory(folder.getParent(), "making");
      Process process =
          new ProcessBuilder("sh", "test/c/build", making.toString())
              .redirectErrorStream(true)
              .start();
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!process.waitFor(5, TimeUnit.MINUTES) || process.exitValue() != 0) {
        throw new IllegalStateException("test/c/build: " + said);
      }
      try {
        Files.move(making, folder, StandardCopyOption.ATOMIC_MOVE);
        return folder.toAbsolutePath();
      } catch (IOException another) {
        // Another process was faster, or the folder is half there: what was made here is whole.
        return making.toAbsolutePath();
      }
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(interrupted);
    }
  }

  private static String sum() throws IOException {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (String folder :
          new String[] {"test/c", "../native-bindings/headers", "../native-bindings/kernels"}) {
        try (Stream<Path> files = Files.list(Path.of(folder))) {
          for (Path file : files.sorted().toList()) {
            digest.update(Files.readAllBytes(file));
          }
        }
      }
      return HexFormat.of().formatHex(digest.digest(), 0, 8);
    } catch (NoSuchAlgorithmException missing) {
      throw new IllegalStateException(missing);
    }
  }

  /** Where the four libraries lie. */
  Path folder() {
    return folder;
  }

  /** A function of any of the libraries. */
  MethodHandle function(String name, FunctionDescriptor descriptor) {
    MemorySegment address =
        symbols.find(name).orElseThrow(() -> new AssertionError("no function " + name));
    return Linker.nativeLinker().downcallHandle(address, descriptor);
  }

  /** Clears what was set to fail, and counts of calls and faults; not what is alive. */
  void reset() {
    call("gatun_reset", FunctionDescriptor.ofVoid());
  }

  /** Lets the calls-th call from now on of a function fail with a code, once. */
  void fail(String function, long calls, int code) {
    try (Arena arena = Arena.ofConfined()) {
      call(
          "gatun_fail",
          FunctionDescriptor.ofVoid(
              ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT),
          text(arena, function),
          calls,
          code);
    }
  }

  /** From now on every call fails, until {@link #reset}. */
  void lose(int code) {
    call("gatun_lose", FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT), code);
  }

  /** How much device memory there is in all. */
  void memory(long bytes) {
    call("gatun_memory", FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG), bytes);
  }

  /** How many devices there are. */
  void devices(int count) {
    call("gatun_device", FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT), count);
  }

  /** Whether the threads of a kernel's blocks come last to first. */
  void turned(boolean on) {
    call("gatun_turned", FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT), on ? 1 : 0);
  }

  /** How often a function was called since {@link #reset}. */
  long calls(String function) {
    try (Arena arena = Arena.ofConfined()) {
      return (long)
          call(
              "gatun_calls",
              FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.ADDRESS),
              text(arena, function));
    }
  }

  /** The name of the index-th function that was ever called; {@code null} behind the last. */
  String functionCalled(int index) {
    MemorySegment name =
        (MemorySegment)
            call(
                "gatun_function",
                FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_INT),
                index);
    return name.address() == 0 ? null : text(name);
  }

  /**
   * How many of a kind are alive: {@code device}, {@code host}, {@code stream}, {@code event},
   * {@code cublas}, {@code cudnn}, {@code module}, the descriptors; {@code device-bytes} and the
   * like; or {@code all}.
   */
  long live(String kind) {
    try (Arena arena = Arena.ofConfined()) {
      return (long)
          call(
              "gatun_live",
              FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.ADDRESS),
              text(arena, kind));
    }
  }

  /** Fails if anything was misused since {@link #reset}. */
  void checkNoFaults() {
    assertEquals(0L, faults(), () -> "the libraries were misused: " + fault());
  }

  /** How often something was misused since {@link #reset}. */
  long faults() {
    return (long) call("gatun_faults", FunctionDescriptor.of(ValueLayout.JAVA_LONG));
  }

  /** What was misused last. */
  String fault() {
    return text((MemorySegment) call("gatun_fault", FunctionDescriptor.of(ValueLayout.ADDRESS)));
  }

  /** Calls a function. */
  Object call(String name, FunctionDescriptor descriptor, Object... arguments) {
    try {
      return function(name, descriptor).invokeWithArguments(arguments);
    } catch (Throwable thrown) {
      throw new AssertionError(name, thrown);
    }
  }

  private static MemorySegment text(Arena arena, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    MemorySegment segment = arena.allocate(bytes.length + 1L, 1);
    MemorySegment.copy(MemorySegment.ofArray(bytes), 0, segment, 0, bytes.length);
    return segment;
  }

  private static String text(MemorySegment address) {
    MemorySegment memory = address.reinterpret(Long.MAX_VALUE);
    int length = 0;
    while (memory.get(ValueLayout.JAVA_BYTE, length) != 0) {
      length++;
    }
    byte[] bytes = new byte[length];
    MemorySegment.copy(memory, 0, MemorySegment.ofArray(bytes), 0, length);
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
