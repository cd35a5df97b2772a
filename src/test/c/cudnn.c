/*
 * cuDNN: convolutions, and recurrent layers through the interface of version 8, as NVIDIA's documentation of
 * cudnnConvolutionForward, cudnnRNNMode_t, cudnnGetRNNWeightParams and cudnnRNNForward describes them:
 *
 *   pseudo-layers      layer by layer; of two directions the forward one first
 *   LSTM               0 input, 1 forget, 2 new memory, 3 output gate; 4 to 7 the same of the recurrent weights; 8 projection
 *   GRU                0 reset, 1 update, 2 new memory; 3 to 5 the same of the recurrent weights; reset after the product
 *   matrices           [1, rows, columns] row by row, biases [1, rows, 1]
 *
 * Where they lie in the weight space only cudnnGetRNNWeightParams tells, so here there are gaps between them. What the
 * documentation calls undefined is NaN here.
 */
#include "cudnn_layers.h"
#include "standin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BAD_PARAM = 2000, NOT_SUPPORTED = 3000, LOST = 5000, ALLOC_FAILED = 1002 };
enum { GAP = 64, SLOTS = 6, MOST_GATES = 4 };

typedef struct {
  Handle handle;
  void *stream;
} Dnn;

typedef struct {
  Handle handle;
  int count, sizes[8], strides[8];
} TensorOf;

typedef struct {
  Handle handle;
  float dropout;
  bool set;
} Dropout;

typedef struct {
  Handle handle;
  int cell, dirs, input, hidden, projection, layers, math;
  bool padded, set;
} Rnn;

typedef struct {
  Handle handle;
  int layout, time, batch, size;
  int *lengths;
  float fill;
  bool set;
} Data;

#define BEGIN(name)                                                                                                    \
  standin_lock();                                                                                                      \
  int result = standin_enter(name, LOST)
#define END                                                                                                            \
  standin_unlock();                                                                                                    \
  return result
#define NEEDS(pointer, kind, name)                                                                                     \
  if (result == 0 && !standin_alive(pointer, kind)) {                                                                  \
    result = standin_fault(BAD_PARAM, "%s: %p is not what is alive", name, (const void *)(pointer));                  \
  }
#define CREATE(name, kind, type, where)                                                                                \
  BEGIN(name);                                                                                                         \
  if (result == 0) {                                                                                                   \
    *(where) = standin_create(kind, sizeof(type));                                                                     \
  }                                                                                                                    \
  END
#define DESTROY(name, kind, what)                                                                                      \
  BEGIN(name);                                                                                                         \
  if (!standin_alive(what, kind)) {                                                                                    \
    result = standin_fault(BAD_PARAM, "%s(%p): not what is alive", name, (void *)(what));                             \
  } else {                                                                                                             \
    standin_destroy(what);                                                                                             \
  }                                                                                                                    \
  END

EXPORT size_t cudnnGetVersion(void) {
  return 90100;
}

EXPORT const char *cudnnGetErrorString(cudnnStatus_t status) {
  switch (status) {
    case 0:
      return "CUDNN_STATUS_SUCCESS";
    case 1001:
      return "CUDNN_STATUS_NOT_INITIALIZED";
    case ALLOC_FAILED:
      return "CUDNN_STATUS_ALLOC_FAILED";
    case BAD_PARAM:
      return "CUDNN_STATUS_BAD_PARAM";
    case NOT_SUPPORTED:
      return "CUDNN_STATUS_NOT_SUPPORTED";
    case LOST:
      return "CUDNN_STATUS_EXECUTION_FAILED";
    default:
      return "CUDNN_STATUS_INTERNAL_ERROR";
  }
}

EXPORT cudnnStatus_t cudnnCreate(cudnnHandle_t *handle) {
  BEGIN("cudnnCreate");
  if (result == 0 && !standin_bound()) {
    result = 1001;
  } else if (result == 0) {
    *handle = standin_create(LIVE_CUDNN, sizeof(Dnn));
  }
  END;
}

EXPORT cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  DESTROY("cudnnDestroy", LIVE_CUDNN, handle);
}

EXPORT cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  BEGIN("cudnnSetStream");
  NEEDS(handle, LIVE_CUDNN, "cudnnSetStream")
  if (result == 0 && !standin_stream(stream)) {
    result = standin_fault(BAD_PARAM, "cudnnSetStream: %p is not a stream", stream);
  } else if (result == 0) {
    ((Dnn *)handle)->stream = stream;
  }
  END;
}

EXPORT cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *descriptor) {
  CREATE("cudnnCreateTensorDescriptor", LIVE_TENSOR_DESCRIPTOR, TensorOf, descriptor);
}

EXPORT cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t descriptor) {
  DESTROY("cudnnDestroyTensorDescriptor", LIVE_TENSOR_DESCRIPTOR, descriptor);
}

EXPORT cudnnStatus_t cudnnSetTensorNdDescriptor(cudnnTensorDescriptor_t descriptor, cudnnDataType_t type, int count,
                                                const int sizes[], const int strides[]) {
  BEGIN("cudnnSetTensorNdDescriptor");
  NEEDS(descriptor, LIVE_TENSOR_DESCRIPTOR, "cudnnSetTensorNdDescriptor")
  if (result == 0 && (type != CUDNN_DATA_FLOAT || count < 3 || count > 8)) {
    result = standin_fault(BAD_PARAM, "cudnnSetTensorNdDescriptor: type %d, %d axes", type, count);
  } else if (result == 0) {
    TensorOf *tensor = descriptor;
    tensor->count = count;
    for (int i = 0; i < count; i++) {
      tensor->sizes[i] = sizes[i];
      tensor->strides[i] = strides[i];
      if (sizes[i] <= 0) {
        result = standin_fault(BAD_PARAM, "cudnnSetTensorNdDescriptor: size %d is %d", i, sizes[i]);
      }
    }
  }
  END;
}

EXPORT cudnnStatus_t cudnnGetTensorNdDescriptor(const cudnnTensorDescriptor_t descriptor, int asked, cudnnDataType_t *type,
                                                int *count, int sizes[], int strides[]) {
  BEGIN("cudnnGetTensorNdDescriptor");
  NEEDS(descriptor, LIVE_TENSOR_DESCRIPTOR, "cudnnGetTensorNdDescriptor")
  if (result == 0) {
    const TensorOf *tensor = descriptor;
    *type = CUDNN_DATA_FLOAT;
    *count = tensor->count;
    for (int i = 0; i < asked && i < tensor->count; i++) {
      sizes[i] = tensor->sizes[i];
      strides[i] = tensor->strides[i];
    }
  }
  END;
}

EXPORT cudnnStatus_t cudnnCreateDropoutDescriptor(cudnnDropoutDescriptor_t *descriptor) {
  CREATE("cudnnCreateDropoutDescriptor", LIVE_DROPOUT_DESCRIPTOR, Dropout, descriptor);
}

EXPORT cudnnStatus_t cudnnDestroyDropoutDescriptor(cudnnDropoutDescriptor_t descriptor) {
  DESTROY("cudnnDestroyDropoutDescriptor", LIVE_DROPOUT_DESCRIPTOR, descriptor);
}

