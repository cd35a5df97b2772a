/*
 * What follows the products in one step of a recurrent layer: gates, activations, states. The equations are those of
 * io.gatun.kernel.RecurrentSpec, with all its activations, peepholes, clip, coupled gates, both kinds of GRU, and
 * sequences of different lengths. Gates lie in the order of RecurrentSpec.Cell.
 */
#include "activation.h"
#include "kernel.h"

typedef struct {
  const float *x;             /* x·W: [time, batch, gates · hidden] through xTime and xRow, or rows of a table */
  const float *r;             /* h'·R: [batch, gates · hidden], rows rRow apart; null for zeros */
  const float *inputBias;     /* [gates · hidden], or null */
  const float *recurrentBias; /* [gates · hidden], or null */
  const float *peepholes;     /* [3 · hidden] of i, o, f, or null */
  const float *mask;          /* [batch, hidden], what h' is multiplied by before a product, or null */
  const float *h0, *c0;       /* the states before the step, [batch, hidden]; null for zeros */
  float *h, *c;               /* the states after it; may be those before */
  float *output;              /* [time, batch, hidden] through outputTime and outputRow, or null */
  float *kept;                /* what the way back needs, [time, batch, slots · hidden], or null */
  float *scratch, *reset;     /* [batch, hidden], see each kernel */
  const int32_t *lengths;     /* [batch], or null */
  const void *tokens;         /* rows of the table x, [time, batch] through tokenTime and tokenRow, or null */
  int64_t xTime, xRow, rRow, outputTime, outputRow, tokenTime, tokenRow, tableRows;
  int64_t step, time, batch, hidden;
  float clip; /* 0 for none */
  Act f, g, k;
  int32_t reverse, coupled, projected, wide;
} Step;

/* How many time steps a sequence has; within bounds, whatever lies there. */
DEVICE int64_t lengthOf(const int32_t *lengths, int64_t time, int64_t row) {
  const int64_t length = lengths ? lengths[row] : time;
  return length < 0 ? 0 : length > time ? time : length;
}

DEVICE float clipped(float clip, float a) {
  return clip > 0 && a > clip ? clip : clip > 0 && a < -clip ? -clip : a;
}

/* The time step at which a row is; −1 where its sequence is over. */
#define TIME_OF(row) timeOf(lengthOf(p.lengths, p.time, row), p.step, p.reverse)

DEVICE int64_t timeOf(int64_t length, int64_t step, int32_t reverse) {
  return step >= length ? -1 : reverse ? length - 1 - step : step;
}

/* Where a row's x·W begins. */
#define INPUT_OF(row, t)                                                                           \
  (p.x +                                                                                           \
   (p.tokens ? tokenRow(p.tokens, p.wide, (t) * p.tokenTime + (row) * p.tokenRow, p.tableRows) * p.xRow \
             : (t) * p.xTime + (row) * p.xRow))

DEVICE int64_t tokenRow(const void *tokens, int32_t wide, int64_t at, int64_t tableRows) {
  const int64_t token = indexAt(tokens, wide, at);
  const int64_t counted = token < 0 ? token + tableRows : token;
  return counted < 0 ? 0 : counted >= tableRows ? tableRows - 1 : counted;
}

/* x·W + b + h'·R + r of one element of a gate. */
#define ARGUMENT(gate)                                                                             \
  (x[(gate) * p.hidden + j] + orZero(p.inputBias, (gate) * p.hidden + j) +                         \
   orZero(p.r, row * p.rRow + (gate) * p.hidden + j) + orZero(p.recurrentBias, (gate) * p.hidden + j))

#define KEEP(slots, slot, value)                                                                   \
  do {                                                                                             \
    if (p.kept) {                                                                                  \
      p.kept[((t * p.batch + row) * (slots) + (slot)) * p.hidden + j] = (value);                   \
    }                                                                                              \
  } while (0)

#define GIVE(value)                                                                                \
  do {                                                                                             \
    const float given = (value);                                                                   \
    p.h[i] = given;                                                                                \
    if (p.output) {                                                                                \
      p.output[t * p.outputTime + row * p.outputRow + j] = given;                                  \
    }                                                                                              \
  } while (0)

