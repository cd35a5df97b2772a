package io.gatun.kernel;

/**
 * A table whose rows a recurrent layer takes as its input, told by their numbers ({@link
 * RecurrentCall#tokens}): an embedding in front of the layer. Since there are only so many inputs,
 * each one's product with the layer's weights need be formed once only, not at every step; and
 * sequences that begin with the same tokens are the same until they part. Neither changes a bit of
 * what comes out.
 *
 * <p>It belongs to the layer it was packed for, and must be closed before it. Shared by threads;
 * whoever packed it closes it.
 */
public interface PackedEmbedding extends AutoCloseable {

  /** How many rows the table has. */
  long rows();

  /** The memory it takes beside the table. */
  long bytes();

  @Override
  void close();
}
