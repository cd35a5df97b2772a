/* Windows over planes: what convolutions need beside a product, and pooling. */
#include "kernel.h"

/* Three axes; where there are fewer, the leading ones have size 1, with a kernel, stride and dilation of 1 and no padding. */
typedef struct {
  int64_t in[3], out[3];
  int32_t kernel[3], strides[3], dilations[3], pads[3];
} Window;

DEVICE int64_t volume(const int64_t *sizes) {
  return sizes[0] * sizes[1] * sizes[2];
}

DEVICE int64_t kernelSize(const Window *w) {
  return (int64_t)w->kernel[0] * w->kernel[1] * w->kernel[2];
}

/* The element of the input plane that element k of the window at place `out` sees; −1 for padding. */
DEVICE int64_t seen(const Window *w, int64_t k, int64_t out) {
  int64_t at = 0;
  int64_t step = 1;
  int inside = 1;
  UNROLL
  for (int axis = 2; axis >= 0; axis--) {
    int64_t tap, place;
    k = divided(k, w->kernel[axis], &tap);
    out = divided(out, w->out[axis], &place);
    const int64_t index = place * w->strides[axis] + tap * w->dilations[axis] - w->pads[axis];
    inside &= index >= 0 && index < w->in[axis];
    at += index * step;
    step *= w->in[axis];
  }
  return inside ? at : -1;
}

/* The place whose window sees input element `in` with its element k; −1 if there is none. */
DEVICE int64_t seenFrom(const Window *w, int64_t k, int64_t in) {
  int64_t at = 0;
  int64_t step = 1;
  int exists = 1;
  UNROLL
  for (int axis = 2; axis >= 0; axis--) {
    int64_t tap, index;
    k = divided(k, w->kernel[axis], &tap);
    in = divided(in, w->in[axis], &index);
    const int64_t from = index + w->pads[axis] - tap * w->dilations[axis];
    const int64_t place = from / w->strides[axis];
    exists &= from >= 0 && place * w->strides[axis] == from && place < w->out[axis];
    at += place * step;
    step *= w->out[axis];
  }
  return exists ? at : -1;
}

typedef struct {
  const float *input;
  float *columns;
  int64_t images, channels, imageStride;
  Window w;
} im2colArgs;

/* columns [images, channels · kernel, places]: what each element of each window sees. */
KERNEL(im2col) {
  const int64_t places = volume(p.w.out);
  const int64_t taps = kernelSize(&p.w);
  const int64_t plane = volume(p.w.in);
  EACH(i, p.images * p.channels * taps * places) {
    int64_t place, tap, channel;
    int64_t rest = divided(i, places, &place);
    rest = divided(rest, taps, &tap);
    const int64_t image = divided(rest, p.channels, &channel);
    const int64_t at = seen(&p.w, tap, place);
    p.columns[i] = at < 0 ? 0 : p.input[image * p.imageStride + channel * plane + at];
  }
}

typedef struct {
  const float *columns;
  float *input;
  int64_t images, channels, imageStride;
  Window w;
} col2imArgs;

/* The other way: each element of the input is the sum of all that saw it. */
KERNEL(col2im) {
  const int64_t places = volume(p.w.out);
  const int64_t taps = kernelSize(&p.w);
  const int64_t plane = volume(p.w.in);
  EACH(i, p.images * p.channels * plane) {
    int64_t in, channel;
    const int64_t rest = divided(i, plane, &in);
    const int64_t image = divided(rest, p.channels, &channel);
    const float *columns = p.columns + rest * taps * places;
    double sum = 0;
    ONE_BY_ONE
    for (int64_t tap = 0; tap < taps; tap++) {
      const int64_t place = seenFrom(&p.w, tap, in);
      sum += place < 0 ? 0 : columns[tap * places + place];
    }
    p.input[image * p.imageStride + channel * plane + in] = (float)sum;
  }
}

typedef struct {
  const float *input;
  float *output;
  int64_t planes;
  Window w;
  int32_t maximum, countsPadding;
} poolArgs;

/* How many elements of a window count for its mean. */
DEVICE int64_t counted(const Window *w, int64_t place, int32_t countsPadding) {
  const int64_t taps = kernelSize(w);
  int64_t count = 0;
  ONE_BY_ONE
  for (int64_t tap = 0; tap < taps; tap++) {
    count += countsPadding || seen(w, tap, place) >= 0;
  }
  return count > 0 ? count : 1;
}

KERNEL(pool) {
  const int64_t places = volume(p.w.out);
  const int64_t taps = kernelSize(&p.w);
  const int64_t plane = volume(p.w.in);
  EACH(i, p.planes * places) {
    int64_t place;
    const float *x = p.input + divided(i, places, &place) * plane;
    float most = -INFINITY;
    double sum = 0;
    ONE_BY_ONE
    for (int64_t tap = 0; tap < taps; tap++) {
      const int64_t at = seen(&p.w, tap, place);
      if (at >= 0) {
        most = largest(most, x[at]);
        sum += x[at];
      }
    }
    p.output[i] = p.maximum ? most : (float)(sum / counted(&p.w, place, p.countsPadding));
  }
}

typedef struct {
  const float *input, *outputGradient;
  float *inputGradient;
  int64_t planes;
  Window w;
  int32_t maximum, countsPadding;
} poolGradientArgs;

/* The element of the plane that a window's gradient goes to: the first of the largest; −1 if it sees nothing. */
DEVICE int64_t firstLargest(const Window *w, int64_t place, const float *x) {
  const int64_t taps = kernelSize(w);
  int64_t best = -1;
  ONE_BY_ONE
  for (int64_t tap = 0; tap < taps; tap++) {
    const int64_t at = seen(w, tap, place);
    best = at >= 0 && (best < 0 || x[at] > x[best]) ? at : best;
  }
  return best;
}

KERNEL(poolGradient) {
  const int64_t places = volume(p.w.out);
  const int64_t taps = kernelSize(&p.w);
  const int64_t plane = volume(p.w.in);
  EACH(i, p.planes * plane) {
    int64_t in;
    const int64_t which = divided(i, plane, &in);
    const float *x = p.input + which * plane;
    const float *dy = p.outputGradient + which * places;
    double sum = 0;
    ONE_BY_ONE
    for (int64_t tap = 0; tap < taps; tap++) {
      const int64_t place = seenFrom(&p.w, tap, in);
      if (place >= 0 && !p.maximum) {
        sum += dy[place] / (double)counted(&p.w, place, p.countsPadding);
      } else if (place >= 0 && firstLargest(&p.w, place, x) == in) {
        sum += dy[place];
      }
    }
    p.inputGradient[i] = (float)sum;
  }
}
