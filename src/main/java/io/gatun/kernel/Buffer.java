package io.gatun.kernel;

/**
 * Memory of a {@link Device}: a native segment on the CPU, device memory on a GPU.
 *
 * <p>Nobody but the kernels of its device reads or writes a byte of it; everybody else moves
 * numbers with {@link Kernels#upload}, {@link Kernels#download} and the copy operations. Whoever
 * allocates a buffer closes it; a buffer that {@linkplain Device#wrap wraps} somebody's memory does
 * not free that memory when it is closed.
 */
public abstract class Buffer implements AutoCloseable {

  /** For the devices' own subclasses. */
  protected Buffer() {}

  /** The size in bytes. */
  public abstract long bytes();

  /** Gives the memory back. Closing twice does nothing. */
  @Override
  public abstract void close();
}
