package io.gatun.spark;

import io.gatun.batch.BadRecordException;
import io.gatun.table.ColumnType;
import java.util.ArrayList;
import java.util.List;
import java.util.StringJoiner;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import scala.collection.Iterable;
import scala.collection.Iterator;

/** Spark's types and those of tables. */
final class Types {
  /** The column that says why a row has no answer. */
  static final String PROBLEM = "problem";

  private Types() {}

  /** Columns of answers; with the one for problems, if that is wanted. */
  static List<StructField> fields(List<io.gatun.table.Column> columns, boolean problem) {
    List<StructField> fields = new ArrayList<>();
    for (io.gatun.table.Column column : columns) {
      fields.add(DataTypes.createStructField(column.name(), type(column.type()), true));
    }
    if (problem) {
      fields.add(DataTypes.createStructField(PROBLEM, DataTypes.StringType, true));
    }
    return fields;
  }

  private static DataType type(ColumnType type) {
    return switch (type.kind()) {
      case TEXT -> DataTypes.StringType;
      case INTEGER -> DataTypes.LongType;
      case DOUBLE -> DataTypes.DoubleType;
      case FLOAT -> DataTypes.FloatType;
      case BOOLEAN -> DataTypes.BooleanType;
      case LIST -> DataTypes.createArrayType(type(type.element()), true);
      case VECTOR -> DataTypes.createArrayType(DataTypes.FloatType, false);
    };
  }

  /** A value of a table as Spark takes it. */
  static Object value(Object value) {
    return value instanceof List<?> list ? list.toArray() : value;
  }

  /** Whether the network can read a column of this type as text. */
  static boolean isReadable(DataType type) {
    return type instanceof StringType
        || type instanceof NumericType
        || type instanceof BooleanType
        || type instanceof ArrayType array
            && !(array.elementType() instanceof ArrayType)
            && isReadable(array.elementType());
  }

  /**
   * A value as text; numbers and truth values are written out, lists with spaces between.
   *
   * @throws BadRecordException if it is null
   */
  static String text(String name, Object value) {
    if (value == null) {
      throw new BadRecordException("'" + name + "' is null, expected a text");
    }
    if (value instanceof Iterable<?> list) {
      StringJoiner text = new StringJoiner(" ");
      for (Iterator<?> each = list.iterator(); each.hasNext(); ) {
        text.add(String.valueOf(each.next()));
      }
      return text.toString();
    }
    return value.toString();
  }

  /** About how much memory a row takes. */
  static long bytes(Row row) {
    long bytes = 0;
    for (int i = 0; i < row.length(); i++) {
      Object value = row.get(i);
      bytes +=
          value instanceof String text
              ? 2L * text.length()
              : value instanceof byte[] data
                  ? data.length
                  : value instanceof Iterable<?> list ? 16L * list.size() : 0;
      bytes += 48;
    }
    return bytes;
  }
}