EXPORT cudnnStatus_t cudnnSetDropoutDescriptor(cudnnDropoutDescriptor_t descriptor, cudnnHandle_t handle, float dropout,
                                               void *states, size_t stateBytes, unsigned long long seed) {
  BEGIN("cudnnSetDropoutDescriptor");
  (void)stateBytes;
  (void)seed;
  NEEDS(descriptor, LIVE_DROPOUT_DESCRIPTOR, "cudnnSetDropoutDescriptor")
  NEEDS(handle, LIVE_CUDNN, "cudnnSetDropoutDescriptor")
  if (result == 0 && (dropout != 0 || states != NULL)) {
    result = standin_fault(NOT_SUPPORTED, "cudnnSetDropoutDescriptor: the stand-in does not drop");
  } else if (result == 0) {
    ((Dropout *)descriptor)->set = true;
  }
  END;
}

EXPORT cudnnStatus_t cudnnCreateRNNDescriptor(cudnnRNNDescriptor_t *descriptor) {
  CREATE("cudnnCreateRNNDescriptor", LIVE_RNN_DESCRIPTOR, Rnn, descriptor);
}

EXPORT cudnnStatus_t cudnnDestroyRNNDescriptor(cudnnRNNDescriptor_t descriptor) {
  DESTROY("cudnnDestroyRNNDescriptor", LIVE_RNN_DESCRIPTOR, descriptor);
}

EXPORT cudnnStatus_t cudnnSetRNNDescriptor_v8(cudnnRNNDescriptor_t descriptor, cudnnRNNAlgo_t algorithm,
                                              cudnnRNNMode_t cell, cudnnRNNBiasMode_t bias, cudnnDirectionMode_t direction,
                                              cudnnRNNInputMode_t input, cudnnDataType_t type, cudnnDataType_t precision,
                                              cudnnMathType_t math, int32_t inputSize, int32_t hiddenSize,
                                              int32_t projectionSize, int32_t layers, cudnnDropoutDescriptor_t dropout,
                                              uint32_t flags) {
  BEGIN("cudnnSetRNNDescriptor_v8");
  NEEDS(descriptor, LIVE_RNN_DESCRIPTOR, "cudnnSetRNNDescriptor_v8")
  NEEDS(dropout, LIVE_DROPOUT_DESCRIPTOR, "cudnnSetRNNDescriptor_v8")
  if (result == 0 &&
      (algorithm != CUDNN_RNN_ALGO_STANDARD || cell < CUDNN_RNN_RELU || cell > CUDNN_GRU ||
       bias != CUDNN_RNN_DOUBLE_BIAS || direction < 0 || direction > 1 ||
       input != CUDNN_LINEAR_INPUT || type != CUDNN_DATA_FLOAT || precision != CUDNN_DATA_FLOAT || inputSize < 1 ||
       hiddenSize < 1 || layers < 1 || projectionSize < 1 || projectionSize > hiddenSize ||
       (projectionSize != hiddenSize && cell != CUDNN_LSTM) || flags > 1 || !((Dropout *)dropout)->set ||
       (math != CUDNN_DEFAULT_MATH && math != CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION && math != CUDNN_FMA_MATH))) {
    result = standin_fault(BAD_PARAM,
                           "cudnnSetRNNDescriptor_v8: algorithm %d, cell %d, bias %d, direction %d, input %d, types %d %d, math %d, "
                           "sizes %d %d %d, layers %d, flags %u",
                           algorithm, cell, bias, direction, input, type, precision, math, inputSize, hiddenSize,
                           projectionSize, layers, flags);
  } else if (result == 0) {
    Rnn *rnn = descriptor;
    rnn->cell = cell;
    rnn->dirs = direction == CUDNN_BIDIRECTIONAL ? 2 : 1;
    rnn->input = inputSize;
    rnn->hidden = hiddenSize;
    rnn->projection = projectionSize == hiddenSize ? 0 : projectionSize;
    rnn->layers = layers;
    rnn->math = math;
    rnn->padded = flags == CUDNN_RNN_PADDED_IO_ENABLED;
    rnn->set = true;
  }
  END;
}

EXPORT cudnnStatus_t cudnnCreateRNNDataDescriptor(cudnnRNNDataDescriptor_t *descriptor) {
  CREATE("cudnnCreateRNNDataDescriptor", LIVE_DATA_DESCRIPTOR, Data, descriptor);
}

EXPORT cudnnStatus_t cudnnDestroyRNNDataDescriptor(cudnnRNNDataDescriptor_t descriptor) {
  if (standin_alive(descriptor, LIVE_DATA_DESCRIPTOR)) {
    free(((Data *)descriptor)->lengths);
  }
  DESTROY("cudnnDestroyRNNDataDescriptor", LIVE_DATA_DESCRIPTOR, descriptor);
}

EXPORT cudnnStatus_t cudnnSetRNNDataDescriptor(cudnnRNNDataDescriptor_t descriptor, cudnnDataType_t type,
                                               cudnnRNNDataLayout_t layout, int maximumLength, int batch, int size,
                                               const int lengths[], void *paddingFill) {
  BEGIN("cudnnSetRNNDataDescriptor");
  NEEDS(descriptor, LIVE_DATA_DESCRIPTOR, "cudnnSetRNNDataDescriptor")
  if (result == 0 && (type != CUDNN_DATA_FLOAT || (layout != CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED && layout != CUDNN_RNN_DATA_LAYOUT_BATCH_MAJOR_UNPACKED) || maximumLength < 1 || batch < 1 || size < 1)) {
    result = standin_fault(BAD_PARAM, "cudnnSetRNNDataDescriptor: type %d, layout %d, length %d, batch %d, size %d", type,
                           layout, maximumLength, batch, size);
  }
  for (int i = 0; i < batch && result == 0; i++) {
    /* The documentation lets a length be 0; libraries in the field refuse it or go wrong, so it is none here. */
    if (lengths[i] < 1 || lengths[i] > maximumLength) {
      result = standin_fault(BAD_PARAM, "cudnnSetRNNDataDescriptor: length %d is %d of %d", i, lengths[i], maximumLength);
    }
  }
  if (result == 0) {
    Data *data = descriptor;
    free(data->lengths);
    data->layout = layout;
    data->time = maximumLength;
    data->batch = batch;
    data->size = size;
    data->fill = paddingFill == NULL ? NAN : *(const float *)paddingFill;
    data->lengths = malloc(sizeof(int) * (size_t)batch);
    memcpy(data->lengths, lengths, sizeof(int) * (size_t)batch);
    data->set = true;
  }
  END;
}

// ---- weights --------------------------------------------------------------------------------------------------------

static int gatesOf(const Rnn *rnn) {
  return rnn->cell == CUDNN_LSTM ? 4 : rnn->cell == CUDNN_GRU ? 3 : 1;
}

static int stateOf(const Rnn *rnn) {
  return rnn->projection > 0 ? rnn->projection : rnn->hidden;
}

static int inputOf(const Rnn *rnn, int pseudo) {
  return pseudo < rnn->dirs ? rnn->input : rnn->dirs * stateOf(rnn);
}

/* How many matrices a pseudo-layer has. */
static int matricesOf(const Rnn *rnn) {
  return 2 * gatesOf(rnn) + (rnn->projection > 0);
}

typedef struct {
  size_t matrix, bias; /* offsets in floats; the bias' is 0 where there is none */
  int rows, columns;
} Place;

