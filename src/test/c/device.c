/* The runtime, and what the four libraries share. */
#define _GNU_SOURCE
#include "cudart.h"
#include "standin.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MAGIC 0x6761746eu
#define PAGE 4096
/* Where device memory is, unless somebody else is there: no address of the host looks like it. */
#define BASE ((char *)0x200000000000)
#define SPAN ((size_t)8 << 30)
#define PAGES (SPAN / PAGE)
#define MOST_ALLOCATIONS 65536
#define MOST_CALLS 256
#define MOST_WAITING 4096

enum { INVALID_VALUE = 1, INVALID_DEVICE = 101, INVALID_HANDLE = 400, OUT_OF_MEMORY = 2, NO_DEVICE = 100 };

// ---- one at a time, failures, counts --------------------------------------------------------------------------------

static pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static long live[KINDS];
static long liveBytes[KINDS];
static long faults;
static char faultText[512];
static int lostCode;
static bool deferred = true;
static bool turned;
static int devices = 1;
static int lastError;
static __thread bool bound;

static struct {
  const char *name;
  long calls, failAt;
  int code;
} functions[MOST_CALLS];
static int functionCount;

static const char *const kindNames[KINDS] = {
    "device",       "host",         "stream",         "event",           "cublas", "cudnn",
    "tensor-descriptor", "dropout-descriptor", "rnn-descriptor", "data-descriptor", "filter-descriptor", "convolution-descriptor", "module"};

void standin_lock(void) {
  pthread_mutex_lock(&mutex);
}

void standin_unlock(void) {
  pthread_mutex_unlock(&mutex);
}

static int functionOf(const char *name) {
  for (int i = 0; i < functionCount; i++) {
    if (strcmp(functions[i].name, name) == 0) {
      return i;
    }
  }
  if (functionCount == MOST_CALLS) {
    abort();
  }
  functions[functionCount].name = strdup(name);
  return functionCount++;
}

int standin_enter(const char *name, int lost) {
  const int i = functionOf(name);
  functions[i].calls++;
  if (lostCode != 0) {
    return lost != 0 ? lost : lostCode;
  }
  if (functions[i].failAt > 0 && --functions[i].failAt == 0) {
    return functions[i].code;
  }
  return 0;
}

int standin_fault(int code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(faultText, sizeof faultText, format, arguments);
  va_end(arguments);
  fprintf(stderr, "stand-in: %s\n", faultText);
  faults++;
  return code;
}

void *standin_create(Kind kind, size_t bytes) {
  Handle *handle = calloc(1, bytes);
  if (handle != NULL) {
    handle->magic = MAGIC;
    handle->kind = kind;
    live[kind]++;
  }
  return handle;
}

bool standin_alive(const void *handle, Kind kind) {
  const Handle *h = handle;
  return h != NULL && !standin_device_address(handle) && h->magic == MAGIC && h->kind == kind;
}

void standin_destroy(void *handle) {
  Handle *h = handle;
  live[h->kind]--;
  /* Not given back to the heap: what is destroyed twice is to be found out. */
  h->magic = 0;
}

bool standin_bound(void) {
  return bound;
}

bool standin_turned(void) {
  return turned;
}

/* What is done at the beginning and the end of every function of the runtime. */
#define BEGIN(name)                                                                                                    \
  standin_lock();                                                                                                      \
  int result = standin_enter(name, 0);                                                                                 \
  const int injected = result
#define END                                                                                                            \
  (void)injected;                                                                                                      \
  if (result != 0) {                                                                                                   \
    lastError = result;                                                                                                \
  }                                                                                                                    \
  standin_unlock();                                                                                                    \
  return result
/* Likewise for those that need a context, and make one. */
#define BEGIN_WITH_CONTEXT(name)                                                                                       \
  BEGIN(name);                                                                                                         \
  if (result == 0 && devices == 0) {                                                                                   \
    result = NO_DEVICE;                                                                                        \
  }                                                                                                                    \
  bound = bound || result == 0

