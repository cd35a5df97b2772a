/* Functions of each element. */
#include "activation.h"
#include "kernel.h"

typedef struct {
  const float *input;
  float *output;
  int64_t count;
  Act f;
} activateArgs;

KERNEL(activate) {
  EACH(i, p.count) {
    p.output[i] = activated(p.f, p.input[i]);
  }
}

typedef struct {
  const float *value, *outputGradient;
  float *inputGradient;
  int64_t count;
  Act f;
} activationGradientArgs;

KERNEL(activationGradient) {
  EACH(i, p.count) {
    p.inputGradient[i] = p.outputGradient[i] * derivative(p.f, p.value[i]);
  }
}

typedef struct {
  float *c;
  const float *bias;
  int64_t rowStride, rows, columns;
  Act f;
} biasActivateArgs;

/* What follows a product, in place: a bias for each column. */
KERNEL(biasActivate) {
  EACH(i, p.rows * p.columns) {
    int64_t column;
    const int64_t row = divided(i, p.columns, &column);
    float *at = p.c + row * p.rowStride + column;
    *at = activated(p.f, *at + orZero(p.bias, column));
  }
}

typedef struct {
  float *c;
  const float *bias;
  int64_t images, channels, plane;
  Act f;
} channelActivateArgs;

/* What follows a convolution, in place: a bias for each channel. */
KERNEL(channelActivate) {
  EACH(i, p.images * p.channels * p.plane) {
    int64_t place, channel;
    divided(divided(i, p.plane, &place), p.channels, &channel);
    p.c[i] = activated(p.f, p.c[i] + orZero(p.bias, channel));
  }
}

typedef struct {
  const float *input;
  float *output;
  int64_t count;
  int32_t operation;
} unaryArgs;

enum {
  NEGATE,
  ABSOLUTE,
  LOGARITHM,
  SQUARE_ROOT,
  RECIPROCAL,
  FLOOR,
  CEILING,
  ROUND,
  SIGN,
  ERROR_FUNCTION,
  SINE,
  COSINE,
  TANGENT,
  ARC_SINE,
  ARC_COSINE,
  ARC_TANGENT,
  HYPERBOLIC_SINE,
  HYPERBOLIC_COSINE,
  AREA_SINE,
  AREA_COSINE,
  AREA_TANGENT
};

/* What is none of them is no number, so that a code that only the caller knows is seen. */
CALLED float ofOne(int32_t operation, float x) {
  switch (operation) {
    case NEGATE:
      return -x;
    case ABSOLUTE:
      return fabsf(x);
    case LOGARITHM:
      return logf(x);
    case SQUARE_ROOT:
      return sqrtf(x);
    case RECIPROCAL:
      return 1 / x;
    case FLOOR:
      return floorf(x);
    case CEILING:
      return ceilf(x);
    case ROUND:
      return rintf(x);
    case SIGN:
      return x > 0 ? 1 : x < 0 ? -1 : x;
    case ERROR_FUNCTION:
      return erff(x);
    case SINE:
      return sinf(x);
    case COSINE:
      return cosf(x);
    case TANGENT:
      return tanf(x);
    case ARC_SINE:
      return asinf(x);
    case ARC_COSINE:
      return acosf(x);
    case ARC_TANGENT:
      return atanf(x);
    case HYPERBOLIC_SINE:
      return sinhf(x);
    case HYPERBOLIC_COSINE:
      return coshf(x);
    case AREA_SINE:
      return asinhf(x);
    case AREA_COSINE:
      return acoshf(x);
    case AREA_TANGENT:
      return atanhf(x);
    default:
      return sqrtf(-1);
  }
}

KERNEL(unary) {
  EACH(i, p.count) {
    p.output[i] = ofOne(p.operation, p.input[i]);
  }
}

typedef struct {
  const void *a, *b;
  void *output;
  int64_t *status;
  Axes axes;
  int32_t operation;
} BinaryArgs;

enum { ADD, SUBTRACT, MULTIPLY, DIVIDE, MAXIMUM, MINIMUM, POWER };

/* NaN if either is; of the two zeros the positive one is larger. */
DEVICE float larger(float a, float b) {
  if (!(a == a) || !(b == b)) {
    return a + b;
  }
  return a == b ? (a == 0 ? a + b : a) : a > b ? a : b;
}

/* What C calls 1 but Java does not is NaN: 1 to the power NaN, 1 and −1 to an infinite one. */
DEVICE float binaryReal(int32_t operation, float a, float b) {
  switch (operation) {
    case ADD:
      return a + b;
    case SUBTRACT:
      return a - b;
    case MULTIPLY:
      return a * b;
    case DIVIDE:
      return a / b;
    case MAXIMUM:
      return larger(a, b);
    case MINIMUM:
      return -larger(-a, -b);
    default:
      return fabsf(a) == 1 && !(fabsf(b) < INFINITY) ? NAN : powf(a, b);
  }
}

/* Unsigned, because sums and products wrap around. */
DEVICE uint64_t power(uint64_t x, int64_t y) {
  uint64_t result = 1;
  for (; y > 0; y >>= 1) {
    result *= (y & 1) != 0 ? x : 1;
    x *= x;
  }
  return result;
}

