package io.gatun.kernel;

/**
 * The contract of {@link Kernels} as tests: every operation over awkward sizes against the
 * reference, and what must hold whatever the numbers. A device passes it by a test class that
 * extends this one.
 */
public abstract class KernelsContract
    implements MovingContract,
        ElementwiseContract,
        RowsContract,
        ProductContract,
        RecurrentContract,
        OptimiserContract {

  /** The device under test; it may be the same each time, and is not closed here. */
  protected abstract Device device();

  @Override
  public KernelBench bench(String test) {
    return new KernelBench(test, device());
  }
}
