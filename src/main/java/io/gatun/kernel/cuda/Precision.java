package io.gatun.kernel.cuda;

import io.gatun.bindings.Cublas;
import io.gatun.bindings.Cudnn;
import java.util.Locale;

/**
 * In what precision the products of a device multiply. Numbers lie in memory, and sums are formed,
 * in float32 whatever it is; both factors are rounded to the precision's type first.
 */
public enum Precision {
  /** 24 bits: as the CPU computes. */
  FLOAT32(Cublas.CUBLAS_COMPUTE_32F, Cudnn.CUDNN_FMA_MATH),
  /** TensorFloat-32: 11 bits and the range of float32. */
  TF32(Cublas.CUBLAS_COMPUTE_32F_FAST_TF32, Cudnn.CUDNN_DEFAULT_MATH),
  /** IEEE binary16: 11 bits; beyond 65504 it is infinite. */
  FLOAT16(Cublas.CUBLAS_COMPUTE_32F_FAST_16F, Cudnn.CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION),
  /** bfloat16: 8 bits and the range of float32. cuDNN's layers compute in TF32 instead. */
  BFLOAT16(Cublas.CUBLAS_COMPUTE_32F_FAST_16BF, Cudnn.CUDNN_DEFAULT_MATH);

  final int cublasCompute;
  final int cudnnMath;

  Precision(int cublasCompute, int cudnnMath) {
    this.cublasCompute = cublasCompute;
    this.cudnnMath = cudnnMath;
  }

  /** What options call it: {@code tf32}. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The precision of a label, {@code null} for none of them. */
  static Precision of(String label) {
    for (Precision precision : values()) {
      if (precision.label().equals(label)) {
        return precision;
      }
    }
    return null;
  }
}
