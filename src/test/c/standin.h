/*
 * Libraries that stand in for NVIDIA's where there is no GPU: what Gatun calls of the runtime, the driver, cuBLAS and cuDNN,
 * with the behaviour that their documentation promises and nothing that it does not:
 *
 * - Device memory is out of the host's reach: a thread of the host that touches it dies of it (memory protection keys,
 *   where the processor has them). New memory is not zero but NaN.
 * - A stream's work happens as late as may be: when somebody waits for it.
 * - Whatever is wrong (a copy beyond an allocation, a handle that is no more, host memory given to a kernel) is refused,
 *   counted and described: gatun_faults and gatun_fault.
 * - Every call can be made to fail, and the device can be lost: gatun_fail and gatun_lose.
 * - What is alive is counted: gatun_live.
 */
#ifndef GATUN_STANDIN_H
#define GATUN_STANDIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is counted. */
typedef enum {
  LIVE_DEVICE,
  LIVE_HOST,
  LIVE_STREAM,
  LIVE_EVENT,
  LIVE_CUBLAS,
  LIVE_CUDNN,
  LIVE_TENSOR_DESCRIPTOR,
  LIVE_DROPOUT_DESCRIPTOR,
  LIVE_RNN_DESCRIPTOR,
  LIVE_DATA_DESCRIPTOR,
  LIVE_FILTER_DESCRIPTOR,
  LIVE_CONVOLUTION_DESCRIPTOR,
  LIVE_MODULE,
  KINDS
} Kind;

/* The first thing in everything that is created, so that a handle can be told from what is none. */
typedef struct {
  uint32_t magic;
  Kind kind;
} Handle;

/* One thing at a time happens in the stand-in. */
void standin_lock(void);
void standin_unlock(void);

/* Counts the call of a function; the code that it has to fail with, or 0. `lost` is the code of its library for a lost device. */
int standin_enter(const char *function, int lost);

/* Describes a misuse. Returns `code`. */
int standin_fault(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Something of so many bytes, counted; null where there is no memory. */
void *standin_create(Kind kind, size_t bytes);

/* Whether a pointer is something of that kind that is alive. */
bool standin_alive(const void *handle, Kind kind);

/* Frees what standin_create gave. */
void standin_destroy(void *handle);

/* Whether all `bytes` bytes lie in one allocation of device memory, or of pinned host memory, that is alive. */
bool standin_on_device(const void *pointer, size_t bytes);

/* Whether a pointer is a device's at all. */
bool standin_device_address(const void *pointer);

/* Whether host memory is pinned. */
bool standin_pinned(const void *pointer, size_t bytes);

/* Work for a stream: called later with a copy of `bytes` bytes of arguments, with access to device memory. */
typedef void (*Work)(void *arguments);
int standin_enqueue(void *stream, Work work, const void *arguments, size_t bytes);

/* Whether a stream handle can be used; null is the default stream. */
bool standin_stream(void *stream);

/* Lets the calling thread touch device memory, or no longer. */
void standin_reach(bool allowed);

/* Whether the calling thread has a context: whether it called the runtime. */
bool standin_bound(void);

/* Whether threads of a kernel's blocks come last to first. */
bool standin_turned(void);

#define EXPORT __attribute__((visibility("default")))

#endif