static Place placeOf(const Rnn *rnn, int pseudo, int linear) {
  size_t at = GAP;
  Place place = {0, 0, 0, 0};
  for (int i = 0; i <= pseudo; i++) {
    for (int j = 0; j < matricesOf(rnn); j++) {
      const bool projects = j == 2 * gatesOf(rnn);
      place.rows = projects ? rnn->projection : rnn->hidden;
      place.columns = projects ? rnn->hidden : j < gatesOf(rnn) ? inputOf(rnn, i) : stateOf(rnn);
      place.matrix = at;
      at += (size_t)place.rows * place.columns + GAP;
      place.bias = !projects ? at : 0;
      at += place.bias == 0 ? 0 : place.rows + GAP;
      if (i == pseudo && j == linear) {
        return place;
      }
    }
  }
  place.matrix = at;
  return place;
}

static size_t weightFloats(const Rnn *rnn) {
  return placeOf(rnn, rnn->layers * rnn->dirs - 1, -1).matrix;
}

EXPORT cudnnStatus_t cudnnGetRNNWeightSpaceSize(cudnnHandle_t handle, cudnnRNNDescriptor_t descriptor, size_t *bytes) {
  BEGIN("cudnnGetRNNWeightSpaceSize");
  NEEDS(handle, LIVE_CUDNN, "cudnnGetRNNWeightSpaceSize")
  NEEDS(descriptor, LIVE_RNN_DESCRIPTOR, "cudnnGetRNNWeightSpaceSize")
  if (result == 0) {
    *bytes = weightFloats(descriptor) * sizeof(float);
  }
  END;
}

EXPORT cudnnStatus_t cudnnGetRNNWeightParams(cudnnHandle_t handle, cudnnRNNDescriptor_t descriptor, int32_t pseudoLayer,
                                             size_t bytes, const void *weights, int32_t linearLayer,
                                             cudnnTensorDescriptor_t matrixDescriptor, void **matrix,
                                             cudnnTensorDescriptor_t biasDescriptor, void **bias) {
  BEGIN("cudnnGetRNNWeightParams");
  NEEDS(handle, LIVE_CUDNN, "cudnnGetRNNWeightParams")
  NEEDS(descriptor, LIVE_RNN_DESCRIPTOR, "cudnnGetRNNWeightParams")
  NEEDS(matrixDescriptor, LIVE_TENSOR_DESCRIPTOR, "cudnnGetRNNWeightParams")
  NEEDS(biasDescriptor, LIVE_TENSOR_DESCRIPTOR, "cudnnGetRNNWeightParams")
  if (result == 0) {
    const Rnn *rnn = descriptor;
    if (pseudoLayer < 0 || pseudoLayer >= rnn->layers * rnn->dirs || linearLayer < 0 || linearLayer >= matricesOf(rnn) ||
        bytes < weightFloats(rnn) * sizeof(float) || !standin_on_device(weights, bytes)) {
      result = standin_fault(BAD_PARAM, "cudnnGetRNNWeightParams: pseudo-layer %d, linear layer %d, %zu bytes at %p",
                             pseudoLayer, linearLayer, bytes, weights);
    } else {
      const Place place = placeOf(rnn, pseudoLayer, linearLayer);
      TensorOf *m = matrixDescriptor;
      TensorOf *b = biasDescriptor;
      m->count = 3;
      memcpy(m->sizes, (int[]){1, place.rows, place.columns}, 3 * sizeof(int));
      memcpy(m->strides, (int[]){place.rows * place.columns, place.columns, 1}, 3 * sizeof(int));
      *matrix = (float *)weights + place.matrix;
      b->count = place.bias == 0 ? 0 : 3;
      memcpy(b->sizes, (int[]){1, place.rows, 1}, 3 * sizeof(int));
      memcpy(b->strides, (int[]){place.rows, 1, 1}, 3 * sizeof(int));
      *bias = place.bias == 0 ? NULL : (float *)weights + place.bias;
    }
  }
  END;
}

// ---- runs -----------------------------------------------------------------------------------------------------------

typedef struct {
  Rnn rnn;
  int layout, time, batch;
  int *lengths;
  float fill;
  bool training, weightsOnly;
  const float *x, *y, *dy, *hx, *cx, *dhy, *dcy, *weights;
  float *out, *hy, *cy, *dx, *dhx, *dcx, *dweights, *reserve;
} Run;

/*
 * The reserve space, for each pseudo-layer and each time step of each sequence: what became of the gates, the cell state
 * and the GRU's inner product; then the gradients of x·W and of h·R, of the hidden state, and at last each layer's outputs.
 */
static size_t keptOf(const Rnn *rnn) {
  return (size_t)(SLOTS + 2 * MOST_GATES) * rnn->hidden + stateOf(rnn);
}

static size_t reserveFloats(const Rnn *rnn, int time, int batch) {
  return (size_t)time * batch * (keptOf(rnn) + stateOf(rnn)) * rnn->layers * rnn->dirs;
}

static float *kept(const Run *run, int pseudo, int t, int b) {
  return run->reserve + (((size_t)pseudo * run->time + t) * run->batch + b) * keptOf(&run->rnn);
}

static float *layerOutput(const Run *run, int layer, int t, int b) {
  const size_t all = (size_t)run->time * run->batch;
  float *outputs = run->reserve + all * keptOf(&run->rnn) * run->rnn.layers * run->rnn.dirs;
  return outputs + (((size_t)layer * run->time + t) * run->batch + b) * run->rnn.dirs * stateOf(&run->rnn);
}

/* Where a time step of a sequence lies, in rows. */
static size_t rowOf(const Run *run, int t, int b) {
  if (run->layout == CUDNN_RNN_DATA_LAYOUT_BATCH_MAJOR_UNPACKED) {
    return (size_t)b * run->time + t;
  }
  return (size_t)t * run->batch + b;
}

static int timeAt(const Run *run, int pseudo, int b, int step) {
  return pseudo % run->rnn.dirs == 1 ? run->lengths[b] - 1 - step : step;
}

static const float *layerInput(const Run *run, int pseudo, int t, int b) {
  const int layer = pseudo / run->rnn.dirs;
  return layer == 0 ? run->x + rowOf(run, t, b) * run->rnn.input : layerOutput(run, layer - 1, t, b);
}

/* The hidden state before a step. */
static float hiddenBefore(const Run *run, int pseudo, int b, int step, int j) {
  const int state = stateOf(&run->rnn);
  if (step == 0) {
    return run->hx == NULL ? 0 : run->hx[((size_t)pseudo * run->batch + b) * state + j];
  }
  const int t = timeAt(run, pseudo, b, step - 1);
  return layerOutput(run, pseudo / run->rnn.dirs, t, b)[pseudo % run->rnn.dirs * state + j];
}

static float cellBefore(const Run *run, int pseudo, int b, int step, int j) {
  const int hidden = run->rnn.hidden;
  if (step == 0) {
    return run->cx == NULL ? 0 : run->cx[((size_t)pseudo * run->batch + b) * hidden + j];
  }
  return kept(run, pseudo, timeAt(run, pseudo, b, step - 1), b)[4 * hidden + j];
}

static double sigmoid(double x) {
  return 1 / (1 + exp(-x));
}

/* One element of a matrix times a vector plus its bias. */
static double element(const Run *run, Place place, int row, const float *vector) {
  double sum = place.bias == 0 ? 0 : run->weights[place.bias + row];
  for (int k = 0; k < place.columns; k++) {
    sum += (double)run->weights[place.matrix + (size_t)row * place.columns + k] * vector[k];
  }
  return sum;
}

