package io.gatun.kernel;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;

/**
 * The operations of a {@link Device}, and the order in which they happen: operations of one {@code
 * Kernels} run one after the other; those of two may run at the same time. On a GPU this is a
 * stream; on the CPU each operation is done when its method returns.
 *
 * <p>Real numbers have the device's {@linkplain Device#real() real type}. Unless said otherwise
 * operands are contiguous in row-major order, and outputs do not overlap inputs except where input
 * and output are the same region and the operation works element by element ({@link #activate},
 * {@link #unary}, {@link #binary} without broadcasting, {@link #softmax}, {@link #logSoftmax},
 * {@link #layerNorm}).
 *
 * <p>Every method checks, before it begins, that each region holds the bytes it will touch and
 * throws {@link IndexOutOfBoundsException} naming the operand otherwise; inside, nothing is checked
 * twice. The same operands give the same bits, whatever the number of workers; and what comes out
 * for a row does not depend on the other rows.
 *
 * <p>A {@code Kernels} has scratch memory of its own, grown when needed and then kept: once sizes
 * have been seen, no operation allocates. It belongs to one thread at a time; whoever opened it
 * closes it.
 */
public interface Kernels extends AutoCloseable {

  /** The device these operations run on. */
  Device device();

  // ---- moving numbers -------------------------------------------------------------------------

  /**
   * Copies a tensor from the host, converting it to the {@linkplain Device#stored stored} type of
   * its own type. Any strides. The tensor may be written over when this returns, unless it lies in
   * memory of {@link Device#allocateHost}.
   */
  void upload(Tensor source, Region target);

  /**
   * Copies to a tensor on the host, converting from the stored type of the tensor's type, and waits
   * until it is there. Any strides.
   */
  void download(Region source, Tensor target);

  /** Copies bytes. */
  void copy(Region source, Region target, long bytes);

  /**
   * Copies elements from anywhere to anywhere: transposition, slicing, concatenation, repetition
   * (stride 0 of the source). Offsets and strides count elements; all arrays have as many entries
   * as there are axes.
   */
  void copyStrided(
      Region source,
      long sourceOffset,
      long[] sourceStrides,
      Region target,
      long targetOffset,
      long[] targetStrides,
      long[] extent,
      int elementBytes);

  /** Sets {@code count} elements of a {@linkplain Device#stored stored} type to a value. */
  void fill(Region target, DType type, long count, double value);

  /** Converts {@code count} elements from one type to another, as stored on the device. */
  void cast(Region source, DType from, Region target, DType to, long count);

  /**
   * Picks rows: {@code target[i] = table[indices[i]]}. A negative index counts from the end.
   *
   * @param table {@code [tableRows, rowBytes]}
   * @param indices int32 or int64 {@code [count]}
   * @throws IndexOutOfBoundsException if an index is none of the table's; then no row is written
   */
  void gatherRows(
      Region table,
      long tableRows,
      long rowBytes,
      Region indices,
      DType indexType,
      long count,
      Region target);

  /**
   * Sets the elements at the given places of a real-valued region to one value.
   *
   * @param places int64 {@code [count]}, counted in elements
   */
  void assign(Region target, Region places, int count, double value);

  // ---- linear algebra -------------------------------------------------------------------------

  /**
   * {@code C = activation(A·B + bias)} with packed B.
   *
   * @param a {@code [rows, inner]}, rows {@code aRowStride} elements apart
   * @param c {@code [rows, columns]}, rows {@code cRowStride} elements apart
   */
  void multiply(
      Region a,
      long aRowStride,
      int rows,
      PackedMatrix b,
      Activation activation,
      Region c,
      long cRowStride);

  /** Many products of two sides that both vary. */
  void multiply(BatchedProduct product, Region a, Region b, Region c);

  /** Runs one direction of a recurrent layer over whole sequences, or one time step. */
  void recurrent(PackedRecurrent layer, RecurrentCall call);

  /**
   * Runs both directions of a recurrent layer over the same input: what two calls would do, one for
   * each, which a device that has both at once does in one. No region that one of them writes may
   * be the other's.
   *
   * @param backward packed together with {@code forward} by {@link Device#pack(java.util.List,
   *     java.util.List, WeightFormat)}
   */
  default void recurrent(
      PackedRecurrent forward,
      RecurrentCall forwardCall,
      PackedRecurrent backward,
      RecurrentCall backwardCall) {
    recurrent(forward, forwardCall);
    recurrent(backward, backwardCall);
  }

