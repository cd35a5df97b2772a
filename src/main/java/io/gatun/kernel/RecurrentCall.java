package io.gatun.kernel;

import io.gatun.tensor.DType;

/**
 * The operands of one run of a recurrent layer in one direction. Made once and filled in again
 * before a run where something changed, so that running makes no object. Strides count elements;
 * the features of one time step of one sequence are always contiguous.
 *
 * <p>Where {@link #lengths} is given, sequence {@code b} has {@code lengths[b]} time steps: later
 * ones are not computed, their outputs are 0, and the final state is the one after the last real
 * step. In reverse, sequence {@code b} is walked from {@code lengths[b] − 1} down to 0, and its
 * outputs lie at the time steps they belong to.
 */
public final class RecurrentCall {
  /** Whether time runs backwards. */
  public boolean reverse;

  /** The number of time steps. */
  public int time;

  /** The number of sequences. */
  public int batch;

  /** {@code [time, batch, input]} through the strides below. */
  public Region input;

  /**
   * Where the input is rows of a table, that table, packed for the layer; {@code null} where it is
   * {@link #input}.
   */
  public PackedEmbedding embedding;

  /**
   * The table's rows, int32 or int64 {@code [time, batch]} through the strides below; a negative
   * one counts from the end. Those behind a sequence's end must be rows of the table, too.
   */
  public Region tokens;

  /** What {@link #tokens} are: int32 or int64. */
  public DType tokenType;

  /** From one time step of the input, or the tokens, to the next. */
  public long inputTimeStride;

  /** From one sequence of the input, or the tokens, to the next. */
  public long inputRowStride;

  /** int32 {@code [batch]}, each from 0 to {@link #time}; {@code null} if all are full. */
  public Region lengths;

  /** {@code [batch, state]}; {@code null} for zeros. */
  public Region initialHidden;

  /** LSTM: {@code [batch, hidden]}; {@code null} for zeros. */
  public Region initialCell;

  /** {@code [time, batch, state]} through the strides below; {@code null} if not wanted. */
  public Region output;

  /** From one time step of the output to the next. */
  public long outputTimeStride;

  /** From one sequence of the output to the next. */
  public long outputRowStride;

  /**
   * {@code [batch, state]}; {@code null} if not wanted. It may be the region of {@link
   * #initialHidden}.
   */
  public Region finalHidden;

  /** LSTM: {@code [batch, hidden]}; {@code null} if not wanted. It may be {@link #initialCell}. */
  public Region finalCell;
}
