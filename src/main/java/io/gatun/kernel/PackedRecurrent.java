package io.gatun.kernel;

/**
 * The weights of one direction of one recurrent layer in the form the kernels of one device want.
 * Shared by threads; whoever packed it closes it.
 */
public interface PackedRecurrent extends AutoCloseable {

  /** What kind of layer it is. */
  RecurrentSpec spec();

  /** The memory it takes. */
  long bytes();

  @Override
  void close();
}
