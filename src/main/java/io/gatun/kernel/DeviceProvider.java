package io.gatun.kernel;

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
}
