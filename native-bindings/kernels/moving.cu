/* Numbers from one place to another. */
#include "kernel.h"

typedef struct {
  void *target;
  int64_t count, bits;
} FillArgs;

#define FILL(name, type)                                                                           \
  typedef FillArgs name##Args;                                                                     \
  KERNEL(name) {                                                                                   \
    type *target = (type *)p.target;                                                               \
    EACH(i, p.count) {                                                                             \
      target[i] = (type)p.bits;                                                                    \
    }                                                                                              \
  }

FILL(fill1, uint8_t)
FILL(fill2, uint16_t)
FILL(fill4, uint32_t)
FILL(fill8, uint64_t)

typedef struct {
  const void *source;
  void *target;
  int64_t count;
  int32_t from, to;
} castArgs;

DEVICE int64_t bounded(int64_t value, int64_t least, int64_t most) {
  return value < least ? least : value > most ? most : value;
}

/* Truncated towards zero; what does not fit saturates, NaN becomes 0. */
DEVICE int64_t whole(float value) {
  if (!(value == value)) {
    return 0;
  }
  return value >= 0x1p63f ? INT64_MAX : value <= -0x1p63f ? INT64_MIN : (int64_t)value;
}

/* The same of what only a uint64 holds. */
DEVICE uint64_t largeWhole(float value) {
  return value >= 0x1p64f ? UINT64_MAX : (uint64_t)value;
}

KERNEL(cast) {
  EACH(i, p.count) {
    float real = 0;
    int64_t value = 0;
    int set = 0;
    switch (p.from) {
      case FLOAT32:
        real = ((const float *)p.source)[i];
        value = whole(real);
        set = real != 0;
        break;
      case INT8:
        value = ((const int8_t *)p.source)[i];
        break;
      case UINT8:
        value = ((const uint8_t *)p.source)[i];
        break;
      case INT16:
        value = ((const int16_t *)p.source)[i];
        break;
      case UINT16:
        value = ((const uint16_t *)p.source)[i];
        break;
      case INT32:
        value = ((const int32_t *)p.source)[i];
        break;
      case UINT32:
        value = ((const uint32_t *)p.source)[i];
        break;
      case INT64:
        value = ((const int64_t *)p.source)[i];
        break;
      case UINT64:
        /* As far as an int64 goes, as on every device. */
        value = ((const int64_t *)p.source)[i];
        value = value < 0 ? INT64_MAX : value;
        break;
      default:
        value = ((const uint8_t *)p.source)[i] != 0;
    }
    if (p.from != FLOAT32) {
      real = p.from == UINT64 ? (float)((const uint64_t *)p.source)[i] : (float)value;
      set = value != 0;
    }
    switch (p.to) {
      case FLOAT32:
        ((float *)p.target)[i] = real;
        break;
      case INT8:
        ((int8_t *)p.target)[i] = (int8_t)bounded(value, INT8_MIN, INT8_MAX);
        break;
      case UINT8:
        ((uint8_t *)p.target)[i] = (uint8_t)bounded(value, 0, UINT8_MAX);
        break;
      case INT16:
        ((int16_t *)p.target)[i] = (int16_t)bounded(value, INT16_MIN, INT16_MAX);
        break;
      case UINT16:
        ((uint16_t *)p.target)[i] = (uint16_t)bounded(value, 0, UINT16_MAX);
        break;
      case INT32:
        ((int32_t *)p.target)[i] = (int32_t)bounded(value, INT32_MIN, INT32_MAX);
        break;
      case UINT32:
        ((uint32_t *)p.target)[i] = (uint32_t)bounded(value, 0, UINT32_MAX);
        break;
      case INT64:
        ((int64_t *)p.target)[i] = value;
        break;
      case UINT64:
        ((uint64_t *)p.target)[i] =
            p.from == FLOAT32 && real >= 0x1p63f ? largeWhole(real) : (uint64_t)(value < 0 ? 0 : value);
        break;
      default:
        ((uint8_t *)p.target)[i] = (uint8_t)set;
    }
  }
}

typedef struct {
  const void *source;
  int64_t sourceOffset;
  void *target;
  int64_t targetOffset;
  Axes axes;
} CopyArgs;

