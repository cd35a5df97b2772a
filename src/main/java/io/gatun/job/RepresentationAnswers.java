package io.gatun.job;

import io.gatun.batch.Representation;
import io.gatun.representation.RepresentationWriter;
import io.gatun.table.Column;
import io.gatun.table.ColumnType;
import java.util.List;
import java.util.StringJoiner;

/**
 * Representations in a table: a column for each value, called as it is called in the network. A
 * value of known sizes is a vector, its numbers in row-major order; one with its own number of
 * steps in each record is a list of floats, all steps one behind the other. A record without
 * anything has nulls.
 *
 * <p>As text the numbers of a value have spaces between and values have tabs.
 */
public final class RepresentationAnswers implements Answers<Representation> {
  private final List<Column> columns;

  /**
   * Makes the columns.
   *
   * @param values what there is of each record, as {@link io.gatun.batch.Extractor#columns} says
   * @throws IllegalArgumentException if a value has more numbers than a vector can have
   */
  public RepresentationAnswers(List<RepresentationWriter.Column> values) {
    columns = values.stream().map(each -> new Column(each.name(), type(each))).toList();
  }

  private static ColumnType type(RepresentationWriter.Column value) {
    long size = 1;
    for (long dim : value.dims()) {
      if (dim < 0) {
        return ColumnType.listOf(ColumnType.FLOAT);
      }
      size *= dim;
      if (size < 1 || size > Integer.MAX_VALUE) {
        throw new IllegalArgumentException(
            value.name() + " is " + value.dims() + " of each record, which is no vector");
      }
    }
    return ColumnType.vector((int) size);
  }

  @Override
  public List<Column> columns() {
    return columns;
  }

  @Override
  public Object[] values(Representation answer) {
    Object[] values = new Object[columns.size()];
    for (int i = 0; i < answer.values().size(); i++) {
      values[i] = answer.values().get(i).numbers();
    }
    return values;
  }

  @Override
  public String text(long number, Representation answer) {
    if (answer == null) {
      return "";
    }
    StringJoiner line = new StringJoiner("\t");
    for (Representation.Part part : answer.values()) {
      StringJoiner numbers = new StringJoiner(" ");
      for (float each : part.numbers()) {
        numbers.add(Float.toString(each));
      }
      line.add(numbers.toString());
    }
    return line.toString();
  }
}
