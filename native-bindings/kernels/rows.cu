/* What is done to rows, a block to each; sums are formed in float64, which costs nothing where memory is the limit. */
#include "kernel.h"

/* The largest of `size` numbers from x on: −infinity of none, NaN if any is. */
#define MAXIMUM_OF(x, size, partial, result)                                                       \
  do {                                                                                             \
    PHASE(thread) {                                                                                \
      float ofThread = -INFINITY;                                                                  \
      for (int64_t j = thread; j < (size); j += THREADS) {                                         \
        ofThread = largest(ofThread, (x)[j]);                                                      \
      }                                                                                            \
      (partial)[thread] = ofThread;                                                                \
    }                                                                                              \
    JOIN(largest, partial, result)                                                                 \
  } while (0)

/* The sum of an expression in j for all j below size. */
#define SUM_OF(j, size, term, partial, result)                                                     \
  do {                                                                                             \
    PHASE(thread) {                                                                                \
      double ofThread = 0;                                                                         \
      for (int64_t j = thread; j < (size); j += THREADS) {                                         \
        ofThread += (term);                                                                        \
      }                                                                                            \
      (partial)[thread] = ofThread;                                                                \
    }                                                                                              \
    JOIN(add, partial, result)                                                                     \
  } while (0)

typedef struct {
  const float *input;
  float *output;
  const int32_t *lengths;
  int64_t rows, size, rowsPerLength;
} softmaxArgs;

KERNEL(softmax) {
  SHARED float maxima[MOST];
  SHARED double sums[MOST];
  SHARED float most;
  SHARED double sum;
  ROWS(row, p.rows) {
    const float *x = p.input + row * p.size;
    float *y = p.output + row * p.size;
    const int64_t given = p.lengths ? p.lengths[row / p.rowsPerLength] : p.size;
    const int64_t length = given < 0 ? 0 : given > p.size ? p.size : given;
    MAXIMUM_OF(x, length, maxima, most);
    SUM_OF(j, length, expf(x[j] - most), sums, sum);
    PHASE(thread) {
      for (int64_t j = thread; j < p.size; j += THREADS) {
        y[j] = j < length ? (float)(expf(x[j] - most) / sum) : 0;
      }
    }
  }
}

/* x − max − log Σ e^(x − max), of which topLogSoftmax takes the largest without storing the others. */
DEVICE float logProbability(float x, float most, double logSum) {
  return (float)((double)x - (double)most - logSum);
}

typedef struct {
  const float *input;
  float *output;
  int64_t rows, size;
} logSoftmaxArgs;

KERNEL(logSoftmax) {
  SHARED float maxima[MOST];
  SHARED double sums[MOST];
  SHARED float most;
  SHARED double sum;
  ROWS(row, p.rows) {
    const float *x = p.input + row * p.size;
    float *y = p.output + row * p.size;
    MAXIMUM_OF(x, p.size, maxima, most);
    SUM_OF(j, p.size, expf(x[j] - most), sums, sum);
    PHASE(thread) {
      const double logSum = log(sum);
      for (int64_t j = thread; j < p.size; j += THREADS) {
        y[j] = logProbability(x[j], most, logSum);
      }
    }
  }
}

typedef struct {
  const float *input;
  float *values;
  void *indices;
  int64_t rows, size, k;
  int32_t wide;
} TopArgs;

/*
 * An element as a number that is larger the further in front it comes: its value, of equals the lower index, NaN behind
 * everything. No two are the same, and none is 0.
 */