// ---- memory ---------------------------------------------------------------------------------------------------------

typedef struct {
  char *from;
  size_t bytes;
  size_t pages; /* of device memory; 0 of host memory */
} Allocation;

static Allocation allocations[MOST_ALLOCATIONS];
static int32_t *owners; /* of each page of device memory: an allocation's number plus 1 */
static char *base;
static size_t nextPage = 1;
static size_t capacity = (size_t)1 << 30;
static Allocation hosts[MOST_ALLOCATIONS];
static int hostCount;
static int key = -1;

static void map(void) {
  if (base != NULL) {
    return;
  }
  base = mmap(BASE, SPAN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  owners = calloc(PAGES, sizeof *owners);
  if (base == MAP_FAILED || owners == NULL) {
    abort();
  }
  key = pkey_alloc(0, PKEY_DISABLE_ACCESS);
}

void standin_reach(bool allowed) {
  if (key >= 0) {
    pkey_set(key, allowed ? 0 : PKEY_DISABLE_ACCESS);
  }
}

bool standin_device_address(const void *pointer) {
  return base != NULL && (const char *)pointer >= base && (const char *)pointer < base + SPAN;
}

static const Allocation *owner(const void *pointer) {
  if (!standin_device_address(pointer)) {
    return NULL;
  }
  const int32_t number = owners[((const char *)pointer - base) / PAGE];
  return number == 0 ? NULL : &allocations[number - 1];
}

static bool within(const Allocation *allocation, const void *pointer, size_t bytes) {
  const char *p = pointer;
  return p >= allocation->from && p <= allocation->from + allocation->bytes &&
         bytes <= (size_t)(allocation->from + allocation->bytes - p);
}

bool standin_pinned(const void *pointer, size_t bytes) {
  for (int i = 0; i < hostCount; i++) {
    if (hosts[i].from != NULL && within(&hosts[i], pointer, bytes)) {
      return true;
    }
  }
  return false;
}

bool standin_on_device(const void *pointer, size_t bytes) {
  const Allocation *allocation = owner(pointer);
  return allocation != NULL ? within(allocation, pointer, bytes) : standin_pinned(pointer, bytes);
}

static bool freePages(size_t first, size_t pages) {
  for (size_t i = first; i < first + pages; i++) {
    if (owners[i] != 0) {
      return false;
    }
  }
  return true;
}

/* The first of so many pages with a free one on either side; 0 where there are none. */
static size_t findPages(size_t pages) {
  for (int round = 0; round < 2; round++) {
    for (size_t first = round == 0 ? nextPage : 1; first + pages + 1 < PAGES; first++) {
      if (owners[first] == 0 && freePages(first - 1, pages + 2)) {
        return first;
      }
    }
  }
  return 0;
}

EXPORT cudaError_t cudaMalloc(void **pointer, size_t bytes) {
  BEGIN_WITH_CONTEXT("cudaMalloc");
  if (result == 0 && bytes == 0) {
    *pointer = NULL;
  } else if (result == 0) {
    map();
    const size_t pages = (bytes + PAGE - 1) / PAGE;
    int number = 0;
    while (number < MOST_ALLOCATIONS && allocations[number].from != NULL) {
      number++;
    }
    const bool fits = bytes <= capacity && (size_t)liveBytes[LIVE_DEVICE] <= capacity - bytes;
    const size_t first = !fits || number == MOST_ALLOCATIONS ? 0 : findPages(pages);
    if (first == 0) {
      result = OUT_OF_MEMORY;
    } else {
      char *at = base + first * PAGE;
      if (key >= 0 ? pkey_mprotect(at, pages * PAGE, PROT_READ | PROT_WRITE, key) != 0
                   : mprotect(at, pages * PAGE, PROT_READ | PROT_WRITE) != 0) {
        abort();
      }
      standin_reach(true);
      memset(at, 0xff, pages * PAGE);
      standin_reach(false);
      for (size_t i = 0; i < pages; i++) {
        owners[first + i] = number + 1;
      }
      allocations[number] = (Allocation){at, bytes, pages};
      nextPage = first + pages + 1;
      live[LIVE_DEVICE]++;
      liveBytes[LIVE_DEVICE] += (long)bytes;
      *pointer = at;
    }
  }
  END;
}

static void drainAll(void);

/* Whatever else happens, what is given back is given back: a failure that was asked for is told nevertheless. */
EXPORT cudaError_t cudaFree(void *pointer) {
  BEGIN_WITH_CONTEXT("cudaFree");
  if (pointer != NULL) {
    const Allocation *allocation = owner(pointer);
    if (allocation == NULL || allocation->from != pointer) {
      result = standin_fault(INVALID_VALUE, "cudaFree(%p): not an allocation that is alive", pointer);
    } else {
      drainAll();
      const size_t first = (allocation->from - base) / PAGE;
      const int number = (int)(allocation - allocations);
      madvise(allocation->from, allocation->pages * PAGE, MADV_DONTNEED);
      if (key >= 0) {
        pkey_mprotect(allocation->from, allocation->pages * PAGE, PROT_NONE, 0);
      } else {
        mprotect(allocation->from, allocation->pages * PAGE, PROT_NONE);
      }
      for (size_t i = 0; i < allocation->pages; i++) {
        owners[first + i] = 0;
      }
      live[LIVE_DEVICE]--;
      liveBytes[LIVE_DEVICE] -= (long)allocation->bytes;
      allocations[number] = (Allocation){0};
    }
  }
  END;
}

EXPORT cudaError_t cudaMemGetInfo(size_t *available, size_t *total) {
  BEGIN_WITH_CONTEXT("cudaMemGetInfo");
  if (result == 0) {
    *available = capacity - (size_t)liveBytes[LIVE_DEVICE];
    *total = capacity;
  }
  END;
}

static int addHost(void *pointer, size_t bytes) {
  int i = 0;
  while (i < hostCount && hosts[i].from != NULL) {
    i++;
  }
  if (i == MOST_ALLOCATIONS) {
    return OUT_OF_MEMORY;
  }
  hostCount = i == hostCount ? i + 1 : hostCount;
  hosts[i] = (Allocation){pointer, bytes, 0};
  live[LIVE_HOST]++;
  liveBytes[LIVE_HOST] += (long)bytes;
  return 0;
}

static int removeHost(const char *function, void *pointer) {
  for (int i = 0; i < hostCount; i++) {
    if (hosts[i].from == pointer) {
      live[LIVE_HOST]--;
      liveBytes[LIVE_HOST] -= (long)hosts[i].bytes;
      hosts[i] = (Allocation){0};
      return 0;
    }
  }
  return standin_fault(INVALID_VALUE, "%s(%p): not memory that is alive", function, pointer);
}

EXPORT cudaError_t cudaHostAlloc(void **pointer, size_t bytes, unsigned int flags) {
  BEGIN_WITH_CONTEXT("cudaHostAlloc");
  (void)flags;
  if (result == 0) {
    void *memory = NULL;
    if (bytes == 0) {
      *pointer = NULL;
    } else if (posix_memalign(&memory, PAGE, (bytes + PAGE - 1) / PAGE * PAGE) != 0) {
      result = OUT_OF_MEMORY;
    } else {
      memset(memory, 0xff, bytes);
      result = addHost(memory, bytes);
      *pointer = memory;
    }
  }
  END;
}

static void checkNotWaiting(const char *function, const void *pointer);

EXPORT cudaError_t cudaFreeHost(void *pointer) {
  BEGIN_WITH_CONTEXT("cudaFreeHost");
  if (pointer != NULL) {
    checkNotWaiting("cudaFreeHost", pointer);
    const int removed = removeHost("cudaFreeHost", pointer);
    if (removed == 0) {
      free(pointer);
    }
    result = removed != 0 ? removed : result;
  }
  END;
}

// ---- streams and events ---------------------------------------------------------------------------------------------

typedef struct Piece {
  struct Piece *next;
  Work work;
  struct Event *recorded; /* happens with this piece */
  long record;
  _Alignas(16) char arguments[];
} Piece;

typedef struct Stream {
  Handle handle;
  Piece *first, *last;
  int waiting;
  bool running;
} Stream;

typedef struct Event {
  Handle handle;
  long records, happened;
  Stream *stream; /* where the last record is */
} Event;

static Stream defaultStream;
static Stream *streams[1024];

static Stream *streamOf(void *stream) {
  return stream == NULL ? &defaultStream : stream;
}

bool standin_stream(void *stream) {
  return stream == NULL || standin_alive(stream, LIVE_STREAM);
}

/* Does the first piece of a stream. */
static void step(Stream *stream) {
  Piece *piece = stream->first;
  stream->first = piece->next;
  stream->last = piece->next == NULL ? NULL : stream->last;
  stream->waiting--;
  if (piece->recorded != NULL) {
    if (piece->recorded->happened < piece->record) {
      piece->recorded->happened = piece->record;
    }
  } else if (piece->work != NULL) {
    standin_reach(true);
    piece->work(piece->arguments);
    standin_reach(false);
  }
  free(piece);
}

/* Does a stream's work, all of it or until an event has happened. */
static void drain(Stream *stream, const Event *until, long record) {
  while (stream->first != NULL && (until == NULL || until->happened < record)) {
    step(stream);
  }
}

static void drainAll(void) {
  drain(&defaultStream, NULL, 0);
  for (int i = 0; i < 1024; i++) {
    if (streams[i] != NULL) {
      drain(streams[i], NULL, 0);
    }
  }
}

static int add(Stream *stream, Work work, const void *arguments, size_t bytes, Event *recorded) {
  Piece *piece = calloc(1, sizeof *piece + bytes);
  if (piece == NULL) {
    return OUT_OF_MEMORY;
  }
  piece->work = work;
  piece->recorded = recorded;
  piece->record = recorded == NULL ? 0 : recorded->records;
  if (bytes > 0) {
    memcpy(piece->arguments, arguments, bytes);
  }
  if (stream->first == NULL) {
    stream->first = piece;
  } else {
    stream->last->next = piece;
  }
  stream->last = piece;
  stream->waiting++;
  if (!deferred || stream->waiting > MOST_WAITING) {
    drain(stream, NULL, 0);
  }
  return 0;
}

int standin_enqueue(void *stream, Work work, const void *arguments, size_t bytes) {
  return add(streamOf(stream), work, arguments, bytes, NULL);
}

EXPORT cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags) {
  BEGIN_WITH_CONTEXT("cudaStreamCreateWithFlags");
  (void)flags;
  int i = 0;
  while (i < 1023 && streams[i] != NULL) {
    i++;
  }
  if (result == 0) {
    streams[i] = standin_create(LIVE_STREAM, sizeof(Stream));
    *stream = streams[i];
  }
  END;
}

