/* The activations and their derivatives; the codes are the order of io.gatun.kernel.Activation.Kind. */
#ifndef GATUN_ACTIVATION_H
#define GATUN_ACTIVATION_H

#include "kernel.h"

typedef struct {
  int32_t kind;
  float alpha, beta;
} Act;

enum {
  IDENTITY,
  RELU,
  TANH,
  SIGMOID,
  HARD_SIGMOID,
  LEAKY_RELU,
  THRESHOLDED_RELU,
  SCALED_TANH,
  ELU,
  SELU,
  SOFTSIGN,
  SOFTPLUS,
  AFFINE,
  GELU,
  SWISH,
  EXPONENTIAL
};

#define SQRT_HALF 0.70710678118654752440f
#define ONE_OVER_SQRT_TWO_PI 0.39894228040143267794f

DEVICE float sigmoid(float x) {
  return 1 / (1 + expf(-x));
}

/* Comparisons are so written that NaN stays NaN. Called, not inlined: all functions at every place would be a megabyte. */
CALLED float activated(Act f, float x) {
  switch (f.kind) {
    case RELU:
      return x <= 0 ? 0 : x;
    case TANH:
      return tanhf(x);
    case SIGMOID:
      return sigmoid(x);
    case HARD_SIGMOID: {
      const float y = f.alpha * x + f.beta;
      return y <= 0 ? 0 : y >= 1 ? 1 : y;
    }
    case LEAKY_RELU:
      return x >= 0 ? x : f.alpha * x;
    case THRESHOLDED_RELU:
      return x <= f.alpha ? 0 : x;
    case SCALED_TANH:
      return f.alpha * tanhf(f.beta * x);
    case ELU:
      return x >= 0 ? x : f.alpha * expm1f(x);
    case SELU:
      return x > 0 ? f.beta * x : f.beta * (f.alpha * expm1f(x));
    case SOFTSIGN:
      return x / (1 + fabsf(x));
    case SOFTPLUS:
      return (x >= 0 ? x : 0) + log1pf(expf(-fabsf(x)));
    case AFFINE:
      return f.alpha * x + f.beta;
    case GELU:
      return x / 2 * erfcf(-x * SQRT_HALF);
    case SWISH:
      return x * sigmoid(f.alpha * x);
    case EXPONENTIAL:
      return expf(x);
    default:
      return x;
  }
}

/*
 * The derivative. v is the output of the kinds that are differentiated from it (identity, relu, tanh, sigmoid,
 * exponential), else the input.
 */
CALLED float derivative(Act f, float v) {
  switch (f.kind) {
    case RELU:
      return v > 0 ? 1 : 0;
    case TANH:
      return 1 - v * v;
    case SIGMOID:
      return v * (1 - v);
    case EXPONENTIAL:
      return v;
    case HARD_SIGMOID: {
      const float y = f.alpha * v + f.beta;
      return y > 0 && y < 1 ? f.alpha : 0;
    }
    case LEAKY_RELU:
      return v > 0 ? 1 : f.alpha;
    case THRESHOLDED_RELU:
      return v > f.alpha ? 1 : 0;
    case SCALED_TANH: {
      const float y = tanhf(f.beta * v);
      return f.alpha * f.beta * (1 - y * y);
    }
    case ELU:
      return v > 0 ? 1 : f.alpha * expf(v);
    case SELU:
      return v > 0 ? f.beta : f.beta * f.alpha * expf(v);
    case SOFTSIGN: {
      const float y = 1 + fabsf(v);
      return 1 / (y * y);
    }
    case SOFTPLUS:
      return sigmoid(v);
    case AFFINE:
      return f.alpha;
    case GELU:
      return erfcf(-v * SQRT_HALF) / 2 + v * ONE_OVER_SQRT_TWO_PI * expf(-v * v / 2);
    case SWISH: {
      const float y = sigmoid(f.alpha * v);
      return y * (1 + f.alpha * v * (1 - y));
    }
    default:
      return 1;
  }
}

/* The derivative from input x and output y, whichever the kind is formed from. */
DEVICE float derivativeAt(Act f, float x, float y) {
  const int fromOutput = f.kind <= SIGMOID || f.kind == EXPONENTIAL;
  return derivative(f, fromOutput ? y : x);
}

#endif
