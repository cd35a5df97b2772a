/* The CUDA runtime, libcudart 12 and 13: devices, memory, streams, events. */
#ifndef GATUN_CUDART_H
#define GATUN_CUDART_H

#include "gatun.h"

GATUN_TYPE(int, cudaError_t);
GATUN_TYPE(void *, cudaStream_t);
GATUN_TYPE(void *, cudaEvent_t);
#ifndef GATUN_CHECK
/* NVIDIA's are enumerations without a typedef. */
#define GATUN_ENUM(name) int
#else
#define GATUN_ENUM(name) enum name
#endif

GATUN_CONSTANT(cudaErrorMemoryAllocation, 2);

GATUN_CONSTANT(cudaMemcpyHostToDevice, 1);
GATUN_CONSTANT(cudaMemcpyDeviceToHost, 2);
GATUN_CONSTANT(cudaMemcpyDeviceToDevice, 3);

GATUN_CONSTANT(cudaStreamNonBlocking, 1);
GATUN_CONSTANT(cudaEventDisableTiming, 2);

GATUN_CONSTANT(cudaDevAttrComputeCapabilityMajor, 75);
GATUN_CONSTANT(cudaDevAttrComputeCapabilityMinor, 76);

const char *cudaGetErrorName(cudaError_t error);
const char *cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError(void);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaDeviceGetAttribute(int *value, GATUN_ENUM(cudaDeviceAttr) attribute, int device);
cudaError_t cudaDeviceSynchronize(void);
cudaError_t cudaMemGetInfo(size_t *available, size_t *total);
cudaError_t cudaMalloc(void **pointer, size_t bytes);
cudaError_t cudaFree(void *pointer);
cudaError_t cudaHostAlloc(void **pointer, size_t bytes, unsigned int flags);
cudaError_t cudaFreeHost(void *pointer);
cudaError_t cudaMemcpyAsync(void *target, const void *source, size_t bytes, GATUN_ENUM(cudaMemcpyKind) kind,
                            cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *pointer, int value, size_t bytes, cudaStream_t stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);

#endif
