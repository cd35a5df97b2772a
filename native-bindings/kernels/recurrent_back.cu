/*
 * One step of a recurrent layer on the way back through time, from the last to the first: what lies between the products.
 * dzx and dzh are the gradients of x·W + b and of h'·R + r; what is multiplied by a step's rows lies side by side in now.
 */
#include "recurrent.cu"

typedef struct {
  const float *kept;           /* what the way there left, [time, batch, slots · hidden] */
  const float *h0, *c0;        /* the states before the first step, or null for zeros */
  float *dh, *dc;              /* [batch, state] and [batch, hidden]: of the states after the step, then of those before */
  const float *outputGradient; /* like output, or null for zeros */
  float *dzx, *dzh;            /* [time, batch, gates · hidden]; dzh of a GRU with the reset after the product only */
  const float *mask;           /* [batch, hidden], or null */
  const float *peepholes;      /* [3 · hidden], or null */
  const float *output;         /* what the way there gave, through outputTime and outputRow */
  const float *product;        /* [batch, hidden], see each kernel */
  float *inner;                /* [time, batch, hidden], see each kernel; or null */
  float *all;                  /* [time, batch, hidden]: gets the whole gradients of the hidden states; or null */
  float *now;                  /* [batch, gates · hidden]: this step's rows of dzh */
  const int32_t *lengths;      /* [batch], or null */
  int64_t outputTime, outputRow;
  int64_t step, time, batch, hidden;
  float clip;
  Act f, g, k;
  int32_t reverse, coupled;
} Back;

/* The argument of a gate, and what became of it. */
#define KEPT(slots, slot) p.kept[((t * p.batch + row) * (slots) + (slot)) * p.hidden + j]
#define VALUE(f, a) activated(f, clipped(p.clip, a))

/* The gradient of an argument from that of what became of it; 0 where the clip holds it. */
DEVICE float derived(float clip, Act f, float a, float y, float dy) {
  return clip > 0 && fabsf(a) > clip ? 0 : dy * derivativeAt(f, a, y);
}

/* The hidden state before the step, not masked. */
#define HIDDEN_BEFORE                                                                              \
  (p.step == 0 ? orZero(p.h0, i)                                                                   \
               : p.output[(t + (p.reverse ? 1 : -1)) * p.outputTime + row * p.outputRow + j])

/* Sets gate g of a row of dzx, and of the step's rows. Where a sequence is over its rows are those of time `step`. */
#define SET_X(gates, gate, value)                                                                  \
  p.dzx[((at * p.batch + row) * (gates) + (gate)) * p.hidden + j] = (value)
#define SET_H(gates, gate, value)                                                                  \
  p.dzh[((at * p.batch + row) * (gates) + (gate)) * p.hidden + j] = (value)
#define SET_NOW(gates, gate, value) p.now[(row * (gates) + (gate)) * p.hidden + j] = (value)
#define SET(gates, gate, value)                                                                    \
  do {                                                                                             \
    const float set = (value);                                                                     \
    SET_X(gates, gate, set);                                                                       \
    SET_NOW(gates, gate, set);                                                                     \
  } while (0)

#define SET_INNER(value)                                                                           \
  do {                                                                                             \
    if (p.inner) {                                                                                 \
      p.inner[(at * p.batch + row) * p.hidden + j] = (value);                                      \
    }                                                                                              \
  } while (0)

/* The first thing in every step; hidden is the state's size. */
typedef Back addOutputGradientArgs;
KERNEL(addOutputGradient) {
  EACH(i, p.batch * p.hidden) {
    int64_t j;
    const int64_t row = divided(i, p.hidden, &j);
    const int64_t t = TIME_OF(row);
    const int64_t at = t < 0 ? p.step : t;
    float sum = 0;
    if (t >= 0) {
      sum = p.dh[i] + (p.outputGradient ? p.outputGradient[t * p.outputTime + row * p.outputRow + j] : 0);
      p.dh[i] = sum;
    }
    if (p.all) {
      p.all[(at * p.batch + row) * p.hidden + j] = sum;
    }
  }
}

typedef Back rnnBackArgs;
KERNEL(rnnBack) {
  EACH(i, p.batch * p.hidden) {
    int64_t j;
    const int64_t row = divided(i, p.hidden, &j);
    const int64_t t = TIME_OF(row);
    const int64_t at = t < 0 ? p.step : t;
    float gradient = 0;
    if (t >= 0) {
      const float a = KEPT(1, 0);
      gradient = derived(p.clip, p.f, a, VALUE(p.f, a), p.dh[i]);
      p.dh[i] = 0;
    }
    SET(1, 0, gradient);
  }
}