DEVICE uint64_t rank(float value, int64_t index) {
  uint32_t order = 0;
  if (value == value) {
    /* 0 is added so that there is one zero only. */
    const float one = value + 0.0f;
    uint32_t bits;
    memcpy(&bits, &one, sizeof bits);
    order = (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
  }
  return (uint64_t)order << 32 | (0xffffffffu - (uint32_t)index);
}

DEVICE uint64_t front(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

/* Writes the k first of a row, one by one: each is the first of those that come behind the one before. */
#define TAKE_FIRST(row, value)                                                                     \
  do {                                                                                             \
    PHASE(thread) {                                                                                \
      if (thread == 0) {                                                                           \
        last = UINT64_MAX;                                                                         \
      }                                                                                            \
    }                                                                                              \
    for (int64_t place = 0; place < p.k; place++) {                                                \
      PHASE(thread) {                                                                              \
        uint64_t best = 0;                                                                         \
        for (int64_t j = thread; j < p.size; j += THREADS) {                                       \
          const uint64_t here = rank(value, j);                                                    \
          best = here < last ? front(best, here) : best;                                           \
        }                                                                                          \
        ranks[thread] = best;                                                                      \
      }                                                                                            \
      JOIN(front, ranks, last)                                                                     \
      PHASE(thread) {                                                                              \
        if (thread == 0) {                                                                         \
          const int64_t j = 0xffffffffu - (uint32_t)last;                                          \
          const int64_t at = (row) * p.k + place;                                                  \
          p.values[at] = (value);                                                                  \
          if (p.wide) {                                                                            \
            ((int64_t *)p.indices)[at] = j;                                                        \
          } else {                                                                                 \
            ((int32_t *)p.indices)[at] = (int32_t)j;                                               \
          }                                                                                        \
        }                                                                                          \
      }                                                                                            \
    }                                                                                              \
  } while (0)

typedef TopArgs topKArgs;
KERNEL(topK) {
  SHARED uint64_t ranks[MOST];
  SHARED uint64_t last;
  ROWS(row, p.rows) {
    const float *x = p.input + row * p.size;
    TAKE_FIRST(row, x[j]);
  }
}

typedef TopArgs topLogSoftmaxArgs;
KERNEL(topLogSoftmax) {
  SHARED float maxima[MOST];
  SHARED double sums[MOST];
  SHARED uint64_t ranks[MOST];
  SHARED float most;
  SHARED double sum;
  SHARED double logSum;
  SHARED uint64_t last;
  ROWS(row, p.rows) {
    const float *x = p.input + row * p.size;
    MAXIMUM_OF(x, p.size, maxima, most);
    SUM_OF(j, p.size, expf(x[j] - most), sums, sum);
    PHASE(thread) {
      if (thread == 0) {
        logSum = log(sum);
      }
    }
    TAKE_FIRST(row, logProbability(x[j], most, logSum));
  }
}

typedef struct {
  const float *input;
  float *output;
  const float *scale, *shift;
  int64_t rows, size, inputStride, outputStride;
  double epsilon;
} layerNormArgs;

DEVICE double squared(double x) {
  return x * x;
}

KERNEL(layerNorm) {
  SHARED double sums[MOST];
  SHARED double sum;
  SHARED double squares;
  ROWS(row, p.rows) {
    const float *x = p.input + row * p.inputStride;
    float *y = p.output + row * p.outputStride;
    SUM_OF(j, p.size, x[j], sums, sum);
    SUM_OF(j, p.size, squared(x[j] - sum / p.size), sums, squares);
    PHASE(thread) {
      const double mean = sum / p.size;
      const double factor = 1 / sqrt(squares / p.size + p.epsilon);
      for (int64_t j = thread; j < p.size; j += THREADS) {
        y[j] = (float)((x[j] - mean) * factor * p.scale[j] + orZero(p.shift, j));
      }
    }
  }
}

typedef struct {
  const float *output, *outputGradient;
  float *inputGradient;
  int64_t rows, size;
  int32_t logarithm;
} softmaxGradientArgs;

KERNEL(softmaxGradient) {
  SHARED double sums[MOST];
  SHARED double sum;
  ROWS(row, p.rows) {
    const float *y = p.output + row * p.size;
    const float *dy = p.outputGradient + row * p.size;
    float *dx = p.inputGradient + row * p.size;
    SUM_OF(j, p.size, p.logarithm ? dy[j] : (double)dy[j] * y[j], sums, sum);
    PHASE(thread) {
      for (int64_t j = thread; j < p.size; j += THREADS) {
        dx[j] = (float)(p.logarithm ? dy[j] - expf(y[j]) * sum : y[j] * (dy[j] - sum));
      }
    }
  }
}

typedef struct {
  const float *input, *scale, *outputGradient;
  float *inputGradient;
  double *statistics;
  int64_t rows, size, inputStride, gradientStride;
  double epsilon;
} layerNormGradientArgs;

/* dx = r (g − mean(g) − x̂ mean(g∘x̂)) with g = dy ∘ scale; leaves mean and r of each row in statistics. */
KERNEL(layerNormGradient) {
  SHARED double sums[MOST];
  SHARED double sum;
  SHARED double squares;
  SHARED double given;
  SHARED double product;
  ROWS(row, p.rows) {
    const float *x = p.input + row * p.inputStride;
    const float *dy = p.outputGradient + row * p.gradientStride;
    float *dx = p.inputGradient + row * p.gradientStride;
    double *statistics = p.statistics + 2 * row;
    SUM_OF(j, p.size, x[j], sums, sum);
    SUM_OF(j, p.size, squared(x[j] - sum / p.size), sums, squares);
    PHASE(thread) {
      if (thread == 0) {
        statistics[0] = sum / p.size;
        statistics[1] = 1 / sqrt(squares / p.size + p.epsilon);
      }
    }
    if (p.inputGradient) {
      SUM_OF(j, p.size, (double)dy[j] * p.scale[j], sums, given);
      SUM_OF(j, p.size, (double)dy[j] * p.scale[j] * (x[j] - statistics[0]), sums, product);
      PHASE(thread) {
        const double mean = statistics[0];
        const double factor = statistics[1];
        for (int64_t j = thread; j < p.size; j += THREADS) {
          const double g = (double)dy[j] * p.scale[j];
          const double normal = (x[j] - mean) * factor;
          dx[j] = (float)(factor * (g - given / p.size - normal * (factor * product / p.size)));
        }
      }
    }
  }
}

typedef struct {
  const float *logits;
  const void *labels;
  const float *weights;
  float *losses, *logSums;
  int64_t rows, size;
  double smoothing;
  int32_t wide;
} crossEntropyArgs;

KERNEL(crossEntropy) {
  SHARED float maxima[MOST];
  SHARED double sums[MOST];
  SHARED float most;
  SHARED double sum;
  SHARED double all;
  ROWS(row, p.rows) {
    const float *x = p.logits + row * p.size;
    MAXIMUM_OF(x, p.size, maxima, most);
    SUM_OF(j, p.size, expf(x[j] - most), sums, sum);
    SUM_OF(j, p.size, x[j], sums, all);
    PHASE(thread) {
      if (thread == 0) {
        const double logSum = most + log(sum);
        const int64_t label = indexAt(p.labels, p.wide, row);
        double loss = 0;
        if (label >= 0 && label < p.size) {
          loss = logSum - (1 - p.smoothing) * x[label] - p.smoothing / p.size * all;
          loss *= p.weights ? p.weights[row] : 1;
        }
        p.logSums[row] = (float)logSum;
        p.losses[row] = (float)loss;
      }
    }
  }
}

typedef struct {
  const void *labels;
  const float *weights;
  float *counted;
  int64_t rows;
  int32_t wide;
} crossEntropyCountedArgs;

DEVICE double countedWeight(const void *labels, int32_t wide, const float *weights, int64_t row) {
  return indexAt(labels, wide, row) < 0 ? 0 : weights ? weights[row] : 1;
}

/* The sum of the weights of the rows that count; one block. */
KERNEL(crossEntropyCounted) {
  SHARED double sums[MOST];
  SHARED double sum;
  ROWS(once, 1) {
    SUM_OF(row, p.rows, countedWeight(p.labels, p.wide, p.weights, row), sums, sum);
    PHASE(thread) {
      if (thread == 0) {
        *p.counted = (float)sum;
      }
    }
  }
}

typedef struct {
  const float *logits, *logSums;
  const void *labels;
  const float *weights, *scale;
  float *gradient;
  int64_t rows, size;
  double smoothing;
  int32_t wide;
} crossEntropyGradientArgs;

KERNEL(crossEntropyGradient) {
  EACH(i, p.rows * p.size) {
    int64_t j;
    const int64_t row = divided(i, p.size, &j);
    const int64_t label = indexAt(p.labels, p.wide, row);
    const double weight = *p.scale * (p.weights ? (double)p.weights[row] : 1);
    const double target = p.smoothing / p.size + (j == label ? 1 - p.smoothing : 0);
    p.gradient[i] = label < 0 ? 0 : (float)(weight * (expf(p.logits[i] - p.logSums[row]) - target));
  }
}
