package io.gatun.kernel;

import java.util.List;
import java.util.Optional;

/**
 * A way to compute that may or may not be there on this machine. Found through {@link
 * java.util.ServiceLoader}, so that this room need not know the rooms below it.
 */
public interface DeviceProvider {

  /** The name by which users ask for it, and the name of its devices: {@code simd}. */
  String name();

  /** Of the available providers the one with the highest preference is taken. */
  int preference();

  /**
   * Why it cannot be used here, with the way out where there is one (a flag to add, a library to
   * install); empty when it can.
   */
  Optional<String> unavailable();

  /**
   * Opens the device.
   *
   * @throws IllegalStateException with the reason, when it is {@linkplain #unavailable()
   *     unavailable}
   */
  Device open();

  /** Whether it opens devices of a name: its own, or one that begins like it ({@code cuda:1}). */
  default boolean provides(String name) {
    return name().equals(name);
  }

  /**
   * Opens the device of a name that it {@linkplain #provides provides}.
   *
   * @throws IllegalArgumentException if there is no such device
   * @throws IllegalStateException as {@link #open()}
   */
  default Device open(String name) {
    return open();
  }

  /**
   * Opens the device for everybody: it lives as long as the process, and closing it does nothing.
   *
   * @throws IllegalStateException as {@link #open()}
   */
  default Device shared() {
    return open();
  }

  /**
   * Whether people may expect it here, so that its absence is worth a warning when another device
   * is taken by itself. A GPU is expected where there is a driver for one.
   */
  default boolean expected() {
    return true;
  }

  /** More lines for people about what was found and where; may take its time. */
  default List<String> details() {
    return List.of();
  }
}
