package io.gatun.kernel;

/**
 * The right-hand side of a matrix product {@code [inner, columns]} and its bias, in the form the
 * kernels of one device want. Shared by threads; whoever packed it closes it.
 */
public interface PackedMatrix extends AutoCloseable {

  /** The number of terms of each sum. */
  int inner();

  /** The number of columns of the result. */
  int columns();

  /** The memory it takes. */
  long bytes();

  @Override
  void close();
}
