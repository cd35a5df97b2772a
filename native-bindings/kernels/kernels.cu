/* All kernels: what is compiled. */
#include "elementwise.cu"
#include "moving.cu"
#include "recurrent_back.cu"
#include "reduce.cu"
#include "rows.cu"
#include "windows.cu"