  /**
   * {@code output = activation(convolution(input) + bias)}.
   *
   * @param input {@code [batch, inputChannels, spatial...]}
   * @param spatial the input's size along each spatial axis
   * @param output {@code [batch, outputChannels, outputSpatial...]}
   */
  void convolve(
      PackedConvolution convolution,
      Region input,
      int batch,
      long[] spatial,
      Activation activation,
      Region output);

  /**
   * The largest, or the mean, of each window of each plane. A window that sees nothing but padding
   * gives −infinity, or 0.
   *
   * @param input {@code [planes, spatial...]}
   * @param spatial the input's size along each spatial axis
   * @param output {@code [planes, outputSpatial...]}
   * @throws UnsupportedOperationException if the device does not pool
   */
  default void pool(PoolingSpec pooling, Region input, long planes, long[] spatial, Region output) {
    throw new UnsupportedOperationException(
        device().name() + " does not pool; the devices simd and scalar do");
  }

  // ---- element by element ---------------------------------------------------------------------

  /** {@code output = activation(input)}. */
  void activate(Activation activation, Region input, Region output, long count);

  /** {@code output = operation(input)} on reals. */
  void unary(UnaryOperation operation, Region input, Region output, long count);

  /**
   * {@code output = operation(a, b)} with broadcasting: a stride of 0 repeats. The output is
   * contiguous; strides count elements.
   *
   * @param type of both operands and the output; reals or integers
   */
  void binary(
      BinaryOperation operation,
      DType type,
      Region a,
      long[] aStrides,
      Region b,
      long[] bStrides,
      Region output,
      long[] extent);

  // ---- over rows ------------------------------------------------------------------------------

  /**
   * {@code softmax} over each row of {@code [rows, size]}, shifted by the row's maximum.
   *
   * @param lengths int32, or {@code null}: row {@code i} ends at {@code lengths[i /
   *     rowsPerLength]}, and what lies behind becomes 0; a row of length 0 becomes all zeros
   */
  void softmax(Region input, Region output, int rows, int size, Region lengths, int rowsPerLength);

  /** {@code x − log Σ e^x} over each row of {@code [rows, size]}, shifted by the maximum. */
  void logSoftmax(Region input, Region output, int rows, int size);

  /**
   * Each row of {@code [rows, size]} to mean 0 and variance 1 (population variance), then scaled
   * and shifted.
   *
   * @param scale {@code [size]}
   * @param shift {@code [size]}, or {@code null}
   */
  void layerNorm(
      Region input, Region output, int rows, int size, Region scale, Region shift, double epsilon);

  /** Reduces the middle axis of {@code [outer, size, inner]}; the result is [outer, inner]. */
  void reduce(Reduction reduction, Region input, Region output, long outer, int size, long inner);

  /**
   * The k largest of each row of {@code [rows, size]}, largest first; of equals the one with the
   * lower index. NaN counts as smaller than everything.
   *
   * @param values reals {@code [rows, k]}
   * @param indices {@code indexType} (int32 or int64) {@code [rows, k]}
   */
  void topK(
      Region input, int rows, int size, int k, Region values, Region indices, DType indexType);

  /**
   * The k largest of the log-softmax of each row of {@code [rows, size]}: the bits that {@link
   * #logSoftmax} and then {@link #topK} give, without the others' being stored. What a search wants
   * of a vocabulary.
   *
   * @param values reals {@code [rows, k]}
   * @param indices {@code indexType} (int32 or int64) {@code [rows, k]}
   */
  void topLogSoftmax(
      Region input, int rows, int size, int k, Region values, Region indices, DType indexType);

  // ---- training -------------------------------------------------------------------------------

  /**
   * The sum of the squares of {@code count} reals, added up in float64; waits for it. Not a number
   * or infinite where one of them is.
   */
  double sumOfSquares(Region values, long count);

  /**
   * Changes parameters in place by one step of an optimiser.
   *
   * @param parameters reals {@code [count]}
   * @param gradients reals {@code [count]}
   * @param first the first moments {@code [count]}, updated; {@code null} where the rule has none
   * @param second the second moments {@code [count]}, updated; {@code null} where it has none
   */
  void optimise(
      OptimiserStep step,
      Region parameters,
      Region gradients,
      Region first,
      Region second,
      long count);

  /**
   * The operations that only training needs, in the same order of work and with the same scratch
   * memory.
   *
   * @throws UnsupportedOperationException if the device cannot train
   */
  default TrainingKernels training() {
    throw new UnsupportedOperationException(
        device().name() + " cannot train; the devices simd and scalar can");
  }

  // ---- order ----------------------------------------------------------------------------------

  /** Waits until everything asked for so far is done. */
  void synchronize();

  /** Gives scratch memory back. */
  @Override
  void close();
}
