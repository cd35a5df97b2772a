package io.gatun.job;

import io.gatun.batch.Classification;
import io.gatun.batch.LineWriter;
import io.gatun.table.Column;
import io.gatun.table.ColumnType;
import java.util.List;
import java.util.Objects;

/**
 * Classes in a table: {@code label} (text) and {@code probability} (double), or with more than one
 * {@code labels} and {@code probabilities}, lists of the same length, the most probable first. A
 * network without labels has {@code numbers}, a list of floats.
 */
public final class ClassificationAnswers implements Answers<Classification> {
  private final boolean labelled;
  private final int count;
  private final LineWriter.Format<? super Classification> text;

  /**
   * Makes the columns.
   *
   * @param labelled whether the model has labels
   * @param count how many classes are written
   * @param text makes lines of a classification
   */
  public ClassificationAnswers(
      boolean labelled, int count, LineWriter.Format<? super Classification> text) {
    this.labelled = labelled;
    this.count = count;
    this.text = Objects.requireNonNull(text, "text");
  }

  @Override
  public List<Column> columns() {
    if (!labelled) {
      return List.of(new Column("numbers", ColumnType.listOf(ColumnType.FLOAT)));
    }
    return count == 1
        ? List.of(
            new Column("label", ColumnType.TEXT), new Column("probability", ColumnType.DOUBLE))
        : List.of(
            new Column("labels", ColumnType.listOf(ColumnType.TEXT)),
            new Column("probabilities", ColumnType.listOf(ColumnType.DOUBLE)));
  }

  @Override
  public Object[] values(Classification answer) {
    if (!labelled) {
      float[] numbers = new float[answer.numbers().size()];
      for (int i = 0; i < numbers.length; i++) {
        numbers[i] = answer.numbers().get(i);
      }
      return new Object[] {numbers};
    }
    List<Classification.Choice> choices =
        answer.choices().subList(0, Math.min(count, answer.choices().size()));
    if (count == 1) {
      return choices.isEmpty()
          ? new Object[] {null, null}
          : new Object[] {choices.get(0).label(), choices.get(0).probability()};
    }
    return new Object[] {
      choices.stream().map(Classification.Choice::label).toList(),
      choices.stream().map(Classification.Choice::probability).toList()
    };
  }

  @Override
  public String text(long number, Classification answer) {
    return text.text(number, answer);
  }
}
