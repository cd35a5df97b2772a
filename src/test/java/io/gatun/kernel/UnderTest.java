package io.gatun.kernel;

/** The device that a part of the contract of {@link Kernels} is tested on. */
interface UnderTest {
  /** Opens the device beside the reference. */
  KernelBench bench(String test);

  /**
   * Whether the device computes in one way whatever the sizes, so that the same row, or sequence,
   * has the same bits in whatever batch, and in however many pieces, it comes.
   */
  default boolean keepsBits() {
    return true;
  }
}
