package io.gatun.table;

/**
 * One record of a table. The array is not copied; whoever makes a row does not change it any more.
 *
 * @param values a value for each column of the schema, of the class that its {@link ColumnType}
 *     says, or null
 */
public record Row(Object[] values) {}