static void forwardStep(const Run *run, int pseudo, int b, int step, float *before, float *made) {
  const Rnn *rnn = &run->rnn;
  const int hidden = rnn->hidden;
  const int state = stateOf(rnn);
  const int gates = gatesOf(rnn);
  const int t = timeAt(run, pseudo, b, step);
  const float *x = layerInput(run, pseudo, t, b);
  float *keep = kept(run, pseudo, t, b);
  float *output = layerOutput(run, pseudo / rnn->dirs, t, b) + pseudo % rnn->dirs * state;
  Place places[2 * MOST_GATES + 1];
  for (int i = 0; i < matricesOf(rnn); i++) {
    places[i] = placeOf(rnn, pseudo, i);
  }
  for (int j = 0; j < state; j++) {
    before[j] = hiddenBefore(run, pseudo, b, step, j);
  }
  for (int j = 0; j < hidden; j++) {
    double a[MOST_GATES], r[MOST_GATES];
    for (int g = 0; g < gates; g++) {
      a[g] = element(run, places[g], j, x);
      r[g] = element(run, places[gates + g], j, before);
    }
    switch (rnn->cell) {
      case CUDNN_LSTM: {
        const double in = sigmoid(a[0] + r[0]);
        const double forget = sigmoid(a[1] + r[1]);
        const double fresh = tanh(a[2] + r[2]);
        const double out = sigmoid(a[3] + r[3]);
        const float cell = (float)(forget * cellBefore(run, pseudo, b, step, j) + in * fresh);
        keep[j] = (float)in;
        keep[hidden + j] = (float)forget;
        keep[2 * hidden + j] = (float)fresh;
        keep[3 * hidden + j] = (float)out;
        keep[4 * hidden + j] = cell;
        made[j] = (float)(out * tanh(cell));
        break;
      }
      case CUDNN_GRU: {
        const double reset = sigmoid(a[0] + r[0]);
        const double update = sigmoid(a[1] + r[1]);
        const double fresh = tanh(a[2] + reset * r[2]);
        keep[j] = (float)reset;
        keep[hidden + j] = (float)update;
        keep[2 * hidden + j] = (float)fresh;
        keep[5 * hidden + j] = (float)r[2];
        made[j] = (float)((1 - update) * fresh + update * before[j]);
        break;
      }
      default: {
        const double sum = a[0] + r[0];
        made[j] = (float)(rnn->cell == CUDNN_RNN_TANH ? tanh(sum) : sum > 0 ? sum : sum == sum ? 0 : sum);
        keep[j] = made[j];
      }
    }
  }
  if (rnn->projection == 0) {
    memcpy(output, made, sizeof(float) * (size_t)state);
  } else {
    for (int j = 0; j < state; j++) {
      output[j] = (float)element(run, places[2 * gates], j, made);
    }
  }
}

static void forwardNow(void *arguments) {
  Run *run = arguments;
  const Rnn *rnn = &run->rnn;
  const int state = stateOf(rnn);
  float *own = NULL;
  if (!run->training) {
    own = calloc(reserveFloats(rnn, run->time, run->batch) + 1, sizeof(float));
    run->reserve = own;
  }
  float *before = malloc(sizeof(float) * (size_t)rnn->hidden);
  float *made = malloc(sizeof(float) * (size_t)rnn->hidden);
  for (int pseudo = 0; pseudo < rnn->layers * rnn->dirs; pseudo++) {
    for (int b = 0; b < run->batch; b++) {
      const int length = run->lengths[b];
      for (int step = 0; step < length; step++) {
        forwardStep(run, pseudo, b, step, before, made);
      }
      for (int j = 0; j < state && run->hy != NULL; j++) {
        run->hy[((size_t)pseudo * run->batch + b) * state + j] = hiddenBefore(run, pseudo, b, length, j);
      }
      for (int j = 0; j < rnn->hidden && run->cy != NULL && rnn->cell == CUDNN_LSTM; j++) {
        run->cy[((size_t)pseudo * run->batch + b) * rnn->hidden + j] = cellBefore(run, pseudo, b, length, j);
      }
    }
  }
  const int width = rnn->dirs * state;
  for (int b = 0; b < run->batch; b++) {
    for (int t = 0; t < run->time; t++) {
      float *to = run->out + rowOf(run, t, b) * width;
      const float *from = layerOutput(run, rnn->layers - 1, t, b);
      for (int j = 0; j < width; j++) {
        to[j] = t < run->lengths[b] ? from[j] : run->fill;
      }
    }
  }
  free(before);
  free(made);
  free(own);
  free(run->lengths);
}

/* The gradients of a step's sums from that of its hidden state; those before replace those after. */
static void backwardStep(const Run *run, int pseudo, int b, int step, double *dh, double *dc, double *dm, double *earlier) {
  const Rnn *rnn = &run->rnn;
  const int hidden = rnn->hidden;
  const int state = stateOf(rnn);
  const int gates = gatesOf(rnn);
  const int t = timeAt(run, pseudo, b, step);
  float *keep = kept(run, pseudo, t, b);
  float *dzx = keep + SLOTS * hidden;
  float *dzh = dzx + MOST_GATES * hidden;
  float *whole = dzh + MOST_GATES * hidden;
  for (int j = 0; j < state; j++) {
    whole[j] = (float)dh[j];
    earlier[j] = 0;
  }
  const Place projection = placeOf(rnn, pseudo, 2 * gates);
  for (int j = 0; j < hidden; j++) {
    dm[j] = rnn->projection == 0 ? dh[j] : 0;
    for (int i = 0; i < state && rnn->projection > 0; i++) {
      dm[j] += dh[i] * run->weights[projection.matrix + (size_t)i * hidden + j];
    }
  }
  for (int j = 0; j < hidden; j++) {
    switch (rnn->cell) {
      case CUDNN_LSTM: {
        const double in = keep[j];
        const double forget = keep[hidden + j];
        const double fresh = keep[2 * hidden + j];
        const double out = keep[3 * hidden + j];
        const double squashed = tanh(keep[4 * hidden + j]);
        const double given = dc[j] + dm[j] * out * (1 - squashed * squashed);
        dzx[j] = (float)(given * fresh * in * (1 - in));
        dzx[hidden + j] = (float)(given * cellBefore(run, pseudo, b, step, j) * forget * (1 - forget));
        dzx[2 * hidden + j] = (float)(given * in * (1 - fresh * fresh));
        dzx[3 * hidden + j] = (float)(dm[j] * squashed * out * (1 - out));
        dc[j] = given * forget;
        for (int g = 0; g < gates; g++) {
          dzh[g * hidden + j] = dzx[g * hidden + j];
        }
        break;
      }
      case CUDNN_GRU: {
        const double reset = keep[j];
        const double update = keep[hidden + j];
        const double fresh = keep[2 * hidden + j];
        const double candidate = dm[j] * (1 - update) * (1 - fresh * fresh);
        dzx[j] = dzh[j] = (float)(candidate * keep[5 * hidden + j] * reset * (1 - reset));
        dzx[hidden + j] = dzh[hidden + j] =
            (float)(dm[j] * (hiddenBefore(run, pseudo, b, step, j) - fresh) * update * (1 - update));
        dzx[2 * hidden + j] = (float)candidate;
        dzh[2 * hidden + j] = (float)(candidate * reset);
        earlier[j] = dm[j] * update;
        break;
      }
      default: {
        const double y = keep[j];
        dzx[j] = dzh[j] = (float)(dm[j] * (rnn->cell == CUDNN_RNN_TANH ? 1 - y * y : y > 0));
      }
    }
  }
  for (int g = 0; g < gates; g++) {
    const Place place = placeOf(rnn, pseudo, gates + g);
    for (int i = 0; i < hidden; i++) {
      for (int j = 0; j < state; j++) {
        earlier[j] += (double)dzh[g * hidden + i] * run->weights[place.matrix + (size_t)i * state + j];
      }
    }
  }
  memcpy(dh, earlier, sizeof(double) * (size_t)state);
}

