/* Many numbers that become one: sums are formed in float64, in an order that only the sizes decide. */
#include "kernel.h"

enum { SUM, MEAN, MAXIMUM_OF_ALL, MINIMUM_OF_ALL, L2, PRODUCT };

/* Columns side by side in a block of MOST threads, for memory to be read in runs. */
#define COLUMNS 32
#define LANES (MOST / COLUMNS)

DEVICE double start(int32_t reduction) {
  return reduction == PRODUCT          ? 1
         : reduction == MAXIMUM_OF_ALL ? -INFINITY
         : reduction == MINIMUM_OF_ALL ? INFINITY
                                       : 0;
}

/* Joins what has been reduced already. */
DEVICE double joined(int32_t reduction, double a, double b) {
  switch (reduction) {
    case PRODUCT:
      return a * b;
    case MAXIMUM_OF_ALL:
      return !(a == a) ? a : !(b == b) ? b : a > b ? a : b;
    case MINIMUM_OF_ALL:
      return !(a == a) ? a : !(b == b) ? b : a < b ? a : b;
    default:
      return a + b;
  }
}

DEVICE double finished(int32_t reduction, double sum, int64_t size) {
  return reduction == MEAN ? sum / size : reduction == L2 ? sqrt(sum) : sum;
}

typedef struct {
  const float *input;
  float *output;
  int64_t outer, size, inner;
  int32_t reduction;
} reduceArgs;

/* A block is a row where the reduced axis is the last, else 8 lanes of 32 columns. */
KERNEL(reduce) {
  SHARED double partial[MOST];
  const int64_t columns = p.inner == 1 ? 1 : COLUMNS;
  const int64_t lanes = p.inner == 1 ? THREADS : LANES;
  const int64_t tiles = (p.inner + columns - 1) / columns;
  ROWS(tile, p.outer * tiles) {
    const int64_t outer = tile / tiles;
    const int64_t first = (tile - outer * tiles) * columns;
    PHASE(thread) {
      const int64_t column = first + thread % columns;
      double sum = start(p.reduction);
      if (column < p.inner && thread < lanes * columns) {
        for (int64_t k = thread / columns; k < p.size; k += lanes) {
          const double x = p.input[(outer * p.size + k) * p.inner + column];
          sum = joined(p.reduction, sum, p.reduction == L2 ? x * x : x);
        }
      }
      partial[thread] = sum;
    }
    for (int64_t half = lanes / 2; half > 0; half /= 2) {
      PHASE(thread) {
        if (thread < half * columns) {
          partial[thread] = joined(p.reduction, partial[thread], partial[thread + half * columns]);
        }
      }
    }
    PHASE(thread) {
      if (thread < columns && first + thread < p.inner) {
        p.output[outer * p.inner + first + thread] = (float)finished(p.reduction, partial[thread], p.size);
      }
    }
  }
}

typedef struct {
  const float *input, *output, *outputGradient;
  float *inputGradient;
  int64_t outer, size, inner;
  int32_t reduction;
} reduceGradientArgs;

DEVICE double productWithout(const float *x, int64_t left, int64_t size, int64_t stride) {
  double product = 1;
  for (int64_t k = 0; k < size; k++) {
    product *= k == left ? 1 : x[k * stride];
  }
  return product;
}

/* Of several extremes the first gets the gradient. */
KERNEL(reduceGradient) {
  EACH(i, p.outer * p.inner) {
    int64_t column;
    const int64_t outer = divided(i, p.inner, &column);
    const int64_t first = outer * p.size * p.inner + column;
    const float *x = p.input + first;
    const double y = p.output[i];
    const double dy = p.outputGradient[i];
    int found = 0;
    for (int64_t k = 0; k < p.size; k++) {
      const double here = x[k * p.inner];
      double derivative = 1;
      switch (p.reduction) {
        case MEAN:
          derivative = 1.0 / p.size;
          break;
        case L2:
          derivative = y == 0 ? 0 : here / y;
          break;
        case PRODUCT:
          derivative = productWithout(x, k, p.size, p.inner);
          break;
        case MAXIMUM_OF_ALL:
        case MINIMUM_OF_ALL:
          derivative = !found && here == y ? 1 : 0;
          break;
        default:
          break;
      }
      found |= here == y;
      p.inputGradient[first + k * p.inner] = (float)(dy * derivative);
    }
  }
}

typedef struct {
  const float *input, *outputGradient;
  const double *statistics;
  float *scaleGradient, *shiftGradient;
  int64_t rows, size, inputStride, gradientStride;
} layerNormWeightsGradientArgs;

/* Σ dy∘x̂ and Σ dy over the rows, with the mean and the factor of each that layerNormGradient left. */
KERNEL(layerNormWeightsGradient) {
  SHARED double products[MOST];
  SHARED double sums[MOST];
  ROWS(tile, (p.size + COLUMNS - 1) / COLUMNS) {
    PHASE(thread) {
      const int64_t column = tile * COLUMNS + thread % COLUMNS;
      double product = 0;
      double sum = 0;
      if (column < p.size) {
        for (int64_t row = thread / COLUMNS; row < p.rows; row += LANES) {
          const double dy = p.outputGradient[row * p.gradientStride + column];
          const double x = p.input[row * p.inputStride + column];
          product += dy * ((x - p.statistics[2 * row]) * p.statistics[2 * row + 1]);
          sum += dy;
        }
      }
      products[thread] = product;
      sums[thread] = sum;
    }
    for (int half = LANES / 2; half > 0; half /= 2) {
      PHASE(thread) {
        if (thread < half * COLUMNS) {
          products[thread] += products[thread + half * COLUMNS];
          sums[thread] += sums[thread + half * COLUMNS];
        }
      }
    }
    PHASE(thread) {
      const int64_t column = tile * COLUMNS + thread;
      if (thread < COLUMNS && column < p.size) {
        if (p.scaleGradient) {
          p.scaleGradient[column] = (float)products[thread];
        }
        if (p.shiftGradient) {
          p.shiftGradient[column] = (float)sums[thread];
        }
      }
    }
  }
}

typedef struct {
  const float *values;
  double *partial;
  int64_t count;
} sumOfSquaresArgs;

/* One sum for each block. */
KERNEL(sumOfSquares) {
  SHARED double sums[MOST];
  SHARED double sum;
  PHASE(thread) {
    double mine = 0;
    for (int64_t i = BLOCK * THREADS + thread; i < p.count; i += BLOCKS * THREADS) {
      const double x = p.values[i];
      mine += x * x;
    }
    sums[thread] = mine;
  }
  JOIN(add, sums, sum)
  PHASE(thread) {
    if (thread == 0) {
      p.partial[BLOCK] = sum;
    }
  }
}

typedef struct {
  const double *partial;
  double *result;
  int64_t count;
} sumOfDoublesArgs;

/* One block. */
KERNEL(sumOfDoubles) {
  SHARED double sums[MOST];
  SHARED double sum;
  PHASE(thread) {
    double mine = 0;
    for (int64_t i = thread; i < p.count; i += THREADS) {
      mine += p.partial[i];
    }
    sums[thread] = mine;
  }
  JOIN(add, sums, sum)
  PHASE(thread) {
    if (thread == 0) {
      *p.result = sum;
    }
  }
}
