/**
 * The contract of a device. A device has buffers (on a CPU a memory segment, on a GPU device
 * memory), copies and an order of work, and the kernels themselves: packed matrix products,
 * recurrent steps, activations, softmax, gather, convolution, reductions. There is no network here
 * and no name, only buffers and sizes, and nobody outside touches a byte of a buffer except through
 * this contract.
 */
package io.gatun.kernel;