/* A sequence that is over keeps its state, and its output is 0 from there on. */
#define STAY                                                                                       \
  do {                                                                                             \
    p.h[i] = orZero(p.h0, i);                                                                      \
    if (p.output) {                                                                                \
      p.output[p.step * p.outputTime + row * p.outputRow + j] = 0;                                 \
    }                                                                                              \
  } while (0)

typedef Step rnnStepArgs;
KERNEL(rnnStep) {
  EACH(i, p.batch * p.hidden) {
    int64_t j;
    const int64_t row = divided(i, p.hidden, &j);
    const int64_t t = TIME_OF(row);
    if (t < 0) {
      STAY;
    } else {
      const float *x = INPUT_OF(row, t);
      const float a = ARGUMENT(0);
      KEEP(1, 0, a);
      GIVE(activated(p.f, clipped(p.clip, a)));
    }
  }
}

/* With the reset after the product. */
typedef Step gruStepArgs;
KERNEL(gruStep) {
  EACH(i, p.batch * p.hidden) {
    int64_t j;
    const int64_t row = divided(i, p.hidden, &j);
    const int64_t t = TIME_OF(row);
    if (t < 0) {
      STAY;
    } else {
      const float *x = INPUT_OF(row, t);
      const float az = ARGUMENT(0);
      const float ar = ARGUMENT(1);
      const int64_t n = 2 * p.hidden + j;
      const float inner = orZero(p.r, row * p.rRow + n) + orZero(p.recurrentBias, n);
      const float update = activated(p.f, clipped(p.clip, az));
      const float reset = activated(p.f, clipped(p.clip, ar));
      const float an = x[n] + orZero(p.inputBias, n) + reset * inner;
      const float candidate = activated(p.g, clipped(p.clip, an));
      KEEP(4, 0, az);
      KEEP(4, 1, ar);
      KEEP(4, 2, an);
      KEEP(4, 3, inner);
      GIVE((1 - update) * candidate + update * orZero(p.h0, i));
    }
  }
}

/* With the reset before the product: the update gate goes to scratch, what is multiplied by Rn to reset. */
typedef Step gruGatesArgs;
KERNEL(gruGates) {
  EACH(i, p.batch * p.hidden) {
    int64_t j;
    const int64_t row = divided(i, p.hidden, &j);
    const int64_t t = TIME_OF(row);
    float update = 0;
    float reset = 0;
    if (t >= 0) {
      const float *x = INPUT_OF(row, t);
      const float az = ARGUMENT(0);
      const float ar = ARGUMENT(1);
      KEEP(4, 0, az);
      KEEP(4, 1, ar);
      update = activated(p.f, clipped(p.clip, az));
      reset = activated(p.f, clipped(p.clip, ar)) * orZero(p.h0, i) * (p.mask ? p.mask[i] : 1);
    }
    p.scratch[i] = update;
    p.reset[i] = reset;
  }
}

/* Its second half; r has the columns of the candidate only. */
typedef Step gruCandidateArgs;
KERNEL(gruCandidate) {
  EACH(i, p.batch * p.hidden) {
    int64_t j;
    const int64_t row = divided(i, p.hidden, &j);
    const int64_t t = TIME_OF(row);
    if (t < 0) {
      STAY;
    } else {
      const float *x = INPUT_OF(row, t);
      const int64_t n = 2 * p.hidden + j;
      const float an = x[n] + orZero(p.inputBias, n) + orZero(p.r, row * p.rRow + j) + orZero(p.recurrentBias, n);
      const float update = p.scratch[i];
      KEEP(4, 2, an);
      GIVE((1 - update) * activated(p.g, clipped(p.clip, an)) + update * orZero(p.h0, i));
    }
  }
}

