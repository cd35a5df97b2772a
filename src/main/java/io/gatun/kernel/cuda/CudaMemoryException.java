package io.gatun.kernel.cuda;

/**
 * There is not as much memory on a device as was asked for. Nothing was allocated, and the device
 * can be used as before.
 */
public final class CudaMemoryException extends CudaException {
  private static final long serialVersionUID = 1;

  /** What was asked for. */
  private final long bytes;

  /** What there was. */
  private final long free;

  CudaMemoryException(
      String function, int code, String codeName, String where, long bytes, long free, long total) {
    super(
        function,
        code,
        codeName,
        where
            + ": "
            + bytes
            + " bytes were asked for, "
            + (free < 0 ? "how many are free is not known" : free + " of " + total + " are free")
            + "; use smaller batches, or close what is no longer needed");
    this.bytes = bytes;
    this.free = free;
  }

  /** How many bytes were asked for. */
  public long bytes() {
    return bytes;
  }

  /** How many bytes were free; −1 if the device did not say. */
  public long free() {
    return free;
  }
}
