package io.gatun.table;

import java.util.Objects;

/**
 * A column of a table.
 *
 * @param name its name
 * @param type what its values are
 */
public record Column(String name, ColumnType type) {
  /** Checks that both are there. */
  public Column {
    Objects.requireNonNull(name, "name");
    Objects.requireNonNull(type, "type");
  }
}
