/**
 * NVIDIA GPUs through CUDA, cuBLAS and cuDNN, called through generated bindings. Products are
 * cuBLAS's, whole recurrent layers cuDNN's where it has what the layer wants, and everything else
 * is done by kernels of our own, whose PTX the driver compiles for the card.
 *
 * <p>Nothing here is loaded before it is asked for: a machine without a GPU pays one look at a
 * file.
 *
 * <p>It is tested on libraries that stand in for NVIDIA's, and by {@code jmh/gpu-check} on
 * hardware; {@code docs/gpu.md} says on which, and what came out.
 */
package io.gatun.kernel.cuda;