/* Any strides on either side: axes.a of the source, axes.b of the target. */
#define COPY(name, type)                                                                           \
  typedef CopyArgs name##Args;                                                                     \
  KERNEL(name) {                                                                                   \
    const type *source = (const type *)p.source;                                                   \
    type *target = (type *)p.target;                                                               \
    EACH(i, elements(p.axes)) {                                                                    \
      int64_t from = p.sourceOffset;                                                               \
      int64_t to = p.targetOffset;                                                                 \
      places(i, p.axes, &from, &to);                                                               \
      target[to] = source[from];                                                                   \
    }                                                                                              \
  }

COPY(copy1, uint8_t)
COPY(copy2, uint16_t)
COPY(copy4, uint32_t)
COPY(copy8, uint64_t)

typedef struct {
  const void *table, *indices;
  void *target;
  int64_t tableRows, rowBytes, count;
  int32_t wide;
} gatherRowsArgs;

/* A negative index counts from the end; a row of none of the table's indices is not written. */
#define GATHER(type)                                                                               \
  do {                                                                                             \
    const int64_t size = p.rowBytes / (int64_t)sizeof(type);                                       \
    EACH(i, p.count * size) {                                                                      \
      int64_t column;                                                                              \
      const int64_t row = divided(i, size, &column);                                               \
      int64_t index = indexAt(p.indices, p.wide, row);                                             \
      index += index < 0 ? p.tableRows : 0;                                                        \
      if (index >= 0 && index < p.tableRows) {                                                     \
        ((type *)p.target)[i] = ((const type *)p.table)[index * size + column];                    \
      }                                                                                            \
    }                                                                                              \
  } while (0)

KERNEL(gatherRows) {
  if ((((uintptr_t)p.table | (uintptr_t)p.target | (uintptr_t)p.rowBytes) & 3) == 0) {
    GATHER(uint32_t);
  } else {
    GATHER(uint8_t);
  }
}

typedef struct {
  float *target;
  const int64_t *places;
  int64_t targetCount, count;
  float value;
} assignArgs;

KERNEL(assign) {
  EACH(i, p.count) {
    const int64_t place = p.places[i];
    if (place >= 0 && place < p.targetCount) {
      p.target[place] = p.value;
    }
  }
}

typedef struct {
  const float *source;
  const void *indices;
  float *target;
  int64_t count, rowSize, tableRows;
  int32_t wide;
} scatterAddRowsArgs;

DEVICE int64_t tableRow(const void *indices, int32_t wide, int64_t at, int64_t tableRows) {
  const int64_t index = indexAt(indices, wide, at);
  return index < 0 ? index + tableRows : index;
}

/* Whoever is the first to point at a row of the table adds up all that do, in their order; the rest of the table is left. */
KERNEL(scatterAddRows) {
  ROWS(first, p.count) {
    const int64_t row = tableRow(p.indices, p.wide, first, p.tableRows);
    int mine = row >= 0 && row < p.tableRows;
    ONE_BY_ONE
    for (int64_t i = 0; i < first && mine; i++) {
      mine = tableRow(p.indices, p.wide, i, p.tableRows) != row;
    }
    PHASE(thread) {
      for (int64_t j = thread; mine && j < p.rowSize; j += THREADS) {
        float sum = 0;
        EIGHT_AT_ONCE
        for (int64_t i = first; i < p.count; i++) {
          const int same = tableRow(p.indices, p.wide, i, p.tableRows) == row;
          sum += same ? p.source[i * p.rowSize + j] : 0.0f;
        }
        p.target[row * p.rowSize + j] = sum;
      }
    }
  }
}

typedef struct {
  const void *indices;
  int64_t *status;
  int64_t count, stride, outer, outerStride, lower, upper;
  int32_t wide;
} checkIndicesArgs;

/* The position of the first index that is out of bounds goes to status, if it is lower than what is there. */
KERNEL(checkIndices) {
  EACH(i, p.outer * p.count) {
    int64_t inner;
    const int64_t outer = divided(i, p.count, &inner);
    const int64_t index = indexAt(p.indices, p.wide, outer * p.outerStride + inner * p.stride);
    if (index < p.lower || index >= p.upper) {
      LOWER(p.status, i);
    }
  }
}
