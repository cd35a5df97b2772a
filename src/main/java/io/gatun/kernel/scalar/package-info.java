/**
 * The kernels as plain loops. They run where the Vector API is missing, and they are the slow
 * truth, in double precision where asked, that every other implementation is tested against.
 *
 * <p>{@link io.gatun.kernel.scalar.HostDevice} and {@link io.gatun.kernel.scalar.HostKernels} hold
 * what all devices on the CPU share: memory, checks at the door, moving of bytes. {@link
 * io.gatun.kernel.scalar.ScalarKernels} computes; another CPU device extends it and overrides what
 * it does faster.
 */
package io.gatun.kernel.scalar;
