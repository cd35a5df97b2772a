package io.gatun.kernel;

/**
 * The sizes of many matrix products of the same shape, {@code C[i] = A[i]·B[i]}, neither side
 * constant. Strides and offsets count elements; each {@code C[i]} is contiguous and follows the one
 * before it.
 *
 * @param aOffsets where each left-hand side begins; its length is the number of products
 * @param bOffsets where each right-hand side begins
 * @param rows rows of A and C
 * @param inner columns of A, rows of B
 * @param columns columns of B and C
 * @param aRowStride from one row of A to the next
 * @param aInnerStride from one column of A to the next
 * @param bInnerStride from one row of B to the next
 * @param bColumnStride from one column of B to the next
 */
public record BatchedProduct(
    long[] aOffsets,
    long[] bOffsets,
    int rows,
    int inner,
    int columns,
    long aRowStride,
    long aInnerStride,
    long bInnerStride,
    long bColumnStride) {}
