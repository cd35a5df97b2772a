/* cuBLAS: products of column-major matrices. Sums are formed in float64 and rounded once. */
#include "cublas.h"
#include "standin.h"

#include <stdlib.h>
#include <string.h>

enum { INVALID_VALUE = 7, NOT_SUPPORTED = 15, LOST = 14, NOT_INITIALIZED = 1 };

typedef struct {
  Handle handle;
  void *stream;
} Blas;

#define BEGIN(name)                                                                                                    \
  standin_lock();                                                                                                      \
  int result = standin_enter(name, LOST)
#define END                                                                                                            \
  standin_unlock();                                                                                                    \
  return result
#define NEEDS_HANDLE(name)                                                                                             \
  if (result == 0 && !standin_alive(handle, LIVE_CUBLAS)) {                                                            \
    result = standin_fault(NOT_INITIALIZED, "%s: %p is not a handle that is alive", name, handle);      \
  }

static const struct {
  int code;
  const char *name, *text;
} errors[] = {
    {0, "CUBLAS_STATUS_SUCCESS", "success"},
    {1, "CUBLAS_STATUS_NOT_INITIALIZED", "the library was not initialized"},
    {3, "CUBLAS_STATUS_ALLOC_FAILED", "the resource allocation failed"},
    {7, "CUBLAS_STATUS_INVALID_VALUE", "an invalid value was given"},
    {13, "CUBLAS_STATUS_EXECUTION_FAILED", "the function failed to launch on the GPU"},
    {14, "CUBLAS_STATUS_INTERNAL_ERROR", "an internal operation failed"},
    {15, "CUBLAS_STATUS_NOT_SUPPORTED", "the functionality is not supported"},
};

EXPORT const char *cublasGetStatusName(cublasStatus_t status) {
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    if (errors[i].code == status) {
      return errors[i].name;
    }
  }
  return "unknown";
}

EXPORT const char *cublasGetStatusString(cublasStatus_t status) {
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    if (errors[i].code == status) {
      return errors[i].text;
    }
  }
  return "unknown";
}

EXPORT cublasStatus_t cublasCreate_v2(cublasHandle_t *handle) {
  BEGIN("cublasCreate_v2");
  if (result == 0 && !standin_bound()) {
    result = NOT_INITIALIZED;
  } else if (result == 0) {
    *handle = standin_create(LIVE_CUBLAS, sizeof(Blas));
  }
  END;
}

EXPORT cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  BEGIN("cublasDestroy_v2");
  if (!standin_alive(handle, LIVE_CUBLAS)) {
    result = standin_fault(NOT_INITIALIZED, "cublasDestroy_v2(%p): not a handle that is alive", handle);
  } else {
    standin_destroy(handle);
  }
  END;
}

EXPORT cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  BEGIN("cublasSetStream_v2");
  NEEDS_HANDLE("cublasSetStream_v2")
  if (result == 0 && !standin_stream(stream)) {
    result = standin_fault(INVALID_VALUE, "cublasSetStream_v2: %p is not a stream", stream);
  } else if (result == 0) {
    ((Blas *)handle)->stream = stream;
  }
  END;
}

/* One product, or many. */
typedef struct {
  int transposeA, transposeB, m, n, k;
  float alpha, beta;
  const float *a, *b;
  float *c;
  const float *const *as, *const *bs; /* in device memory, of a batch that lies anywhere */
  float *const *cs;
  int lda, ldb, ldc;
  long long strideA, strideB, strideC;
  int count, compute;
} Gemm;

/* A number as the tensor cores take it: fewer bits of precision. */
static float rounded(float value, int compute) {
  if (compute == CUBLAS_COMPUTE_32F_FAST_16F) {
    return (float)(_Float16)value;
  }
  const int dropped = compute == CUBLAS_COMPUTE_32F_FAST_TF32 ? 13 : compute == CUBLAS_COMPUTE_32F_FAST_16BF ? 16 : 0;
  if (dropped == 0 || value != value) {
    return value;
  }
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  const uint32_t half = (1u << (dropped - 1)) - 1 + (bits >> dropped & 1);
  bits = (bits + half) & ~((1u << dropped) - 1);
  memcpy(&value, &bits, sizeof bits);
  return value;
}

