package io.gatun.kernel.simd;

import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Ends the time of plain loops before the first test, so that tests of the vector kernels test
 * these. Found by JUnit through {@code META-INF/services}; {@link PlainLoopsTest} has the others.
 */
public final class VectorsFromTheStart implements BeforeAllCallback {
  /** For {@link java.util.ServiceLoader}. */
  public VectorsFromTheStart() {}

  @Override
  public void beforeAll(ExtensionContext context) {
    ColdStart.set(false);
  }
}