static void backwardNow(void *arguments) {
  Run *run = arguments;
  const Rnn *rnn = &run->rnn;
  const int hidden = rnn->hidden;
  const int state = stateOf(rnn);
  const int width = rnn->dirs * state;
  const int gates = gatesOf(rnn);
  const size_t all = (size_t)run->time * run->batch;
  const int widest = rnn->input > width ? rnn->input : width;
  double *given = calloc(all * widest + 1, sizeof(double));
  double *wanted = calloc(all * widest + 1, sizeof(double));
  double *dh = malloc(sizeof(double) * (size_t)hidden * 4);
  double *dc = dh + hidden, *dm = dc + hidden, *earlier = dm + hidden;
  for (int b = 0; b < run->batch; b++) {
    for (int t = 0; t < run->lengths[b]; t++) {
      for (int j = 0; j < width; j++) {
        given[((size_t)t * run->batch + b) * width + j] = run->dy[rowOf(run, t, b) * width + j];
      }
    }
  }
  for (int layer = rnn->layers - 1; layer >= 0; layer--) {
    const int inputs = inputOf(rnn, layer * rnn->dirs);
    memset(wanted, 0, sizeof(double) * all * widest);
    for (int direction = 0; direction < rnn->dirs; direction++) {
      const int pseudo = layer * rnn->dirs + direction;
      for (int b = 0; b < run->batch; b++) {
        const size_t hiddenAt = ((size_t)pseudo * run->batch + b) * state;
        const size_t cellAt = ((size_t)pseudo * run->batch + b) * hidden;
        for (int j = 0; j < state; j++) {
          dh[j] = run->dhy == NULL ? 0 : run->dhy[hiddenAt + j];
        }
        for (int j = 0; j < hidden; j++) {
          dc[j] = run->dcy == NULL ? 0 : run->dcy[cellAt + j];
        }
        for (int step = run->lengths[b] - 1; step >= 0; step--) {
          const int t = timeAt(run, pseudo, b, step);
          const size_t row = (size_t)t * run->batch + b;
          for (int j = 0; j < state; j++) {
            dh[j] += given[row * width + direction * state + j];
          }
          backwardStep(run, pseudo, b, step, dh, dc, dm, earlier);
          const float *dzx = kept(run, pseudo, t, b) + SLOTS * hidden;
          for (int g = 0; g < gates; g++) {
            const Place place = placeOf(rnn, pseudo, g);
            for (int i = 0; i < hidden; i++) {
              for (int k = 0; k < inputs; k++) {
                wanted[row * inputs + k] +=
                    (double)dzx[g * hidden + i] * run->weights[place.matrix + (size_t)i * inputs + k];
              }
            }
          }
        }
        for (int j = 0; j < state && run->dhx != NULL; j++) {
          run->dhx[hiddenAt + j] = (float)dh[j];
        }
        for (int j = 0; j < hidden && run->dcx != NULL; j++) {
          run->dcx[cellAt + j] = (float)dc[j];
        }
      }
    }
    double *swapped = given;
    given = wanted;
    wanted = swapped;
  }
  for (int b = 0; b < run->batch; b++) {
    for (int t = 0; t < run->time; t++) {
      for (int k = 0; k < rnn->input; k++) {
        run->dx[rowOf(run, t, b) * rnn->input + k] =
            t < run->lengths[b] ? (float)given[((size_t)t * run->batch + b) * rnn->input + k] : NAN;
      }
    }
  }
  free(given);
  free(wanted);
  free(dh);
  free(run->lengths);
}

static void addOuter(const Run *run, Place place, const float *gradient, const float *vector) {
  for (int i = 0; i < place.rows; i++) {
    for (int k = 0; k < place.columns; k++) {
      run->dweights[place.matrix + (size_t)i * place.columns + k] += gradient[i] * vector[k];
    }
    if (place.bias != 0) {
      run->dweights[place.bias + i] += gradient[i];
    }
  }
}

static void backwardWeightsNow(void *arguments) {
  Run *run = arguments;
  const Rnn *rnn = &run->rnn;
  const int hidden = rnn->hidden;
  const int gates = gatesOf(rnn);
  float *before = malloc(sizeof(float) * (size_t)hidden);
  float *made = malloc(sizeof(float) * (size_t)hidden);
  for (int pseudo = 0; pseudo < rnn->layers * rnn->dirs; pseudo++) {
    for (int b = 0; b < run->batch; b++) {
      for (int step = 0; step < run->lengths[b]; step++) {
        const int t = timeAt(run, pseudo, b, step);
        const float *keep = kept(run, pseudo, t, b);
        const float *dzx = keep + SLOTS * hidden;
        const float *dzh = dzx + MOST_GATES * hidden;
        const float *whole = dzh + MOST_GATES * hidden;
        for (int j = 0; j < stateOf(rnn); j++) {
          before[j] = hiddenBefore(run, pseudo, b, step, j);
        }
        for (int g = 0; g < gates; g++) {
          addOuter(run, placeOf(rnn, pseudo, g), dzx + g * hidden, layerInput(run, pseudo, t, b));
          addOuter(run, placeOf(rnn, pseudo, gates + g), dzh + g * hidden, before);
        }
        if (rnn->projection > 0) {
          for (int j = 0; j < hidden; j++) {
            made[j] = keep[3 * hidden + j] * tanhf(keep[4 * hidden + j]);
          }
          addOuter(run, placeOf(rnn, pseudo, 2 * gates), whole, made);
        }
      }
    }
  }
  free(before);
  free(made);
  free(run->lengths);
}

EXPORT cudnnStatus_t cudnnGetRNNTempSpaceSizes(cudnnHandle_t handle, cudnnRNNDescriptor_t descriptor,
                                               cudnnForwardMode_t mode, cudnnRNNDataDescriptor_t input,
                                               size_t *workspaceBytes, size_t *reserveBytes) {
  BEGIN("cudnnGetRNNTempSpaceSizes");
  NEEDS(handle, LIVE_CUDNN, "cudnnGetRNNTempSpaceSizes")
  NEEDS(descriptor, LIVE_RNN_DESCRIPTOR, "cudnnGetRNNTempSpaceSizes")
  NEEDS(input, LIVE_DATA_DESCRIPTOR, "cudnnGetRNNTempSpaceSizes")
  if (result == 0) {
    const Data *data = input;
    *workspaceBytes = sizeof(float) * (size_t)data->time * data->batch * ((Rnn *)descriptor)->hidden;
    if (reserveBytes != NULL) {
      *reserveBytes = mode == CUDNN_FWD_MODE_TRAINING ? sizeof(float) * reserveFloats(descriptor, data->time, data->batch) : 0;
    }
  }
  END;
}

static bool sameSequences(const Data *a, const Data *b) {
  return a->layout == b->layout && a->time == b->time && a->batch == b->batch &&
         memcmp(a->lengths, b->lengths, sizeof(int) * (size_t)a->batch) == 0;
}

