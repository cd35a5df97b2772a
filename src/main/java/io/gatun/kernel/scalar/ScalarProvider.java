package io.gatun.kernel.scalar;

import io.gatun.kernel.Device;
import io.gatun.kernel.DeviceProvider;
import io.gatun.tensor.DType;
import java.util.Optional;

/** Provides the plain loops in float32: always there, taken when nothing better is. */
public final class ScalarProvider implements DeviceProvider {

  /** For {@link java.util.ServiceLoader}. */
  public ScalarProvider() {}

  @Override
  public String name() {
    return ScalarDevice.NAME;
  }

  @Override
  public int preference() {
    return 0;
  }

  @Override
  public Optional<String> unavailable() {
    return Optional.empty();
  }

  @Override
  public Device open() {
    return new ScalarDevice(DType.FLOAT32);
  }
}