EXPORT cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  BEGIN_WITH_CONTEXT("cudaStreamDestroy");
  if (!standin_alive(stream, LIVE_STREAM)) {
    result = standin_fault(INVALID_HANDLE, "cudaStreamDestroy(%p): not a stream that is alive", stream);
  } else {
    drain(stream, NULL, 0);
    for (int i = 0; i < 1024; i++) {
      streams[i] = streams[i] == stream ? NULL : streams[i];
    }
    standin_destroy(stream);
  }
  END;
}

/* The beginning of what needs a stream. */
#define NEEDS_STREAM(name)                                                                                             \
  if (result == 0 && !standin_stream(stream)) {                                                                        \
    result = standin_fault(INVALID_HANDLE, "%s: %p is not a stream that is alive", name, stream);                     \
  }

EXPORT cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  BEGIN_WITH_CONTEXT("cudaStreamSynchronize");
  NEEDS_STREAM("cudaStreamSynchronize")
  if (result == 0) {
    drain(streamOf(stream), NULL, 0);
  }
  END;
}

EXPORT cudaError_t cudaDeviceSynchronize(void) {
  BEGIN_WITH_CONTEXT("cudaDeviceSynchronize");
  if (result == 0) {
    drainAll();
  }
  END;
}

EXPORT cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags) {
  BEGIN_WITH_CONTEXT("cudaEventCreateWithFlags");
  (void)flags;
  if (result == 0) {
    *event = standin_create(LIVE_EVENT, sizeof(Event));
  }
  END;
}