static bool isState(const TensorOf *tensor, const Rnn *rnn, int batch, int size) {
  return tensor->count == 3 && tensor->sizes[0] == rnn->layers * rnn->dirs && tensor->sizes[1] == batch &&
         tensor->sizes[2] == size && tensor->strides[2] == 1 && tensor->strides[1] == size &&
         tensor->strides[0] == batch * size;
}

static bool holds(const void *pointer, size_t floats) {
  return pointer != NULL && standin_on_device(pointer, floats * sizeof(float));
}

static bool holdsIf(const void *pointer, size_t floats) {
  return pointer == NULL || holds(pointer, floats);
}

/* Checks what all three runs have in common, and fills in a run. */
static int prepare(const char *name, Run *run, const Rnn *rnn, const Data *in, const Data *out, const int32_t *deviceLengths,
                   const TensorOf *h, const TensorOf *c, const void *x, const void *y, size_t weightBytes,
                   const void *weights, size_t workspaceBytes, const void *workspace, size_t reserveBytes, void *reserve,
                   bool training) {
  const int state = stateOf(rnn);
  if (!rnn->set || !in->set || !out->set || in->size != rnn->input || out->size != rnn->dirs * state ||
      !sameSequences(in, out)) {
    return standin_fault(BAD_PARAM, "%s: input of %d, output of %d, or their sequences do not fit", name, in->size, out->size);
  }
  bool ragged = false;
  const size_t rows = (size_t)in->time * in->batch;
  for (int b = 0; b < in->batch; b++) {
    ragged |= in->lengths[b] != in->time;
  }
  if (ragged && !rnn->padded) {
    return standin_fault(BAD_PARAM, "%s: sequences of different lengths without CUDNN_RNN_PADDED_IO_ENABLED", name);
  }
  if (deviceLengths != NULL && !standin_on_device(deviceLengths, sizeof(int32_t) * (size_t)in->batch)) {
    return standin_fault(BAD_PARAM, "%s: the lengths are not in device memory", name);
  }
  if ((h != NULL && !isState(h, rnn, in->batch, state)) || (c != NULL && !isState(c, rnn, in->batch, rnn->hidden))) {
    return standin_fault(BAD_PARAM, "%s: the states' descriptors are not [layers · directions, batch, size]", name);
  }
  if (!holds(x, rows * in->size) || !holds(y, rows * out->size) || weightBytes < weightFloats(rnn) * sizeof(float) ||
      !holds(weights, weightFloats(rnn)) ||
      workspaceBytes < sizeof(float) * (size_t)in->time * in->batch * rnn->hidden || !standin_on_device(workspace, workspaceBytes)) {
    return standin_fault(BAD_PARAM, "%s: input, output, weights or workspace reach beyond their memory", name);
  }
  const size_t reserved = reserveFloats(rnn, in->time, in->batch);
  if (training && (reserveBytes < reserved * sizeof(float) || !holds(reserve, reserved))) {
    return standin_fault(BAD_PARAM, "%s: the reserve space has %zu bytes, expected %zu", name, reserveBytes,
                         reserved * sizeof(float));
  }
  run->rnn = *rnn;
  run->layout = in->layout;
  run->time = in->time;
  run->batch = in->batch;
  run->fill = out->fill;
  run->training = training;
  run->x = x;
  run->weights = weights;
  run->reserve = reserve;
  run->lengths = malloc(sizeof(int) * (size_t)in->batch);
  memcpy(run->lengths, in->lengths, sizeof(int) * (size_t)in->batch);
  return 0;
}

#define NEEDS_ALL(name)                                                                                                \
  NEEDS(handle, LIVE_CUDNN, name)                                                                                      \
  NEEDS(descriptor, LIVE_RNN_DESCRIPTOR, name)                                                                         \
  NEEDS(inputDescriptor, LIVE_DATA_DESCRIPTOR, name)                                                                   \
  NEEDS(outputDescriptor, LIVE_DATA_DESCRIPTOR, name)

EXPORT cudnnStatus_t cudnnRNNForward(cudnnHandle_t handle, cudnnRNNDescriptor_t descriptor, cudnnForwardMode_t mode,
                                     const int32_t deviceLengths[], cudnnRNNDataDescriptor_t inputDescriptor,
                                     const void *input, cudnnRNNDataDescriptor_t outputDescriptor, void *output,
                                     cudnnTensorDescriptor_t hiddenDescriptor, const void *initialHidden,
                                     void *finalHidden, cudnnTensorDescriptor_t cellDescriptor, const void *initialCell,
                                     void *finalCell, size_t weightBytes, const void *weights, size_t workspaceBytes,
                                     void *workspace, size_t reserveBytes, void *reserve) {
  BEGIN("cudnnRNNForward");
  NEEDS_ALL("cudnnRNNForward")
  if (result == 0) {
    const Rnn *rnn = descriptor;
    Run run = {0};
    result = prepare("cudnnRNNForward", &run, rnn, inputDescriptor, outputDescriptor, deviceLengths, hiddenDescriptor,
                     cellDescriptor, input, output, weightBytes, weights, workspaceBytes, workspace, reserveBytes, reserve,
                     mode == CUDNN_FWD_MODE_TRAINING);
    const size_t states = (size_t)rnn->layers * rnn->dirs * run.batch * stateOf(rnn);
    const size_t cells = (size_t)rnn->layers * rnn->dirs * run.batch * rnn->hidden;
    if (result == 0 && (!holdsIf(initialHidden, states) || !holdsIf(finalHidden, states) || !holdsIf(initialCell, cells) ||
                        !holdsIf(finalCell, cells) || (hiddenDescriptor == NULL && (initialHidden || finalHidden)) ||
                        (cellDescriptor == NULL && (initialCell || finalCell)))) {
      free(run.lengths);
      result = standin_fault(BAD_PARAM, "cudnnRNNForward: the states reach beyond their memory");
    } else if (result == 0) {
      run.out = output;
      run.hx = initialHidden;
      run.cx = initialCell;
      run.hy = finalHidden;
      run.cy = finalCell;
      result = standin_enqueue(((Dnn *)handle)->stream, forwardNow, &run, sizeof run);
    }
  }
  END;
}

