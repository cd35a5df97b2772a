/*
 * How the kernels of this folder are written: one source that nvcc compiles for a GPU and any C compiler for the host,
 * where tests run it.
 *
 * A kernel takes one structure by value and belongs to a one-dimensional grid. There are two forms of work:
 *
 *   EACH(i, count) { … }      every i below count once, by any thread of any block: element by element
 *   ROWS(row, rows) { … }     every row by one block, whose threads work together in PHASEs:
 *   PHASE(thread) { … }       every thread of the block does it, and nobody goes on before all have
 *
 * On the host the threads of a phase run one after the other. So what one thread keeps between two phases lies in SHARED
 * memory, shared memory is touched in phases only, and in one phase no thread reads what another writes: then the order of
 * the threads makes no difference, which tests hold by turning it around. No `return`, `break` or `continue` leaves a phase.
 *
 * Blocks have a power of two of threads, no more than MOST.
 */
#ifndef GATUN_KERNEL_H
#define GATUN_KERNEL_H

#define MOST 256

#ifdef __CUDACC__

#include <stdint.h>

#define DEVICE static __device__ __forceinline__
#define CALLED __device__ __noinline__
#define UNROLL _Pragma("unroll")
#define ONE_BY_ONE _Pragma("unroll 1")
#define EIGHT_AT_ONCE _Pragma("unroll 8")
#define SHARED __shared__
#define KERNEL(name) extern "C" __global__ void __launch_bounds__(MOST) name(const name##Args p)
#define BLOCK ((int64_t)blockIdx.x)
#define BLOCKS ((int64_t)gridDim.x)
#define THREADS ((int)blockDim.x)
#define PHASE(thread) for (int thread = threadIdx.x, once = 1; once; once = 0, __syncthreads())
#define EACH(i, count)                                                                             \
  ONE_BY_ONE                                                                                       \
  for (int64_t i = BLOCK * THREADS + threadIdx.x, i##End = (count); i < i##End; i += BLOCKS * THREADS)
#define LOWER(status, position) atomicMin((long long *)(status), (long long)(position))

#else

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Where in its grid a block is, and whether the last of its threads comes first. */
typedef struct {
  int64_t block, blocks;
  int threads, turned;
} Grid;

/* What a kernel is for those who launch it by name. */
typedef struct HostKernel {
  const char *name;
  size_t bytes;
  void (*block)(const void *arguments, Grid grid);
  struct HostKernel *next;
} HostKernel;

/* Enters a kernel into the list of all. */
void gatun_kernel(HostKernel *kernel);

#define DEVICE static inline
#define CALLED static
#define UNROLL
#define ONE_BY_ONE
#define EIGHT_AT_ONCE
#define SHARED
#define KERNEL(name)                                                                               \
  static void name##Body(const name##Args p, const Grid grid);                                     \
  static void name##Block(const void *arguments, Grid grid) {                                      \
    name##Args p;                                                                                  \
    memcpy(&p, arguments, sizeof p);                                                               \
    name##Body(p, grid);                                                                           \
  }                                                                                                \
  __attribute__((constructor)) static void name##Enter(void) {                                     \
    static HostKernel kernel = {#name, sizeof(name##Args), name##Block, 0};                        \
    gatun_kernel(&kernel);                                                                         \
  }                                                                                                \
  static void name##Body(const name##Args p, const Grid grid)
#define BLOCK (grid.block)
#define BLOCKS (grid.blocks)
#define THREADS (grid.threads)
#define TURN(turn) (grid.turned ? THREADS - 1 - (turn) : (turn))
#define PHASE(thread)                                                                              \
  for (int thread##Turn = 0, thread = TURN(0); thread##Turn < THREADS;                             \
       thread##Turn++, thread = TURN(thread##Turn))
#define EACH(i, count)                                                                             \
  for (int64_t i##Turn = 0, i##End = (count); i##Turn < THREADS; i##Turn++)                        \
    for (int64_t i = BLOCK * THREADS + TURN(i##Turn); i < i##End; i += BLOCKS * THREADS)
#define LOWER(status, position)                                                                    \
  do {                                                                                             \
    if ((position) < *(status)) {                                                                  \
      *(status) = (position);                                                                      \
    }                                                                                              \
  } while (0)

#endif

#define ROWS(row, rows) for (int64_t row = BLOCK; row < (rows); row += BLOCKS)

/* Joins partial[0 … THREADS) by a tree, and leaves what comes out in `result`, which is SHARED like partial. */
#define JOIN(join, partial, result)                                                                \
  for (int half = THREADS / 2; half > 0; half /= 2) {                                              \
    PHASE(thread) {                                                                                \
      if (thread < half) {                                                                         \
        (partial)[thread] = join((partial)[thread], (partial)[thread + half]);                     \
      }                                                                                            \
    }                                                                                              \
  }                                                                                                \
  PHASE(thread) {                                                                                  \
    if (thread == 0) {                                                                             \
      (result) = (partial)[0];                                                                     \
    }                                                                                              \
  }

/* Types as their codes: the order of io.gatun.tensor.DType. Only these lie in a device's memory. */
enum {
  FLOAT32 = 0,
  INT8 = 4,
  UINT8 = 5,
  INT16 = 6,
  UINT16 = 7,
  INT32 = 8,
  UINT32 = 9,
  INT64 = 10,
  UINT64 = 11,
  BOOL = 12
};

#define AXES 8

/* Axes with the strides, in elements, of two arrays along them. */
typedef struct {
  int32_t rank, unused;
  int64_t extent[AXES], a[AXES], b[AXES];
} Axes;

/* How many elements there are. */
DEVICE int64_t elements(const Axes axes) {
  int64_t count = 1;
  UNROLL
  for (int axis = 0; axis < AXES; axis++) {
    count *= axis < axes.rank ? axes.extent[axis] : 1;
  }
  return count;
}

/* The larger, or NaN if either is. */
DEVICE float largest(float a, float b) {
  return !(a == a) ? a : !(b == b) ? b : a > b ? a : b;
}

DEVICE double add(double a, double b) {
  return a + b;
}

/* i / size; what is left over goes to rest. In 32 bits where they suffice, which is far faster. */
DEVICE int64_t divided(int64_t i, int64_t size, int64_t *rest) {
  if (((uint64_t)i | (uint64_t)size) >> 32 == 0) {
    const uint32_t quotient = (uint32_t)i / (uint32_t)size;
    *rest = (uint32_t)i - quotient * (uint32_t)size;
    return quotient;
  }
  const int64_t quotient = i / size;
  *rest = i - quotient * size;
  return quotient;
}

/*
 * Adds to a and b where the i-th element, in row-major order, lies in the two arrays. Unrolled, because parameters that are
 * looked up by a variable would be copied to every thread's own memory first.
 */
DEVICE void places(int64_t i, const Axes axes, int64_t *a, int64_t *b) {
  int64_t left = i;
  UNROLL
  for (int axis = AXES - 1; axis > 0; axis--) {
    if (axis < axes.rank) {
      int64_t index;
      left = divided(left, axes.extent[axis], &index);
      *a += index * axes.a[axis];
      *b += index * axes.b[axis];
    }
  }
  if (axes.rank > 0) {
    *a += left * axes.a[0];
    *b += left * axes.b[0];
  }
}

/* An index of either type. */
DEVICE int64_t indexAt(const void *indices, int32_t wide, int64_t at) {
  return wide ? ((const int64_t *)indices)[at] : ((const int32_t *)indices)[at];
}

/* Zero of a pointer that may be null. */
DEVICE float orZero(const float *values, int64_t at) {
  return values ? values[at] : 0;
}

#endif