/* What cannot be, a division by 0 or 0 to a negative power, is 0 and sets `wrong`. */
DEVICE int64_t binaryInteger(int32_t operation, int64_t a, int64_t b, int *wrong) {
  switch (operation) {
    case ADD:
      return (int64_t)((uint64_t)a + (uint64_t)b);
    case SUBTRACT:
      return (int64_t)((uint64_t)a - (uint64_t)b);
    case MULTIPLY:
      return (int64_t)((uint64_t)a * (uint64_t)b);
    case DIVIDE:
      if (b == 0) {
        *wrong = 1;
        return 0;
      }
      return b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
    case MAXIMUM:
      return a > b ? a : b;
    case MINIMUM:
      return a < b ? a : b;
    default:
      if (b >= 0) {
        return (int64_t)power((uint64_t)a, b);
      }
      *wrong = a == 0;
      return a == 1 || (a == -1 && b % 2 == 0) ? 1 : a == -1 ? -1 : 0;
  }
}

typedef BinaryArgs binaryF32Args;
KERNEL(binaryF32) {
  EACH(i, elements(p.axes)) {
    int64_t a = 0;
    int64_t b = 0;
    places(i, p.axes, &a, &b);
    ((float *)p.output)[i] = binaryReal(p.operation, ((const float *)p.a)[a], ((const float *)p.b)[b]);
  }
}

#define BINARY(name, type)                                                                         \
  typedef BinaryArgs name##Args;                                                                   \
  KERNEL(name) {                                                                                   \
    EACH(i, elements(p.axes)) {                                                                    \
      int64_t a = 0;                                                                               \
      int64_t b = 0;                                                                               \
      int wrong = 0;                                                                               \
      places(i, p.axes, &a, &b);                                                                   \
      ((type *)p.output)[i] = (type)binaryInteger(                                                 \
          p.operation, ((const type *)p.a)[a], ((const type *)p.b)[b], &wrong);                    \
      if (wrong && p.status) {                                                                     \
        LOWER(p.status, i);                                                                        \
      }                                                                                            \
    }                                                                                              \
  }

BINARY(binaryI8, int8_t)
BINARY(binaryU8, uint8_t)
BINARY(binaryI16, int16_t)
BINARY(binaryU16, uint16_t)
BINARY(binaryI32, int32_t)
BINARY(binaryU32, uint32_t)
/* Of uint64, too, whose bits are taken for an int64's. */
BINARY(binaryI64, int64_t)

typedef struct {
  float *target;
  const float *a, *b;
  int64_t count;
} multiplyAddArgs;

KERNEL(multiplyAdd) {
  EACH(i, p.count) {
    p.target[i] += p.b ? p.a[i] * p.b[i] : p.a[i];
  }
}

typedef struct {
  const float *input;
  float *output;
  const int64_t *seed;
  int64_t stream;
  Axes axes;
  double scale;
  int32_t threshold;
} dropoutArgs;

/* io.gatun.kernel.scalar.DropoutMask, bit by bit. */
DEVICE uint64_t mix64(uint64_t x) {
  uint64_t z = x + 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

DEVICE uint32_t mix32(uint32_t x) {
  x = (x ^ x >> 16) * 0x7feb352du;
  x = (x ^ x >> 15) * 0x846ca68bu;
  return x ^ x >> 16;
}

DEVICE int drops(uint64_t key, uint64_t place, int32_t threshold) {
  const uint32_t hash = mix32((uint32_t)place ^ (uint32_t)(place >> 32) * 0x9e3779b9u ^ (uint32_t)key);
  return (int32_t)(mix32(hash + (uint32_t)(key >> 32)) >> 8) < threshold;
}

KERNEL(dropout) {
  const uint64_t key = mix64(mix64((uint64_t)*p.seed) + (uint64_t)p.stream * 0x9e3779b97f4a7c15u);
  EACH(i, elements(p.axes)) {
    int64_t place = 0;
    int64_t unused = 0;
    places(i, p.axes, &place, &unused);
    p.output[i] = drops(key, (uint64_t)place, p.threshold) ? 0 : (float)(p.input[i] * p.scale);
  }
}

typedef struct {
  float *parameters;
  const float *gradients;
  float *first, *second;
  int64_t count;
  double rate, firstDecay, secondDecay, epsilon, decay, gradientScale, firstCorrection, secondCorrection;
  int32_t rule, nesterov;
} optimiseArgs;

enum { SGD, ADAM, ADAMW };

/* The equations of io.gatun.kernel.OptimiserStep, in float64 as kernel.scalar forms them. */
KERNEL(optimise) {
  EACH(i, p.count) {
    const double w = p.parameters[i];
    const double g = p.gradientScale * p.gradients[i];
    if (p.rule == SGD) {
      double d = g + p.decay * w;
      if (p.first) {
        const double u = p.firstDecay * p.first[i] + d;
        p.first[i] = (float)u;
        d = p.nesterov ? d + p.firstDecay * u : u;
      }
      p.parameters[i] = (float)(w - p.rate * d);
    } else {
      const double d = p.rule == ADAM ? g + p.decay * w : g;
      const double m = p.firstDecay * p.first[i] + (1 - p.firstDecay) * d;
      const double v = p.secondDecay * p.second[i] + (1 - p.secondDecay) * d * d;
      const double change = m / p.firstCorrection / (sqrt(v / p.secondCorrection) + p.epsilon);
      p.first[i] = (float)m;
      p.second[i] = (float)v;
      p.parameters[i] = (float)(w - (p.rate * (p.rule == ADAMW ? p.decay : 0) * w + p.rate * change));
    }
  }
}