EXPORT cudaError_t cudaEventDestroy(cudaEvent_t event) {
  BEGIN_WITH_CONTEXT("cudaEventDestroy");
  if (!standin_alive(event, LIVE_EVENT)) {
    result = standin_fault(INVALID_HANDLE, "cudaEventDestroy(%p): not an event that is alive", event);
  } else {
    standin_destroy(event);
  }
  END;
}

#define NEEDS_EVENT(name)                                                                                              \
  if (result == 0 && !standin_alive(event, LIVE_EVENT)) {                                                              \
    result = standin_fault(INVALID_HANDLE, "%s: %p is not an event that is alive", name, event);                      \
  }

EXPORT cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  BEGIN_WITH_CONTEXT("cudaEventRecord");
  NEEDS_STREAM("cudaEventRecord")
  NEEDS_EVENT("cudaEventRecord")
  if (result == 0) {
    Event *e = event;
    e->records++;
    e->stream = streamOf(stream);
    result = add(e->stream, NULL, NULL, 0, e);
  }
  END;
}

EXPORT cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  BEGIN_WITH_CONTEXT("cudaEventSynchronize");
  NEEDS_EVENT("cudaEventSynchronize")
  if (result == 0) {
    const Event *e = event;
    if (e->happened < e->records) {
      drain(e->stream, e, e->records);
    }
  }
  END;
}