EXPORT cudnnStatus_t cudnnRNNBackwardData_v8(
    cudnnHandle_t handle, cudnnRNNDescriptor_t descriptor, const int32_t deviceLengths[],
    cudnnRNNDataDescriptor_t outputDescriptor, const void *output, const void *outputGradient,
    cudnnRNNDataDescriptor_t inputDescriptor, void *inputGradient, cudnnTensorDescriptor_t hiddenDescriptor,
    const void *initialHidden, const void *finalHiddenGradient, void *initialHiddenGradient,
    cudnnTensorDescriptor_t cellDescriptor, const void *initialCell, const void *finalCellGradient,
    void *initialCellGradient, size_t weightBytes, const void *weights, size_t workspaceBytes, void *workspace,
    size_t reserveBytes, void *reserve) {
  BEGIN("cudnnRNNBackwardData_v8");
  NEEDS_ALL("cudnnRNNBackwardData_v8")
  if (result == 0) {
    const Rnn *rnn = descriptor;
    Run run = {0};
    result = prepare("cudnnRNNBackwardData_v8", &run, rnn, inputDescriptor, outputDescriptor, deviceLengths,
                     hiddenDescriptor, cellDescriptor, inputGradient, output, weightBytes, weights, workspaceBytes, workspace,
                     reserveBytes, reserve, true);
    const size_t states = (size_t)rnn->layers * rnn->dirs * run.batch * stateOf(rnn);
    const size_t cells = (size_t)rnn->layers * rnn->dirs * run.batch * rnn->hidden;
    if (result == 0 &&
        (outputGradient == NULL || !holdsIf(initialHidden, states) || !holdsIf(finalHiddenGradient, states) ||
         !holdsIf(initialHiddenGradient, states) || !holdsIf(initialCell, cells) || !holdsIf(finalCellGradient, cells) ||
         !holdsIf(initialCellGradient, cells))) {
      free(run.lengths);
      result = standin_fault(BAD_PARAM, "cudnnRNNBackwardData_v8: the states reach beyond their memory");
    } else if (result == 0) {
      run.x = NULL;
      run.dy = outputGradient;
      run.dx = inputGradient;
      run.hx = initialHidden;
      run.cx = initialCell;
      run.dhy = finalHiddenGradient;
      run.dcy = finalCellGradient;
      run.dhx = initialHiddenGradient;
      run.dcx = initialCellGradient;
      result = standin_enqueue(((Dnn *)handle)->stream, backwardNow, &run, sizeof run);
    }
  }
  END;
}

EXPORT cudnnStatus_t cudnnRNNBackwardWeights_v8(cudnnHandle_t handle, cudnnRNNDescriptor_t descriptor,
                                                cudnnWgradMode_t mode, const int32_t deviceLengths[],
                                                cudnnRNNDataDescriptor_t inputDescriptor, const void *input,
                                                cudnnTensorDescriptor_t hiddenDescriptor, const void *initialHidden,
                                                cudnnRNNDataDescriptor_t outputDescriptor, const void *output,
                                                size_t weightBytes, void *weightsGradient, size_t workspaceBytes,
                                                void *workspace, size_t reserveBytes, void *reserve) {
  BEGIN("cudnnRNNBackwardWeights_v8");
  NEEDS_ALL("cudnnRNNBackwardWeights_v8")
  if (result == 0 && mode != CUDNN_WGRAD_MODE_ADD) {
    result = standin_fault(NOT_SUPPORTED, "cudnnRNNBackwardWeights_v8: mode %d", mode);
  } else if (result == 0) {
    const Rnn *rnn = descriptor;
    Run run = {0};
    result = prepare("cudnnRNNBackwardWeights_v8", &run, rnn, inputDescriptor, outputDescriptor, deviceLengths,
                     hiddenDescriptor, NULL, input, output, weightBytes, weightsGradient, workspaceBytes, workspace,
                     reserveBytes, reserve, true);
    if (result == 0) {
      run.hx = initialHidden;
      run.dweights = weightsGradient;
      result = standin_enqueue(((Dnn *)handle)->stream, backwardWeightsNow, &run, sizeof run);
    }
  }
  END;
}

// ---- convolutions ---------------------------------------------------------------------------------------------------

enum { AXES = 3, CONVOLUTION_WORKSPACE = 256 };

typedef struct {
  Handle handle;
  int count, sizes[AXES + 2];
} Filter;

typedef struct {
  Handle handle;
  int axes, pads[AXES], strides[AXES], dilations[AXES], groups;
} Convolution;

EXPORT cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *descriptor) {
  CREATE("cudnnCreateFilterDescriptor", LIVE_FILTER_DESCRIPTOR, Filter, descriptor);
}

EXPORT cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t descriptor) {
  DESTROY("cudnnDestroyFilterDescriptor", LIVE_FILTER_DESCRIPTOR, descriptor);
}

EXPORT cudnnStatus_t cudnnSetFilterNdDescriptor(cudnnFilterDescriptor_t descriptor, cudnnDataType_t type,
                                                cudnnTensorFormat_t format, int count, const int sizes[]) {
  BEGIN("cudnnSetFilterNdDescriptor");
  NEEDS(descriptor, LIVE_FILTER_DESCRIPTOR, "cudnnSetFilterNdDescriptor")
  if (result == 0 && (type != CUDNN_DATA_FLOAT || format != CUDNN_TENSOR_NCHW || count < 4 || count > AXES + 2)) {
    result = standin_fault(BAD_PARAM, "cudnnSetFilterNdDescriptor: type %d, format %d, %d axes", type, format, count);
  }
  for (int i = 0; i < count && result == 0; i++) {
    Filter *filter = descriptor;
    filter->count = count;
    filter->sizes[i] = sizes[i];
    if (sizes[i] < 1) {
      result = standin_fault(BAD_PARAM, "cudnnSetFilterNdDescriptor: size %d is %d", i, sizes[i]);
    }
  }
  END;
}

EXPORT cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *descriptor) {
  BEGIN("cudnnCreateConvolutionDescriptor");
  if (result == 0) {
    Convolution *created = standin_create(LIVE_CONVOLUTION_DESCRIPTOR, sizeof(Convolution));
    created->groups = 1;
    *descriptor = created;
  }
  END;
}

EXPORT cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t descriptor) {
  DESTROY("cudnnDestroyConvolutionDescriptor", LIVE_CONVOLUTION_DESCRIPTOR, descriptor);
}

EXPORT cudnnStatus_t cudnnSetConvolutionNdDescriptor(cudnnConvolutionDescriptor_t descriptor, int axes, const int pads[],
                                                     const int strides[], const int dilations[],
                                                     cudnnConvolutionMode_t mode, cudnnDataType_t computed) {
  BEGIN("cudnnSetConvolutionNdDescriptor");
  NEEDS(descriptor, LIVE_CONVOLUTION_DESCRIPTOR, "cudnnSetConvolutionNdDescriptor")
  if (result == 0 && (axes < 2 || axes > AXES || mode != CUDNN_CROSS_CORRELATION || computed != CUDNN_DATA_FLOAT)) {
    result = standin_fault(BAD_PARAM, "cudnnSetConvolutionNdDescriptor: %d axes, mode %d, type %d", axes, mode, computed);
  }
  for (int i = 0; i < axes && result == 0; i++) {
    Convolution *convolution = descriptor;
    convolution->axes = axes;
    convolution->pads[i] = pads[i];
    convolution->strides[i] = strides[i];
    convolution->dilations[i] = dilations[i];
    if (pads[i] < 0 || strides[i] < 1 || dilations[i] < 1) {
      result = standin_fault(BAD_PARAM, "cudnnSetConvolutionNdDescriptor: pad %d, stride %d, dilation %d", pads[i],
                             strides[i], dilations[i]);
    }
  }
  END;
}

EXPORT cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t descriptor, int groups) {
  BEGIN("cudnnSetConvolutionGroupCount");
  NEEDS(descriptor, LIVE_CONVOLUTION_DESCRIPTOR, "cudnnSetConvolutionGroupCount")
  if (result == 0) {
    ((Convolution *)descriptor)->groups = groups;
  }
  END;
}

EXPORT cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t descriptor, cudnnMathType_t math) {
  BEGIN("cudnnSetConvolutionMathType");
  NEEDS(descriptor, LIVE_CONVOLUTION_DESCRIPTOR, "cudnnSetConvolutionMathType")
  if (result == 0 && (math < CUDNN_DEFAULT_MATH || math > CUDNN_FMA_MATH)) {
    result = standin_fault(BAD_PARAM, "cudnnSetConvolutionMathType: %d", math);
  }
  END;
}