/* With the reset after the product: the candidate's h'·Rn is multiplied by the reset gate, so dzh is not dzx. */
typedef Back gruBackArgs;
KERNEL(gruBack) {
  EACH(i, p.batch * p.hidden) {
    int64_t j;
    const int64_t row = divided(i, p.hidden, &j);
    const int64_t t = TIME_OF(row);
    const int64_t at = t < 0 ? p.step : t;
    float dUpdate = 0;
    float dReset = 0;
    float dCandidate = 0;
    float dInner = 0;
    if (t >= 0) {
      const float az = KEPT(4, 0);
      const float ar = KEPT(4, 1);
      const float an = KEPT(4, 2);
      const float update = VALUE(p.f, az);
      const float reset = VALUE(p.f, ar);
      const float candidate = VALUE(p.g, an);
      const float dh = p.dh[i];
      dCandidate = derived(p.clip, p.g, an, candidate, dh * (1 - update));
      dUpdate = derived(p.clip, p.f, az, update, dh * (HIDDEN_BEFORE - candidate));
      dReset = derived(p.clip, p.f, ar, reset, dCandidate * KEPT(4, 3));
      dInner = dCandidate * reset;
      p.dh[i] = dh * update;
    }
    SET(3, 0, dUpdate);
    SET_H(3, 0, dUpdate);
    SET(3, 1, dReset);
    SET_H(3, 1, dReset);
    SET_X(3, 2, dCandidate);
    SET_H(3, 2, dInner);
    SET_NOW(3, 2, dInner);
  }
}

/*
 * With the reset before the product, the first half: the candidate. The gradient of the update gate waits in dzx for the
 * second half, and inner gets the left side of the product with Rn.
 */
typedef Back gruBackCandidateArgs;
KERNEL(gruBackCandidate) {
  EACH(i, p.batch * p.hidden) {
    int64_t j;
    const int64_t row = divided(i, p.hidden, &j);
    const int64_t t = TIME_OF(row);
    const int64_t at = t < 0 ? p.step : t;
    float waiting = 0;
    float dCandidate = 0;
    float left = 0;
    if (t >= 0) {
      const float update = VALUE(p.f, KEPT(4, 0));
      const float an = KEPT(4, 2);
      const float candidate = VALUE(p.g, an);
      const float before = HIDDEN_BEFORE;
      const float dh = p.dh[i];
      dCandidate = derived(p.clip, p.g, an, candidate, dh * (1 - update));
      waiting = dh * (before - candidate);
      left = VALUE(p.f, KEPT(4, 1)) * before * (p.mask ? p.mask[i] : 1);
      p.dh[i] = dh * update;
    }
    SET_X(3, 0, waiting);
    SET(3, 2, dCandidate);
    SET_INNER(left);
  }
}

/* The second half: product is the gradient of the left side, the candidate's rows times Rn. */
typedef Back gruBackGatesArgs;
KERNEL(gruBackGates) {
  EACH(i, p.batch * p.hidden) {
    int64_t j;
    const int64_t row = divided(i, p.hidden, &j);
    const int64_t t = TIME_OF(row);
    const int64_t at = t < 0 ? p.step : t;
    float dUpdate = 0;
    float dReset = 0;
    if (t >= 0) {
      const float az = KEPT(4, 0);
      const float ar = KEPT(4, 1);
      const float reset = VALUE(p.f, ar);
      const float mask = p.mask ? p.mask[i] : 1;
      const float given = p.product[i] * mask;
      dReset = derived(p.clip, p.f, ar, reset, given * HIDDEN_BEFORE);
      dUpdate = derived(p.clip, p.f, az, VALUE(p.f, az),
                        p.dzx[((at * p.batch + row) * 3 + 0) * p.hidden + j]);
      p.dh[i] += given * reset;
    }
    SET(3, 0, dUpdate);
    SET(3, 1, dReset);
  }
}