// ---- copies ---------------------------------------------------------------------------------------------------------

typedef struct {
  void *target;
  const void *source;
  void *staged; /* a copy of pageable memory, made when the call was made */
  size_t bytes;
} Copy;

static void copyNow(void *arguments) {
  const Copy *copy = arguments;
  memmove(copy->target, copy->staged != NULL ? copy->staged : copy->source, copy->bytes);
  free(copy->staged);
}

/* Memory that is given back while a copy waits that reads or writes it is a fault. */
static void checkNotWaiting(const char *function, const void *pointer) {
  size_t bytes = 0;
  for (int i = 0; i < hostCount; i++) {
    bytes = hosts[i].from == pointer ? hosts[i].bytes : bytes;
  }
  for (int i = -1; i < 1024; i++) {
    const Stream *stream = i < 0 ? &defaultStream : streams[i];
    for (const Piece *piece = stream == NULL ? NULL : stream->first; piece != NULL; piece = piece->next) {
      if (piece->work == copyNow) {
        const Copy *copy = (const Copy *)piece->arguments;
        const char *from = pointer;
        const char *source = copy->staged == NULL ? copy->source : NULL;
        const char *target = copy->target;
        if ((source >= from && source < from + bytes) || (target >= from && target < from + bytes)) {
          standin_fault(0, "%s(%p): a copy of it is still waiting", function, pointer);
          drainAll();
          return;
        }
      }
    }
  }
}

