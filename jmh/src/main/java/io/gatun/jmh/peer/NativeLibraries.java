package io.gatun.jmh.peer;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;

/**
 * Native libraries that lie in a jar on the class path, unpacked once to a temporary folder and
 * called through the foreign-function interface. The jars are there in the build with the profile
 * {@code benchmarks} only.
 */
@SuppressWarnings("restricted") // calling native code is what this is for
final class NativeLibraries {
  private final SymbolLookup symbols;

  private NativeLibraries(SymbolLookup symbols) {
    this.symbols = symbols;
  }

  /**
   * Unpacks and opens.
   *
   * @param folder the folder inside the jar
   * @param files the libraries; the last one is the one whose functions are wanted
   * @throws UnsupportedOperationException if the jar is not on the class path
   */
  static NativeLibraries open(String folder, List<String> files) {
    Path target = Path.of(System.getProperty("java.io.tmpdir"), "gatun-peers").resolve(folder);
    Path last = null;
    for (String file : files) {
      last = target.resolve(file);
      unpack(folder + "/" + file, last);
    }
    return new NativeLibraries(SymbolLookup.libraryLookup(last, Arena.global()));
  }

  private static void unpack(String resource, Path target) {
    try {
      var connection = NativeLibraries.class.getResource("/" + resource);
      if (connection == null) {
        throw new UnsupportedOperationException(
            resource + " is not on the class path: build with -Pbenchmarks");
      }
      long size = connection.openConnection().getContentLengthLong();
      if (Files.exists(target) && Files.size(target) == size) {
        return;
      }
      Files.createDirectories(target.getParent());
      Path part = Files.createTempFile(target.getParent(), "part", null);
      try (InputStream in = connection.openStream()) {
        Files.copy(in, part, StandardCopyOption.REPLACE_EXISTING);
      }
      Files.move(part, target, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new UncheckedIOException(resource, e);
    }
  }

  /** A function; its arguments and result as the descriptor says. */
  MethodHandle function(String name, FunctionDescriptor descriptor) {
    MemorySegment address =
        symbols
            .find(name)
            .orElseThrow(() -> new UnsupportedOperationException(name + " is not in the library"));
    return Linker.nativeLinker().downcallHandle(address, descriptor);
  }
}
