package io.gatun.kernel;

import io.gatun.tensor.DType;

/**
 * The operations that only training needs: gradients of the operations of {@link Kernels}, products
 * of two sides that both change from step to step, and losses. They are part of the order of work
 * of the {@link Kernels} they were asked from ({@link Kernels#training()}), and everything said
 * there holds here: real numbers have the device's type, operands are contiguous unless strides are
 * given, regions are checked at the door, the same operands give the same bits whatever the number
 * of workers, and once sizes have been seen nothing is allocated.
 *
 * <p>Gradients are those of one number, the loss, so a gradient has the shape of what it is the
 * gradient of. Outputs are overwritten, not added to.
 */
public interface TrainingKernels {

  /**
   * {@code C = A·B}, both sides as they lie, transposed or not. Strides count elements.
   *
   * @param a {@code [rows, inner]}
   * @param b {@code [inner, columns]}
   * @param c {@code [rows, columns]}, rows {@code cRowStride} elements apart
   */
  void multiply(
      Region a,
      long aRowStride,
      long aInnerStride,
      Region b,
      long bInnerStride,
      long bColumnStride,
      int rows,
      int inner,
      int columns,
      Region c,
      long cRowStride);

  /**
   * The gradient of an activation: {@code inputGradient = activation'(·) ∘ outputGradient}. At a
   * kink the derivative is the one of the side on which the function is constant or flatter (0 of
   * {@code relu} at 0).
   *
   * @param value what the derivative is formed from: the activation's output where {@link
   *     Activation#differentiatesFromOutput()}, else its input
   * @param inputGradient may be the region of outputGradient
   */
  void activationGradient(
      Activation activation, Region value, Region outputGradient, Region inputGradient, long count);

  /**
   * The gradient of {@link Kernels#softmax} over rows, {@code dx = y ∘ (dy − Σ dy∘y)}, or of {@link
   * Kernels#logSoftmax}, {@code dx = dy − e^y Σ dy}. Where a row ended early, y is 0 and so is dx.
   *
   * @param output what the operation gave, {@code [rows, size]}
   */
  void softmaxGradient(
      boolean logarithm,
      Region output,
      Region outputGradient,
      Region inputGradient,
      int rows,
      int size);

  /**
   * The gradients of {@link Kernels#layerNorm}. With x̂ the normalised row, r its factor
   * 1/√(variance + epsilon) and g = dy ∘ scale: {@code dx = r (g − mean(g) − x̂ mean(g∘x̂))},
   * {@code dscale = Σ dy∘x̂}, {@code dshift = Σ dy} over the rows.
   *
   * @param inputGradient {@code [rows, size]}, or {@code null} if not wanted
   * @param scaleGradient {@code [size]}, or {@code null} if not wanted
   * @param shiftGradient {@code [size]}, or {@code null} if not wanted
   */
  void layerNormGradient(
      Region input,
      Region scale,
      Region outputGradient,
      int rows,
      int size,
      double epsilon,
      Region inputGradient,
      Region scaleGradient,
      Region shiftGradient);

  /**
   * {@link Kernels#convolve} with weights that change from step to step.
   *
   * @param weights {@code [outputChannels, inputChannels / groups, kernel...]}
   * @param bias {@code [outputChannels]}, or {@code null}
   */
  void convolve(
      ConvolutionSpec spec,
      Region input,
      Region weights,
      Region bias,
      int batch,
      long[] spatial,
      Region output);

  /**
   * The gradients of a convolution.
   *
   * @param inputGradient like the input, or {@code null} if not wanted
   * @param weightsGradient like the weights, or {@code null} if not wanted
   * @param biasGradient {@code [outputChannels]}, or {@code null} if not wanted
   */
  void convolutionGradient(
      ConvolutionSpec spec,
      Region input,
      Region weights,
      Region outputGradient,
      int batch,
      long[] spatial,
      Region inputGradient,
      Region weightsGradient,
      Region biasGradient);

