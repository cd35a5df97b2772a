/* The driver: modules and launches. A kernel is what the sources in native-bindings/kernels are as plain C. */
#define _GNU_SOURCE
#include "driver.h"
#include "kernel.h"
#include "standin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_INITIALIZED = 3, INVALID = 1, NO_CONTEXT = 201, INVALID_IMAGE = 200, BAD_HANDLE = 400, NOT_FOUND = 500 };

static HostKernel *kernels;
static bool initialized;

void gatun_kernel(HostKernel *kernel) {
  kernel->next = kernels;
  kernels = kernel;
}

typedef struct {
  Handle handle;
  char *text;
} Module;

/* What a CUfunction is: it belongs to its module. */
typedef struct {
  Module *module;
  const HostKernel *kernel;
} Function;

#define BEGIN(name)                                                                                                    \
  standin_lock();                                                                                                      \
  int result = standin_enter(name, 0)
#define END                                                                                                            \
  standin_unlock();                                                                                                    \
  return result
#define NEEDS_CONTEXT                                                                                                  \
  if (result == 0 && !standin_bound()) {                                                                               \
    result = initialized ? NO_CONTEXT : NOT_INITIALIZED;                                                               \
  }

EXPORT CUresult cuInit(unsigned int flags) {
  BEGIN("cuInit");
  (void)flags;
  initialized = initialized || result == 0;
  END;
}

EXPORT CUresult cuDriverGetVersion(int *version) {
  BEGIN("cuDriverGetVersion");
  if (result == 0) {
    *version = 12040;
  }
  END;
}

EXPORT CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  BEGIN("cuDeviceGet");
  if (result == 0 && !initialized && !standin_bound()) {
    result = NOT_INITIALIZED;
  } else if (result == 0) {
    *device = ordinal;
  }
  END;
}

EXPORT CUresult cuDeviceGetName(char *name, int length, CUdevice device) {
  BEGIN("cuDeviceGetName");
  (void)device;
  if (result == 0) {
    snprintf(name, (size_t)length, "stand-in without a GPU");
  }
  END;
}

static const struct {
  CUresult code;
  const char *name, *text;
} errors[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {200, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain."},
    {400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
};

EXPORT CUresult cuGetErrorName(CUresult error, const char **name) {
  *name = NULL;
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    if (errors[i].code == error) {
      *name = errors[i].name;
    }
  }
  return *name == NULL ? INVALID : 0;
}

EXPORT CUresult cuGetErrorString(CUresult error, const char **text) {
  *text = NULL;
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
    if (errors[i].code == error) {
      *text = errors[i].text;
    }
  }
  return *text == NULL ? INVALID : 0;
}

EXPORT CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned int count, CUjit_option *options,
                                   void **values) {
  BEGIN("cuModuleLoadDataEx");
  NEEDS_CONTEXT
  for (unsigned int i = 0; i < count && result != 0; i++) {
    /* A failure says why where it is asked to. */
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER && values[i] != NULL) {
      strcpy(values[i], "ptxas: the stand-in was told to fail");
    }
  }
  if (result == 0 && strstr(image, "\n.version ") == NULL) {
    result = standin_fault(INVALID_IMAGE, "cuModuleLoadDataEx: not PTX");
  } else if (result == 0) {
    Module *loaded = standin_create(LIVE_MODULE, sizeof(Module));
    loaded->text = strdup(image);
    *module = loaded;
  }
  END;
}

EXPORT CUresult cuModuleUnload(CUmodule module) {
  BEGIN("cuModuleUnload");
  NEEDS_CONTEXT
  if (!standin_alive(module, LIVE_MODULE)) {
    result = standin_fault(BAD_HANDLE, "cuModuleUnload(%p): not a module that is alive", module);
  } else {
    free(((Module *)module)->text);
    standin_destroy(module);
  }
  END;
}

