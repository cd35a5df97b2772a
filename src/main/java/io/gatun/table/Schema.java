package io.gatun.table;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The columns of a table, in order, no two of one name. Immutable.
 *
 * @param columns the columns
 */
public record Schema(List<Column> columns) {
  /** Copies the list and checks that names are different. */
  public Schema {
    columns = List.copyOf(columns);
    Set<String> names = new HashSet<>();
    for (Column column : columns) {
      if (!names.add(column.name())) {
        throw new IllegalArgumentException("two columns are called '" + column.name() + "'");
      }
    }
  }

  /** A table of these columns. */
  public static Schema of(Column... columns) {
    return new Schema(List.of(columns));
  }

  /**
   * Returns the place of a column, counted from 0.
   *
   * @throws IllegalArgumentException if there is none of that name; the message lists those there
   *     are
   */
  public int indexOf(String name) {
    for (int i = 0; i < columns.size(); i++) {
      if (columns.get(i).name().equals(name)) {
        return i;
      }
    }
    throw new IllegalArgumentException(
        "there is no column '" + name + "', only " + (columns.isEmpty() ? "none" : names()));
  }

  /** Returns the names with commas between, for messages. */
  public String names() {
    return columns.stream().map(Column::name).collect(Collectors.joining(", "));
  }
}