static size_t elementsOf(const TensorOf *tensor) {
  size_t elements = 1;
  for (int i = 0; i < tensor->count; i++) {
    elements *= tensor->sizes[i];
  }
  return elements;
}

/* Whether sizes and strides are those of [batch, channels, axes...] without gaps, of as many axes. */
static bool isImages(const TensorOf *tensor, int axes) {
  int stride = 1;
  for (int i = tensor->count - 1; i >= 0; i--) {
    if (tensor->strides[i] != stride) {
      return false;
    }
    stride *= tensor->sizes[i];
  }
  return tensor->count == axes + 2;
}

static int checkConvolution(const char *name, const TensorOf *x, const Filter *w, const Convolution *c, const TensorOf *y,
                            int algorithm) {
  if (!isImages(x, c->axes) || !isImages(y, c->axes) || w->count != c->axes + 2) {
    return standin_fault(BAD_PARAM, "%s: input, weights and output do not have %d axes without gaps", name, c->axes);
  }
  bool fit = x->sizes[0] == y->sizes[0] && x->sizes[1] == w->sizes[1] * c->groups && y->sizes[1] == w->sizes[0] &&
             w->sizes[0] % c->groups == 0;
  for (int i = 0; i < c->axes; i++) {
    const int reach = c->dilations[i] * (w->sizes[i + 2] - 1) + 1;
    const int room = x->sizes[i + 2] + 2 * c->pads[i] - reach;
    fit &= room >= 0 && y->sizes[i + 2] == 1 + room / c->strides[i];
  }
  if (!fit) {
    return standin_fault(BAD_PARAM, "%s: the sizes of input, weights and output do not fit", name);
  }
  /* One of the two algorithms does not take every convolution. */
  return algorithm == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM && c->groups > 2 ? NOT_SUPPORTED : 0;
}

#define NEEDS_CONVOLUTION(name, x, w, y)                                                                               \
  NEEDS(handle, LIVE_CUDNN, name)                                                                                      \
  NEEDS(x, LIVE_TENSOR_DESCRIPTOR, name)                                                                               \
  NEEDS(w, LIVE_FILTER_DESCRIPTOR, name)                                                                               \
  NEEDS(convolution, LIVE_CONVOLUTION_DESCRIPTOR, name)                                                                \
  NEEDS(y, LIVE_TENSOR_DESCRIPTOR, name)

EXPORT cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t handle, const cudnnTensorDescriptor_t input,
                                                             const cudnnFilterDescriptor_t weights,
                                                             const cudnnConvolutionDescriptor_t convolution,
                                                             const cudnnTensorDescriptor_t output,
                                                             cudnnConvolutionFwdAlgo_t algorithm, size_t *bytes) {
  BEGIN("cudnnGetConvolutionForwardWorkspaceSize");
  NEEDS_CONVOLUTION("cudnnGetConvolutionForwardWorkspaceSize", input, weights, output)
  if (result == 0) {
    result = checkConvolution("cudnnGetConvolutionForwardWorkspaceSize", input, weights, convolution, output, algorithm);
    *bytes = algorithm == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM ? 0 : CONVOLUTION_WORKSPACE;
  }
  END;
}

typedef struct {
  TensorOf in, out;
  Filter filter;
  Convolution how;
  const float *x, *w;
  float *y;
} Images;

/* Where an element of a window lies in the input, in elements; -1 in the padding. */
static long windowAt(const Images *run, const int *at, const int *in) {
  long place = 0;
  for (int i = 0; i < run->how.axes; i++) {
    const int position = at[i] * run->how.strides[i] - run->how.pads[i] + in[i] * run->how.dilations[i];
    if (position < 0 || position >= run->in.sizes[i + 2]) {
      return -1;
    }
    place = place * run->in.sizes[i + 2] + position;
  }
  return place;
}

/* Counts on, the last axis first; false behind the last. */
static bool countOn(int *at, const int *sizes, int axes) {
  for (int i = axes - 1; i >= 0; i--) {
    if (++at[i] < sizes[i]) {
      return true;
    }
    at[i] = 0;
  }
  return false;
}

static void convolveNow(void *arguments) {
  const Images *run = arguments;
  const int axes = run->how.axes;
  const int channels = run->filter.sizes[1];
  const int outs = run->filter.sizes[0] / run->how.groups;
  size_t area = 1, plane = 1;
  for (int i = 0; i < axes; i++) {
    area *= run->filter.sizes[i + 2];
    plane *= run->in.sizes[i + 2];
  }
  float *y = run->y;
  for (int image = 0; image < run->out.sizes[0]; image++) {
    for (int out = 0; out < run->out.sizes[1]; out++) {
      const float *x = run->x + ((size_t)image * run->in.sizes[1] + (size_t)(out / outs) * channels) * plane;
      const float *w = run->w + (size_t)out * channels * area;
      int at[AXES] = {0};
      do {
        double sum = 0;
        for (int channel = 0; channel < channels; channel++) {
          int in[AXES] = {0};
          size_t element = 0;
          do {
            const long place = windowAt(run, at, in);
            sum += place < 0 ? 0 : (double)x[channel * plane + place] * w[channel * area + element];
            element++;
          } while (countOn(in, run->filter.sizes + 2, axes));
        }
        *y++ = (float)sum;
      } while (countOn(at, run->out.sizes + 2, axes));
    }
  }
}

EXPORT cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void *alpha,
                                             const cudnnTensorDescriptor_t inputDescriptor, const void *input,
                                             const cudnnFilterDescriptor_t weightsDescriptor, const void *weights,
                                             const cudnnConvolutionDescriptor_t convolution,
                                             cudnnConvolutionFwdAlgo_t algorithm, void *workspace, size_t workspaceBytes,
                                             const void *beta, const cudnnTensorDescriptor_t outputDescriptor,
                                             void *output) {
  BEGIN("cudnnConvolutionForward");
  NEEDS_CONVOLUTION("cudnnConvolutionForward", inputDescriptor, weightsDescriptor, outputDescriptor)
  if (result == 0) {
    Images run = {.in = *(TensorOf *)inputDescriptor,
                  .out = *(TensorOf *)outputDescriptor,
                  .filter = *(Filter *)weightsDescriptor,
                  .how = *(Convolution *)convolution,
                  .x = input,
                  .w = weights,
                  .y = output};
    size_t area = run.filter.sizes[0];
    for (int i = 1; i < run.filter.count; i++) {
      area *= run.filter.sizes[i];
    }
    const size_t needed = algorithm == CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM ? 0 : CONVOLUTION_WORKSPACE;
    result = checkConvolution("cudnnConvolutionForward", &run.in, &run.filter, &run.how, &run.out, algorithm);
    if (result == 0 && (*(const float *)alpha != 1 || *(const float *)beta != 0 || !holds(input, elementsOf(&run.in)) ||
                        !holds(weights, area) || !holds(output, elementsOf(&run.out)) || workspaceBytes < needed ||
                        (needed > 0 && !standin_on_device(workspace, workspaceBytes)))) {
      result = standin_fault(BAD_PARAM, "cudnnConvolutionForward: operands or workspace reach beyond their memory");
    } else if (result == 0) {
      result = standin_enqueue(((Dnn *)handle)->stream, convolveNow, &run, sizeof run);
    }
  }
  END;
}