EXPORT cudaError_t cudaMemcpyAsync(void *target, const void *source, size_t bytes, GATUN_ENUM(cudaMemcpyKind) kind,
                                   cudaStream_t stream) {
  BEGIN_WITH_CONTEXT("cudaMemcpyAsync");
  NEEDS_STREAM("cudaMemcpyAsync")
  if (result == 0 && bytes > 0) {
    const bool toDevice = kind != cudaMemcpyDeviceToHost;
    const bool fromDevice = kind != cudaMemcpyHostToDevice;
    if (kind < cudaMemcpyHostToDevice || kind > cudaMemcpyDeviceToDevice) {
      result = standin_fault(INVALID_VALUE, "cudaMemcpyAsync: kind %d", kind);
    } else if (toDevice ? !standin_on_device(target, bytes) : standin_device_address(target)) {
      result = standin_fault(INVALID_VALUE, "cudaMemcpyAsync: target %p + %zu of kind %d", target, bytes, kind);
    } else if (fromDevice ? !standin_on_device(source, bytes) : standin_device_address(source)) {
      result = standin_fault(INVALID_VALUE, "cudaMemcpyAsync: source %p + %zu of kind %d", source, bytes, kind);
    } else {
      Copy copy = {target, source, NULL, bytes};
      if (!fromDevice && !standin_pinned(source, bytes)) {
        copy.staged = malloc(bytes);
        memcpy(copy.staged, source, bytes);
      }
      result = standin_enqueue(stream, copyNow, &copy, sizeof copy);
      if (result == 0 && !toDevice && !standin_pinned(target, bytes)) {
        drain(streamOf(stream), NULL, 0);
      }
    }
  }
  END;
}

typedef struct {
  void *pointer;
  size_t bytes;
  int value;
} Set;

static void setNow(void *arguments) {
  const Set *set = arguments;
  memset(set->pointer, set->value, set->bytes);
}

EXPORT cudaError_t cudaMemsetAsync(void *pointer, int value, size_t bytes, cudaStream_t stream) {
  BEGIN_WITH_CONTEXT("cudaMemsetAsync");
  NEEDS_STREAM("cudaMemsetAsync")
  if (result == 0 && bytes > 0) {
    if (!standin_on_device(pointer, bytes)) {
      result = standin_fault(INVALID_VALUE, "cudaMemsetAsync: %p + %zu", pointer, bytes);
    } else {
      const Set set = {pointer, bytes, value};
      result = standin_enqueue(stream, setNow, &set, sizeof set);
    }
  }
  END;
}

// ---- devices, versions, names ---------------------------------------------------------------------------------------

EXPORT cudaError_t cudaRuntimeGetVersion(int *version) {
  BEGIN("cudaRuntimeGetVersion");
  if (result == 0) {
    *version = 12040;
  }
  END;
}

EXPORT cudaError_t cudaGetDeviceCount(int *count) {
  BEGIN("cudaGetDeviceCount");
  if (result == 0) {
    *count = devices;
    result = devices == 0 ? NO_DEVICE : 0;
  }
  END;
}

EXPORT cudaError_t cudaSetDevice(int device) {
  BEGIN("cudaSetDevice");
  if (result == 0 && (device < 0 || device >= devices)) {
    result = devices == 0 ? NO_DEVICE : INVALID_DEVICE;
  }
  bound = bound || result == 0;
  END;
}

EXPORT cudaError_t cudaDeviceGetAttribute(int *value, GATUN_ENUM(cudaDeviceAttr) attribute, int device) {
  BEGIN("cudaDeviceGetAttribute");
  if (result == 0 && (device < 0 || device >= devices)) {
    result = INVALID_DEVICE;
  } else if (result == 0) {
    switch (attribute) {
      case cudaDevAttrComputeCapabilityMajor:
        *value = 8;
        break;
      case cudaDevAttrComputeCapabilityMinor:
        *value = 0;
        break;
      default:
        result = standin_fault(INVALID_VALUE, "cudaDeviceGetAttribute: attribute %d", attribute);
    }
  }
  END;
}