/* The cell state and the output gate of an element; what the way back needs is kept. */
#define LSTM_CELL                                                                                  \
  const float *x = INPUT_OF(row, t);                                                               \
  const float before = orZero(p.c0, i);                                                            \
  const float ai = ARGUMENT(0) + orZero(p.peepholes, j) * before;                                  \
  const float af = ARGUMENT(2) + (p.peepholes ? p.peepholes[2 * p.hidden + j] * before : 0);       \
  const float ac = ARGUMENT(3);                                                                    \
  const float in = activated(p.f, clipped(p.clip, ai));                                            \
  const float forget = p.coupled ? 1 - in : activated(p.f, clipped(p.clip, af));                   \
  const float cell = forget * before + in * activated(p.g, clipped(p.clip, ac));                   \
  const float ao = ARGUMENT(1) + (p.peepholes ? p.peepholes[p.hidden + j] * cell : 0);             \
  const float out = activated(p.f, clipped(p.clip, ao));                                           \
  KEEP(5, 0, ai);                                                                                  \
  KEEP(5, 1, ao);                                                                                  \
  KEEP(5, 2, af);                                                                                  \
  KEEP(5, 3, ac);                                                                                  \
  KEEP(5, 4, cell);                                                                                \
  p.c[i] = cell

/* With a projection o ∘ k(c) goes to scratch, and storeState follows the product. */
typedef Step lstmStepArgs;
KERNEL(lstmStep) {
  EACH(i, p.batch * p.hidden) {
    int64_t j;
    const int64_t row = divided(i, p.hidden, &j);
    const int64_t t = TIME_OF(row);
    if (t < 0) {
      p.c[i] = orZero(p.c0, i);
      if (p.projected) {
        p.scratch[i] = 0;
      } else {
        STAY;
      }
    } else {
      LSTM_CELL;
      const float inner = out * activated(p.k, cell);
      if (p.projected) {
        p.scratch[i] = inner;
      } else {
        GIVE(inner);
      }
    }
  }
}

/* Where the cell state is normalised, the first half: the cell state, and the output gate to scratch. */
typedef Step lstmCellArgs;
KERNEL(lstmCell) {
  EACH(i, p.batch * p.hidden) {
    int64_t j;
    const int64_t row = divided(i, p.hidden, &j);
    const int64_t t = TIME_OF(row);
    if (t < 0) {
      p.c[i] = orZero(p.c0, i);
      p.scratch[i] = 0;
    } else {
      LSTM_CELL;
      p.scratch[i] = out;
    }
  }
}

/* The second half: reset is the normalised cell state. */
typedef Step lstmOutputArgs;
KERNEL(lstmOutput) {
  EACH(i, p.batch * p.hidden) {
    int64_t j;
    const int64_t row = divided(i, p.hidden, &j);
    const int64_t t = TIME_OF(row);
    const float inner = t < 0 ? 0 : p.scratch[i] * activated(p.k, p.reset[i]);
    if (p.projected) {
      p.scratch[i] = inner;
    } else if (t < 0) {
      STAY;
    } else {
      GIVE(inner);
    }
  }
}

/* A product, r, becomes the hidden state. */
typedef Step storeStateArgs;
KERNEL(storeState) {
  EACH(i, p.batch * p.hidden) {
    int64_t j;
    const int64_t row = divided(i, p.hidden, &j);
    const int64_t t = TIME_OF(row);
    if (t < 0) {
      STAY;
    } else {
      GIVE(orZero(p.r, row * p.rRow + j));
    }
  }
}

typedef struct {
  const float *source;
  float *target;
  const int32_t *lengths;
  int64_t time, batch, size, sourceTime, sourceRow, targetTime, targetRow;
  int32_t reverse;
} moveSequencesArgs;

/*
 * Each sequence as it is, or from its last time step to its first, and 0 behind its end: what lies there may be NaN, which
 * times 0 is not 0.
 */
KERNEL(moveSequences) {
  EACH(i, p.time * p.batch * p.size) {
    int64_t place, j;
    const int64_t t = divided(i, p.batch * p.size, &place);
    const int64_t row = divided(place, p.size, &j);
    const int64_t from = timeOf(lengthOf(p.lengths, p.time, row), t, p.reverse);
    p.target[t * p.targetTime + row * p.targetRow + j] =
        from < 0 ? 0 : p.source[from * p.sourceTime + row * p.sourceRow + j];
  }
}
