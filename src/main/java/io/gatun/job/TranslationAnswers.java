package io.gatun.job;

import io.gatun.batch.LineWriter;
import io.gatun.batch.Translation;
import io.gatun.table.Column;
import io.gatun.table.ColumnType;
import java.util.List;
import java.util.Objects;

/**
 * Translations in a table: {@code translation} (text) and {@code score} (double), or with more than
 * one answer {@code translations} and {@code scores}, lists of the same length, best first.
 */
public final class TranslationAnswers implements Answers<Translation> {
  private final boolean one;
  private final LineWriter.Format<? super Translation> text;

  /**
   * Makes the columns.
   *
   * @param answers how many answers a record has at most
   * @param text makes lines of a translation
   */
  public TranslationAnswers(int answers, LineWriter.Format<? super Translation> text) {
    one = answers == 1;
    this.text = Objects.requireNonNull(text, "text");
  }

  @Override
  public List<Column> columns() {
    return one
        ? List.of(
            new Column("translation", ColumnType.TEXT), new Column("score", ColumnType.DOUBLE))
        : List.of(
            new Column("translations", ColumnType.listOf(ColumnType.TEXT)),
            new Column("scores", ColumnType.listOf(ColumnType.DOUBLE)));
  }

  @Override
  public Object[] values(Translation translation) {
    List<Translation.Answer> answers = translation.answers();
    if (one) {
      return answers.isEmpty()
          ? new Object[] {"", null}
          : new Object[] {answers.get(0).text(), answers.get(0).score()};
    }
    return new Object[] {
      answers.stream().map(Translation.Answer::text).toList(),
      answers.stream().map(Translation.Answer::score).toList()
    };
  }

  @Override
  public String text(long number, Translation answer) {
    return text.text(number, answer);
  }
}
