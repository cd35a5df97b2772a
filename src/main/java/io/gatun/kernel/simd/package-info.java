/**
 * The kernels on the Vector API. This is the only room that names the incubator module; whether it
 * can be used on this Java is decided once, by {@link io.gatun.kernel.simd.SimdProvider}, before
 * any class that names one of its types is loaded.
 *
 * <p>It wants the flags {@code --add-modules jdk.incubator.vector} and, so that Java does not warn
 * about the one segment over all memory, {@code --enable-native-access}.
 *
 * <pre>{@code
 * try (Device device = Devices.open("simd");
 *     Workers workers = new Workers(2);
 *     Kernels kernels = device.open(workers);
 *     PackedMatrix b = device.pack(matrix, bias)) {
 *   kernels.upload(Tensor.ofFloats(arena, new float[] {1, 10}, rows, 2), a);
 *   kernels.multiply(a, b.inner(), rows, b, Activation.TANH, c, b.columns());
 *   kernels.download(c, y);
 * }
 * }</pre>
 *
 * <p>How it is made:
 *
 * <ul>
 *   <li>{@code SimdKernels} are the doors: everything is checked there. Behind them are runs
 *       ({@code MultiplyRun}, {@code RecurrentRun}, ...), which cut the work into parts for the
 *       workers and keep scratch memory for each, and which see addresses only.
 *   <li>Loops over vectors are in leaf classes: {@code WideTiles} and {@code NarrowTiles}
 *       (products), {@code Gates}, {@code CellPasses}, {@code Activations}, {@code RowPasses},
 *       {@code BinaryPasses}. They have the form that the compilers keep fast in any company:
 *       static, small, over one constant segment, an {@code int} counter, no helper that takes or
 *       gives a vector. What they look like is no matter of taste: each is checked by {@code
 *       AllocationTest}, since a kernel that the compiler has lost shows itself by making objects
 *       of its vectors.
 *   <li>No kernel has tails. Weights are filled up to whole vectors when they are packed; rows of
 *       the caller's that are none are computed in scratch memory. So the bits of an element depend
 *       on neither its place, nor the batch, nor the number of threads; and as all arithmetic is
 *       plain float32 and fused multiply-adds, written out here, nor on the width of the vectors
 *       where no sum over lanes is formed.
 * </ul>
 */
package io.gatun.kernel.simd;