static void multiply(const Gemm *g, const float *a, const float *b, float *c, float *left, double *sums) {
  for (int j = 0; j < g->k; j++) {
    for (int i = 0; i < g->m; i++) {
      const float value = g->transposeA ? a[j + (size_t)i * g->lda] : a[i + (size_t)j * g->lda];
      left[(size_t)j * g->m + i] = rounded(value, g->compute);
    }
  }
  for (int column = 0; column < g->n; column++) {
    for (int i = 0; i < g->m; i++) {
      sums[i] = 0;
    }
    for (int j = 0; j < g->k; j++) {
      const float value = g->transposeB ? b[column + (size_t)j * g->ldb] : b[j + (size_t)column * g->ldb];
      const double factor = rounded(value, g->compute);
      const float *from = left + (size_t)j * g->m;
      for (int i = 0; i < g->m; i++) {
        sums[i] += factor * from[i];
      }
    }
    float *to = c + (size_t)column * g->ldc;
    for (int i = 0; i < g->m; i++) {
      /* With a beta of 0 what is there is not read: it may be NaN. */
      to[i] = (float)(g->alpha * sums[i] + (g->beta == 0 ? 0 : (double)g->beta * to[i]));
    }
  }
}

static size_t reach(int rows, int columns, int ld) {
  return rows == 0 || columns == 0 ? 0 : ((size_t)(columns - 1) * ld + rows) * sizeof(float);
}

static void gemmNow(void *arguments) {
  const Gemm *g = arguments;
  float *left = malloc(sizeof(float) * ((size_t)g->m * g->k + 1));
  double *sums = malloc(sizeof(double) * ((size_t)g->m + 1));
  for (int i = 0; i < g->count; i++) {
    if (g->as == NULL) {
      multiply(g, g->a + i * g->strideA, g->b + i * g->strideB, g->c + i * g->strideC, left, sums);
    } else if (standin_on_device(g->as[i], reach(g->transposeA ? g->k : g->m, g->transposeA ? g->m : g->k, g->lda)) &&
               standin_on_device(g->bs[i], reach(g->transposeB ? g->n : g->k, g->transposeB ? g->k : g->n, g->ldb)) &&
               standin_on_device(g->cs[i], reach(g->m, g->n, g->ldc))) {
      multiply(g, g->as[i], g->bs[i], g->cs[i], left, sums);
    } else {
      standin_fault(0, "cublasGemmBatchedEx: product %d reaches beyond its memory", i);
    }
  }
  free(left);
  free(sums);
}

static int atLeast(int a, int b) {
  return a > b ? a : b;
}

static int checked(const char *name, const Gemm *g, int types) {
  if (types != CUDA_R_32F) {
    return standin_fault(NOT_SUPPORTED, "%s: types other than float32", name);
  }
  if (g->m < 0 || g->n < 0 || g->k < 0 || g->count < 0 || g->lda < atLeast(1, g->transposeA ? g->k : g->m) ||
      g->ldb < atLeast(1, g->transposeB ? g->n : g->k) || g->ldc < atLeast(1, g->m)) {
    return standin_fault(INVALID_VALUE, "%s: m %d, n %d, k %d, lda %d, ldb %d, ldc %d, transposed %d %d, count %d", name, g->m,
                         g->n, g->k, g->lda, g->ldb, g->ldc, g->transposeA, g->transposeB, g->count);
  }
  if (g->compute != CUBLAS_COMPUTE_32F && g->compute != CUBLAS_COMPUTE_32F_FAST_16F &&
      g->compute != CUBLAS_COMPUTE_32F_FAST_16BF && g->compute != CUBLAS_COMPUTE_32F_FAST_TF32) {
    return standin_fault(NOT_SUPPORTED, "%s: compute type %d", name, g->compute);
  }
  return 0;
}

static bool inside(const float *matrix, int rows, int columns, int ld, long long stride, int count) {
  const size_t bytes = reach(rows, columns, ld);
  /* Strides may be 0 or negative: the first and the last are the outermost. */
  return bytes == 0 || count == 0 ||
         (standin_on_device(matrix, bytes) && standin_on_device(matrix + stride * (count - 1), bytes));
}