/* product is the gradient of o ∘ k(c), or null where that is dh; inner gets o ∘ k(c). */
typedef Back lstmBackArgs;
KERNEL(lstmBack) {
  EACH(i, p.batch * p.hidden) {
    int64_t j;
    const int64_t row = divided(i, p.hidden, &j);
    const int64_t t = TIME_OF(row);
    const int64_t at = t < 0 ? p.step : t;
    float dIn = 0;
    float dOut = 0;
    float dForget = 0;
    float dCandidate = 0;
    float made = 0;
    if (t >= 0) {
      const float ai = KEPT(5, 0);
      const float ao = KEPT(5, 1);
      const float af = KEPT(5, 2);
      const float ac = KEPT(5, 3);
      const float cell = KEPT(5, 4);
      const int64_t earlier = ((t + (p.reverse ? 1 : -1)) * p.batch + row) * 5 + 4;
      const float before = p.step == 0 ? orZero(p.c0, i) : p.kept[earlier * p.hidden + j];
      const float in = VALUE(p.f, ai);
      const float out = VALUE(p.f, ao);
      const float forget = p.coupled ? 1 - in : VALUE(p.f, af);
      const float candidate = VALUE(p.g, ac);
      const float squashed = activated(p.k, cell);
      const float given = p.product ? p.product[i] : p.dh[i];
      made = out * squashed;
      dOut = derived(p.clip, p.f, ao, out, given * squashed);
      float dc = p.dc[i] + given * out * derivativeAt(p.k, cell, squashed);
      dc += p.peepholes ? p.peepholes[p.hidden + j] * dOut : 0;
      dIn = derived(p.clip, p.f, ai, in, dc * candidate - (p.coupled ? dc * before : 0));
      dForget = p.coupled ? 0 : derived(p.clip, p.f, af, forget, dc * before);
      dCandidate = derived(p.clip, p.g, ac, candidate, dc * in);
      dc *= forget;
      if (p.peepholes) {
        dc += p.peepholes[j] * dIn + p.peepholes[2 * p.hidden + j] * dForget;
      }
      p.dc[i] = dc;
      if (!p.product) {
        p.dh[i] = 0;
      }
    }
    SET(4, 0, dIn);
    SET(4, 1, dOut);
    SET(4, 2, dForget);
    SET(4, 3, dCandidate);
    SET_INNER(made);
  }
}

/* dh becomes 0 where a sequence is not over; hidden is the state's size. Behind a projection, whose product dh was for. */
typedef Back clearStateArgs;
KERNEL(clearState) {
  EACH(i, p.batch * p.hidden) {
    int64_t j;
    const int64_t row = divided(i, p.hidden, &j);
    if (TIME_OF(row) >= 0) {
      p.dh[i] = 0;
    }
  }
}

/* The left sides of all products with R: inner gets the masked hidden state before each time step. */
typedef Back previousStatesArgs;
KERNEL(previousStates) {
  EACH(place, p.time * p.batch * p.hidden) {
    int64_t i, j;
    const int64_t t = divided(place, p.batch * p.hidden, &i);
    const int64_t row = divided(i, p.hidden, &j);
    const int64_t length = lengthOf(p.lengths, p.time, row);
    const int64_t first = p.reverse ? length - 1 : 0;
    float before = 0;
    if (t < length) {
      before = t == first ? orZero(p.h0, i)
                          : p.output[(t + (p.reverse ? 1 : -1)) * p.outputTime + row * p.outputRow + j];
      before *= p.mask ? p.mask[i] : 1;
    }
    p.inner[place] = before;
  }
}

typedef struct {
  const float *dzx, *kept, *c0;
  float *target;
  const int32_t *lengths;
  int64_t time, batch, hidden;
  int32_t reverse;
} peepholeGradientArgs;

/* Input and forget gate look at the cell state before the step, the output gate at the one after it. */
KERNEL(peepholeGradient) {
  EACH(i, 3 * p.hidden) {
    int64_t j;
    const int64_t gate = divided(i, p.hidden, &j);
    double sum = 0;
    ONE_BY_ONE
    for (int64_t row = 0; row < p.batch; row++) {
      const int64_t length = lengthOf(p.lengths, p.time, row);
      ONE_BY_ONE
      for (int64_t t = 0; t < length; t++) {
        const int64_t earlier = t + (p.reverse ? 1 : -1);
        const int first = earlier < 0 || earlier >= length;
        const int64_t at = gate == 1 || first ? t : earlier;
        const float cell = gate != 1 && first ? orZero(p.c0, row * p.hidden + j)
                                              : p.kept[((at * p.batch + row) * 5 + 4) * p.hidden + j];
        sum += (double)p.dzx[((t * p.batch + row) * 4 + gate) * p.hidden + j] * cell;
      }
    }
    p.target[i] = (float)sum;
  }
}
