/**
 * Off-heap tensors and the memory they live in. This room knows nothing else of the library.
 *
 * <p>An {@link java.lang.foreign.Arena} owns memory, a {@link io.gatun.tensor.Tensor} views it.
 * Views (slices, transposes, reshapes, broadcasts) copy nothing.
 *
 * <pre>{@code
 * try (Arena arena = Arena.ofConfined()) {
 *   Tensor x = Tensor.ofFloats(arena, new float[] {1, 2, 3, 4, 5, 6}, 2, 3); // [batch, feature]
 *   Tensor second = x.select(0, 1); //                                          [feature]
 *   second.setFloat(40, 0); // writes through to x
 *   Tensor columns = x.transpose(); //                                          [feature, batch]
 *   float[] values = columns.toFloats(); // 1, 40, 2, 5, 3, 6
 *   Tensor small = x.to(arena, DType.BFLOAT16); // a copy: the type changes
 * }
 * }</pre>
 *
 * <ul>
 *   <li>{@link io.gatun.tensor.DType} and {@link io.gatun.tensor.Shape}: what an element is, and
 *       how many there are.
 *   <li>{@link io.gatun.tensor.SharedArena}: memory that threads share and that cannot be closed
 *       while somebody holds a lease on it.
 *   <li>{@link io.gatun.tensor.Workspace}: scratch memory that is reset instead of freed.
 * </ul>
 */
package io.gatun.tensor;
