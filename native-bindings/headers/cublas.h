/* cuBLAS, libcublas 12 and 13: matrix products. Matrices are column-major. */
#ifndef GATUN_CUBLAS_H
#define GATUN_CUBLAS_H

#include "gatun.h"

GATUN_TYPE(int, cublasStatus_t);
GATUN_TYPE(int, cublasOperation_t);
GATUN_TYPE(int, cublasComputeType_t);
GATUN_TYPE(int, cublasGemmAlgo_t);
GATUN_TYPE(int, cudaDataType);
GATUN_TYPE(void *, cublasHandle_t);
#ifndef GATUN_CUDART_H
GATUN_TYPE(void *, cudaStream_t);
#endif

GATUN_CONSTANT(CUBLAS_OP_N, 0);
GATUN_CONSTANT(CUBLAS_OP_T, 1);
GATUN_CONSTANT(CUBLAS_COMPUTE_32F, 68);
GATUN_CONSTANT(CUBLAS_COMPUTE_32F_FAST_16F, 74);
GATUN_CONSTANT(CUBLAS_COMPUTE_32F_FAST_16BF, 75);
GATUN_CONSTANT(CUBLAS_COMPUTE_32F_FAST_TF32, 77);
GATUN_CONSTANT(CUBLAS_GEMM_DEFAULT, -1);
GATUN_CONSTANT(CUDA_R_32F, 0);

const char *cublasGetStatusName(cublasStatus_t status);
const char *cublasGetStatusString(cublasStatus_t status);
cublasStatus_t cublasCreate_v2(cublasHandle_t *handle);
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle);
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream);
cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transposeA, cublasOperation_t transposeB, int m,
                            int n, int k, const void *alpha, const void *a, cudaDataType typeA, int lda, const void *b,
                            cudaDataType typeB, int ldb, const void *beta, void *c, cudaDataType typeC, int ldc,
                            cublasComputeType_t compute, cublasGemmAlgo_t algorithm);
cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transposeA,
                                          cublasOperation_t transposeB, int m, int n, int k, const void *alpha,
                                          const void *a, cudaDataType typeA, int lda, long long strideA, const void *b,
                                          cudaDataType typeB, int ldb, long long strideB, const void *beta, void *c,
                                          cudaDataType typeC, int ldc, long long strideC, int count,
                                          cublasComputeType_t compute, cublasGemmAlgo_t algorithm);
cublasStatus_t cublasGemmBatchedEx(cublasHandle_t handle, cublasOperation_t transposeA, cublasOperation_t transposeB,
                                   int m, int n, int k, const void *alpha, const void *const a[], cudaDataType typeA,
                                   int lda, const void *const b[], cudaDataType typeB, int ldb, const void *beta,
                                   void *const c[], cudaDataType typeC, int ldc, int count,
                                   cublasComputeType_t compute, cublasGemmAlgo_t algorithm);

#endif
