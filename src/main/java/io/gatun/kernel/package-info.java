/**
 * The contract of a device. A device has buffers (on a CPU a memory segment, on a GPU device
 * memory), copies and an order of work, and the kernels themselves: packed matrix products,
 * recurrent steps, activations, softmax, gather, convolution, reductions. There is no network here
 * and no name, only buffers and sizes, and nobody outside touches a byte of a buffer except through
 * this contract.
 *
 * <pre>{@code
 * Device device = Devices.best();
 * try (PackedMatrix weights = device.pack(matrix, bias); // [inner, columns] and [columns]
 *     Kernels kernels = device.open(Workers.none());
 *     Buffer a = device.allocate(4L * rows * inner);
 *     Buffer c = device.allocate(4L * rows * columns)) {
 *   Region in = new Region(a);
 *   Region out = new Region(c);
 *   kernels.upload(x, in); // [rows, inner]
 *   kernels.multiply(in, inner, rows, weights, Activation.RELU, out, columns);
 *   kernels.download(out, y); // [rows, columns]; waits until it is there
 * }
 * }</pre>
 *
 * <p>A {@link io.gatun.kernel.Device}, its buffers and what it packed are shared by threads; a
 * {@link io.gatun.kernel.Kernels} is an order of work and belongs to one at a time.
 */
package io.gatun.kernel;