EXPORT CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  BEGIN("cuModuleGetFunction");
  NEEDS_CONTEXT
  if (result == 0 && !standin_alive(module, LIVE_MODULE)) {
    result = standin_fault(BAD_HANDLE, "cuModuleGetFunction: %p is not a module that is alive", module);
  } else if (result == 0) {
    const HostKernel *kernel = kernels;
    while (kernel != NULL && strcmp(kernel->name, name) != 0) {
      kernel = kernel->next;
    }
    char entry[128];
    snprintf(entry, sizeof entry, ".entry %s(", name);
    if (kernel == NULL || strstr(((Module *)module)->text, entry) == NULL) {
      result = NOT_FOUND;
    } else {
      Function *found = malloc(sizeof *found);
      *found = (Function){module, kernel};
      *function = found;
    }
  }
  END;
}

typedef struct {
  const HostKernel *kernel;
  int64_t blocks;
  int threads;
  _Alignas(8) char arguments[512];
} Launch;

static void launchNow(void *arguments) {
  const Launch *launch = arguments;
  const int turned = standin_turned();
  for (int64_t i = 0; i < launch->blocks; i++) {
    const Grid grid = {turned ? launch->blocks - 1 - i : i, launch->blocks, launch->threads, turned};
    launch->kernel->block(launch->arguments, grid);
  }
}

/* Words that look like addresses must be of memory that a kernel can reach. */
static int checkAddresses(const Launch *launch) {
  for (size_t at = 0; at + 8 <= launch->kernel->bytes; at += 8) {
    uint64_t word;
    memcpy(&word, launch->arguments + at, sizeof word);
    const void *pointer = (const void *)word;
    const int looksLikeHost = word >= 0x550000000000u && word < 0x800000000000u;
    if ((looksLikeHost || standin_device_address(pointer)) && !standin_on_device(pointer, 0)) {
      return standin_fault(700, "cuLaunchKernel(%s): the address %p at byte %zu of its parameters is of no memory that is alive",
                           launch->kernel->name, pointer, at);
    }
  }
  return 0;
}

EXPORT CUresult cuLaunchKernel(CUfunction function, unsigned int gridX, unsigned int gridY, unsigned int gridZ,
                               unsigned int blockX, unsigned int blockY, unsigned int blockZ, unsigned int sharedBytes,
                               CUstream stream, void **parameters, void **extra) {
  BEGIN("cuLaunchKernel");
  NEEDS_CONTEXT
  if (result == 0) {
    const Function *f = function;
    const void *arguments = parameters == NULL ? NULL : parameters[0];
    size_t bytes = f->kernel->bytes;
    for (void **option = extra; parameters == NULL && option != NULL && *option != NULL; option += 2) {
      if ((size_t)option[0] == 1) {
        arguments = option[1];
      } else if ((size_t)option[0] == 2) {
        bytes = *(const size_t *)option[1];
      }
    }
    if (!standin_alive(f->module, LIVE_MODULE)) {
      result = standin_fault(BAD_HANDLE, "cuLaunchKernel(%s): its module is no more", f->kernel->name);
    } else if (!standin_stream(stream)) {
      result = standin_fault(BAD_HANDLE, "cuLaunchKernel(%s): %p is not a stream", f->kernel->name, stream);
    } else if (gridX == 0 || gridX > 0x7fffffff || gridY != 1 || gridZ != 1 || blockY != 1 || blockZ != 1 ||
               sharedBytes != 0 || blockX == 0 || blockX > MOST || (blockX & (blockX - 1)) != 0) {
      result = standin_fault(INVALID, "cuLaunchKernel(%s): grid %u × %u × %u, block %u × %u × %u, %u bytes shared",
                             f->kernel->name, gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes);
    } else if (arguments == NULL || bytes != f->kernel->bytes || bytes > sizeof((Launch *)NULL)->arguments) {
      result = standin_fault(INVALID, "cuLaunchKernel(%s): %zu bytes of parameters, expected %zu", f->kernel->name, bytes,
                             f->kernel->bytes);
    } else {
      Launch launch = {f->kernel, gridX, (int)blockX, {0}};
      memcpy(launch.arguments, arguments, bytes);
      result = checkAddresses(&launch);
      if (result == 0) {
        result = standin_enqueue(stream, launchNow, &launch, sizeof launch);
      }
    }
  }
  END;
}