static int start(const char *name, const Gemm *g, void *handle, int types) {
  int result = checked(name, g, types);
  if (result == 0 && g->m > 0 && g->n > 0 && g->count > 0) {
    if (!inside(g->a, g->transposeA ? g->k : g->m, g->transposeA ? g->m : g->k, g->lda, g->strideA, g->count) ||
        !inside(g->b, g->transposeB ? g->n : g->k, g->transposeB ? g->k : g->n, g->ldb, g->strideB, g->count) ||
        !inside(g->c, g->m, g->n, g->ldc, g->strideC, g->count)) {
      return standin_fault(13, "%s: m %d, n %d, k %d, lda %d, ldb %d, ldc %d, count %d reaches beyond its memory", name, g->m,
                           g->n, g->k, g->lda, g->ldb, g->ldc, g->count);
    }
    result = standin_enqueue(((Blas *)handle)->stream, gemmNow, g, sizeof *g);
  }
  return result;
}

EXPORT cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transposeA, cublasOperation_t transposeB, int m,
                                   int n, int k, const void *alpha, const void *a, cudaDataType typeA, int lda,
                                   const void *b, cudaDataType typeB, int ldb, const void *beta, void *c,
                                   cudaDataType typeC, int ldc, cublasComputeType_t compute, cublasGemmAlgo_t algorithm) {
  BEGIN("cublasGemmEx");
  (void)algorithm;
  NEEDS_HANDLE("cublasGemmEx")
  if (result == 0) {
    const Gemm g = {transposeA, transposeB, m, n, k, *(const float *)alpha, *(const float *)beta, a, b, c, NULL, NULL, NULL, lda,
                    ldb, ldc, 0, 0, 0, 1, compute};
    result = start("cublasGemmEx", &g, handle, typeA | typeB | typeC);
  }
  END;
}

EXPORT cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transposeA,
                                                 cublasOperation_t transposeB, int m, int n, int k, const void *alpha,
                                                 const void *a, cudaDataType typeA, int lda, long long strideA,
                                                 const void *b, cudaDataType typeB, int ldb, long long strideB,
                                                 const void *beta, void *c, cudaDataType typeC, int ldc,
                                                 long long strideC, int count, cublasComputeType_t compute,
                                                 cublasGemmAlgo_t algorithm) {
  BEGIN("cublasGemmStridedBatchedEx");
  (void)algorithm;
  NEEDS_HANDLE("cublasGemmStridedBatchedEx")
  if (result == 0) {
    const Gemm g = {transposeA, transposeB, m, n, k, *(const float *)alpha, *(const float *)beta, a, b, c, NULL, NULL, NULL, lda,
                    ldb, ldc, strideA, strideB, strideC, count, compute};
    result = start("cublasGemmStridedBatchedEx", &g, handle, typeA | typeB | typeC);
  }
  END;
}

EXPORT cublasStatus_t cublasGemmBatchedEx(cublasHandle_t handle, cublasOperation_t transposeA,
                                          cublasOperation_t transposeB, int m, int n, int k, const void *alpha,
                                          const void *const a[], cudaDataType typeA, int lda, const void *const b[],
                                          cudaDataType typeB, int ldb, const void *beta, void *const c[],
                                          cudaDataType typeC, int ldc, int count, cublasComputeType_t compute,
                                          cublasGemmAlgo_t algorithm) {
  BEGIN("cublasGemmBatchedEx");
  (void)algorithm;
  NEEDS_HANDLE("cublasGemmBatchedEx")
  if (result == 0) {
    const Gemm g = {transposeA, transposeB, m, n, k, *(const float *)alpha, *(const float *)beta, NULL, NULL, NULL,
                    (const float *const *)a, (const float *const *)b, (float *const *)c, lda, ldb, ldc, 0, 0, 0, count, compute};
    const size_t bytes = (size_t)(count < 0 ? 0 : count) * sizeof(void *);
    result = checked("cublasGemmBatchedEx", &g, typeA | typeB | typeC);
    if (result == 0 && count > 0 &&
        !(standin_on_device(a, bytes) && standin_on_device(b, bytes) && standin_on_device(c, bytes))) {
      result = standin_fault(13, "cublasGemmBatchedEx: the arrays of %d addresses are not in device memory", count);
    } else if (result == 0 && m > 0 && n > 0 && count > 0) {
      result = standin_enqueue(((Blas *)handle)->stream, gemmNow, &g, sizeof g);
    }
  }
  END;
}
