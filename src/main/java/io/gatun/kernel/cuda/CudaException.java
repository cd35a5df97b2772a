package io.gatun.kernel.cuda;

/**
 * A call of CUDA, cuBLAS or cuDNN that failed. Calls of a GPU are asynchronous: the one that is
 * named may be the first to notice what an earlier one did.
 */
public class CudaException extends RuntimeException {
  private static final long serialVersionUID = 1;

  /** What failed. */
  private final String function;

  /** The code it gave. */
  private final int code;

  /** The code's name. */
  private final String codeName;

  CudaException(String function, int code, String codeName, String text) {
    super(function + " failed with " + code + ", " + codeName + ": " + text);
    this.function = function;
    this.code = code;
    this.codeName = codeName;
  }

  /** The function that failed: {@code cudaMalloc}. */
  public String function() {
    return function;
  }

  /** The code that it gave, an enumerator of its library. */
  public int code() {
    return code;
  }

  /** The code's name: {@code cudaErrorMemoryAllocation}. */
  public String codeName() {
    return codeName;
  }
}