EXPORT cudaError_t cudaGetLastError(void) {
  standin_lock();
  const int last = lastError;
  lastError = 0;
  standin_unlock();
  return last;
}

static const struct {
  int code;
  const char *name, *text;
} errors[] = {
    {0, "cudaSuccess", "no error"},
    {1, "cudaErrorInvalidValue", "invalid argument"},
    {2, "cudaErrorMemoryAllocation", "out of memory"},
    {35, "cudaErrorInsufficientDriver", "CUDA driver version is insufficient for CUDA runtime version"},
    {100, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {101, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {400, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {600, "cudaErrorNotReady", "device not ready"},
    {700, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {719, "cudaErrorLaunchFailure", "unspecified launch failure"},
};

EXPORT const char *cudaGetErrorName(cudaError_t error) {
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    if (errors[i].code == error) {
      return errors[i].name;
    }
  }
  return "unrecognized error code";
}

EXPORT const char *cudaGetErrorString(cudaError_t error) {
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    if (errors[i].code == error) {
      return errors[i].text;
    }
  }
  return "unrecognized error code";
}

// ---- what tests ask for ---------------------------------------------------------------------------------------------

EXPORT void gatun_reset(void) {
  standin_lock();
  for (int i = 0; i < functionCount; i++) {
    functions[i].calls = 0;
    functions[i].failAt = 0;
  }
  faults = 0;
  faultText[0] = 0;
  lostCode = 0;
  lastError = 0;
  deferred = true;
  turned = false;
  devices = 1;
  capacity = (size_t)1 << 30;
  standin_unlock();
}

/* The calls-th call from now on of a function gives a code, once. */
EXPORT void gatun_fail(const char *function, long calls, int code) {
  standin_lock();
  const int i = functionOf(function);
  functions[i].failAt = calls;
  functions[i].code = code;
  standin_unlock();
}

/* From now on every call fails: those of the runtime and the driver with this code. */
EXPORT void gatun_lose(int code) {
  standin_lock();
  lostCode = code;
  standin_unlock();
}

EXPORT void gatun_memory(long bytes) {
  standin_lock();
  capacity = (size_t)bytes;
  standin_unlock();
}

EXPORT void gatun_device(int count) {
  standin_lock();
  devices = count;
  standin_unlock();
}

EXPORT void gatun_deferred(int on) {
  standin_lock();
  deferred = on != 0;
  standin_unlock();
}

EXPORT void gatun_turned(int on) {
  standin_lock();
  turned = on != 0;
  standin_unlock();
}

EXPORT long gatun_calls(const char *function) {
  standin_lock();
  const long calls = functions[functionOf(function)].calls;
  standin_unlock();
  return calls;
}

/* The name of the index-th function that was ever called; null behind the last. */
EXPORT const char *gatun_function(int index) {
  standin_lock();
  const char *name = index < functionCount ? functions[index].name : NULL;
  standin_unlock();
  return name;
}

EXPORT long gatun_faults(void) {
  standin_lock();
  const long count = faults;
  standin_unlock();
  return count;
}

EXPORT const char *gatun_fault(void) {
  return faultText;
}

/* How many of a kind are alive; with "-bytes" behind it, how many bytes of memory; "all": how many of everything. */
EXPORT long gatun_live(const char *kind) {
  standin_lock();
  long count = -1;
  const size_t length = strlen(kind);
  const bool bytes = length > 6 && strcmp(kind + length - 6, "-bytes") == 0;
  const size_t named = bytes ? length - 6 : length;
  for (int i = 0; i < KINDS; i++) {
    if (strlen(kindNames[i]) == named && strncmp(kind, kindNames[i], named) == 0) {
      count = bytes ? liveBytes[i] : live[i];
    }
  }
  if (strcmp(kind, "all") == 0) {
    count = 0;
    for (int i = 0; i < KINDS; i++) {
      count += live[i];
    }
  }
  standin_unlock();
  return count;
}