  /**
   * The gradient of {@link Kernels#pool}. Of several largest in a window the first gets it.
   *
   * @param input what was pooled
   * @param outputGradient like the output
   * @param inputGradient like the input
   */
  void poolGradient(
      PoolingSpec pooling,
      Region input,
      Region outputGradient,
      long planes,
      long[] spatial,
      Region inputGradient);

  /**
   * Adds rows to rows, the gradient of {@link Kernels#gatherRows}: the target is set to 0, then
   * {@code target[indices[i]] += source[i]}, in the order of i. A negative index counts from the
   * end.
   *
   * @param source reals {@code [count, rowSize]}
   * @param indices int32 or int64 {@code [count]}
   * @param target reals {@code [tableRows, rowSize]}
   * @throws IndexOutOfBoundsException if an index is none of the table's
   */
  void scatterAddRows(
      Region source,
      Region indices,
      DType indexType,
      long count,
      long rowSize,
      Region target,
      long tableRows);

  /**
   * The gradient of {@link Kernels#reduce}. Of several extremes in a row the first gets the
   * gradient.
   *
   * @param input {@code [outer, size, inner]}
   * @param output {@code [outer, inner]}, what the reduction gave
   * @param outputGradient {@code [outer, inner]}
   * @param inputGradient {@code [outer, size, inner]}
   */
  void reduceGradient(
      Reduction reduction,
      Region input,
      Region output,
      Region outputGradient,
      Region inputGradient,
      long outer,
      int size,
      long inner);

  /**
   * Dropout: each element becomes 0 with probability {@code ratio}, else it is divided by {@code 1
   * − ratio}. Whether element i is dropped depends on the seed, the stream and the place {@code Σ
   * index · maskStrides} alone, so that elements of one place share their fate, the same call drops
   * the same elements again (which is its gradient), and the number of threads does not matter.
   *
   * @param input contiguous, of {@code extent}
   * @param maskStrides as many as there are axes; 0 along axes that share one mask
   * @param seed one int64
   * @param stream tells apart the places of a network that draw from one seed
   * @param output may be the input's region
   */
  void dropout(
      Region input,
      long[] extent,
      long[] maskStrides,
      Region seed,
      long stream,
      double ratio,
      Region output);

  /**
   * Cross-entropy of rows of logits against one label each: {@code loss = −Σ q log softmax(x)} with
   * q = 1 − smoothing at the label plus smoothing / size everywhere (Szegedy et al. 2016, equation
   * 8 with a uniform prior). A row whose label is negative is ignored: its loss is 0.
   *
   * @param logits {@code [rows, size]}
   * @param labels int32 or int64 {@code [rows]}
   * @param weights reals {@code [rows]} that the losses are multiplied by, or {@code null}
   * @param losses {@code [rows]}
   * @param logSums {@code [rows]}: log Σ e^x of each row, which the gradient needs
   * @param counted one number: the sum of the weights of the rows that are not ignored
   * @throws IndexOutOfBoundsException if a label is not less than size
   */
  void crossEntropy(
      Region logits,
      Region labels,
      DType labelType,
      Region weights,
      int rows,
      int size,
      double smoothing,
      Region losses,
      Region logSums,
      Region counted);

  /**
   * The gradient of {@link #crossEntropy}: {@code dx = scale · weight · (softmax(x) − q)}, 0 in
   * rows that are ignored.
   *
   * @param scale one number, the gradient of each row's loss
   */
  void crossEntropyGradient(
      Region logits,
      Region logSums,
      Region labels,
      DType labelType,
      Region weights,
      int rows,
      int size,
      double smoothing,
      Region scale,
      Region gradient);

  /**
   * Runs one direction of a recurrent layer over whole sequences and keeps what {@link
   * #recurrentBackward} needs. The numbers are those of {@link Kernels#recurrent} up to rounding.
   */
  void recurrentForward(RecurrentTraining layer);

  /**
   * Walks one direction of a recurrent layer back through time, after {@link #recurrentForward}
   * with the same operands. Time steps behind the end of a sequence have a gradient of 0.
   */
  void recurrentBackward(RecurrentTraining layer);
}
