package io.gatun.bindings;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Where the functions of each library are found. Whoever loads a library binds it here, once and
 * before the first of its functions is called: the handles are looked up when they are first used,
 * and stay. Thread-safe.
 */
public final class Libraries {
  private static final Map<String, SymbolLookup> BOUND = new ConcurrentHashMap<>();

  private Libraries() {}

  /**
   * Binds a library.
   *
   * @param library the name of its class here, such as {@code Cudart}
   * @throws IllegalStateException if it is bound already
   */
  public static void bind(String library, SymbolLookup functions) {
    if (BOUND.putIfAbsent(library, functions) != null) {
      throw new IllegalStateException(library + " is bound already");
    }
  }

  static MemorySegment find(String library, String name) {
    SymbolLookup functions = BOUND.get(library);
    if (functions == null) {
      throw new IllegalStateException(library + ": " + name + " is called before it was loaded");
    }
    return functions
        .find(name)
        .orElseThrow(() -> new UnsatisfiedLinkError(library + " has no function " + name));
  }
}
