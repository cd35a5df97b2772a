/* The CUDA driver API, libcuda: modules and launches of own kernels. */
#ifndef GATUN_DRIVER_H
#define GATUN_DRIVER_H

#include "gatun.h"

GATUN_TYPE(int, CUresult);
GATUN_TYPE(int, CUdevice);
GATUN_TYPE(int, CUjit_option);
GATUN_TYPE(void *, CUmodule);
GATUN_TYPE(void *, CUfunction);
GATUN_TYPE(void *, CUstream);

GATUN_CONSTANT(CU_JIT_ERROR_LOG_BUFFER, 5);
GATUN_CONSTANT(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, 6);

CUresult cuInit(unsigned int flags);
CUresult cuDriverGetVersion(int *version);
CUresult cuDeviceGet(CUdevice *device, int ordinal);
CUresult cuDeviceGetName(char *name, int length, CUdevice device);
CUresult cuGetErrorName(CUresult error, const char **name);
CUresult cuGetErrorString(CUresult error, const char **text);
CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned int count, CUjit_option *options,
                            void **values);
CUresult cuModuleUnload(CUmodule module);
CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name);
CUresult cuLaunchKernel(CUfunction function, unsigned int gridX, unsigned int gridY, unsigned int gridZ,
                        unsigned int blockX, unsigned int blockY, unsigned int blockZ, unsigned int sharedBytes,
                        CUstream stream, void **parameters, void **extra);

#endif
