package io.gatun.columnar;

import com.google.flatbuffers.FlatBufferBuilder;
import io.gatun.table.Column;
import io.gatun.table.ColumnType;
import io.gatun.table.Schema;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Base64;
import org.apache.arrow.flatbuf.Bool;
import org.apache.arrow.flatbuf.Endianness;
import org.apache.arrow.flatbuf.Field;
import org.apache.arrow.flatbuf.FixedSizeList;
import org.apache.arrow.flatbuf.FloatingPoint;
import org.apache.arrow.flatbuf.Int;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.MetadataVersion;
import org.apache.arrow.flatbuf.Precision;
import org.apache.arrow.flatbuf.Type;
import org.apache.arrow.flatbuf.Utf8;

/** Between the columns of a table and Arrow's types. */
final class ArrowSchemas {
  /** Under which Arrow's schema stands in the metadata of a Parquet file. */
  static final String KEY = "ARROW:schema";

  private ArrowSchemas() {}

  /** Adds a schema to a message that is being built. */
  static int add(FlatBufferBuilder builder, Schema schema) {
    int[] fields = new int[schema.columns().size()];
    for (int i = 0; i < fields.length; i++) {
      Column column = schema.columns().get(i);
      fields[i] = field(builder, column.name(), column.type());
    }
    int vector = org.apache.arrow.flatbuf.Schema.createFieldsVector(builder, fields);
    return org.apache.arrow.flatbuf.Schema.createSchema(builder, Endianness.Little, vector, 0, 0);
  }

  private static int field(FlatBufferBuilder builder, String name, ColumnType type) {
    int[] children =
        switch (type.kind()) {
          case LIST -> new int[] {field(builder, "item", type.element())};
          case VECTOR -> new int[] {field(builder, "item", ColumnType.FLOAT)};
          default -> new int[0];
        };
    int childVector = Field.createChildrenVector(builder, children);
    int nameAt = builder.createString(name);
    byte kind;
    int typeAt;
    switch (type.kind()) {
      case TEXT -> {
        kind = Type.Utf8;
        Utf8.startUtf8(builder);
        typeAt = Utf8.endUtf8(builder);
      }
      case INTEGER -> {
        kind = Type.Int;
        typeAt = Int.createInt(builder, 64, true);
      }
      case DOUBLE -> {
        kind = Type.FloatingPoint;
        typeAt = FloatingPoint.createFloatingPoint(builder, Precision.DOUBLE);
      }
      case FLOAT -> {
        kind = Type.FloatingPoint;
        typeAt = FloatingPoint.createFloatingPoint(builder, Precision.SINGLE);
      }
      case BOOLEAN -> {
        kind = Type.Bool;
        Bool.startBool(builder);
        typeAt = Bool.endBool(builder);
      }
      case LIST -> {
        kind = Type.List;
        org.apache.arrow.flatbuf.List.startList(builder);
        typeAt = org.apache.arrow.flatbuf.List.endList(builder);
      }
      case VECTOR -> {
        kind = Type.FixedSizeList;
        typeAt = FixedSizeList.createFixedSizeList(builder, type.size());
      }
      default -> throw new IllegalArgumentException(type.toString());
    }
    return Field.createField(builder, nameAt, true, kind, typeAt, 0, childVector, 0);
  }

  /** The schema as a message, with its length before it. */
  static byte[] message(Schema schema) {
    FlatBufferBuilder builder = new FlatBufferBuilder();
    int at = add(builder, schema);
    return framed(builder, MessageHeader.Schema, at, 0);
  }

  /** Ends a message, pads it to eight bytes and puts its length before it. */
  static byte[] framed(FlatBufferBuilder builder, byte kind, int header, long bodyBytes) {
    int message = Message.createMessage(builder, MetadataVersion.V5, kind, header, bodyBytes, 0);
    builder.finish(message);
    byte[] bytes = builder.sizedByteArray();
    int padded = (bytes.length + 7) / 8 * 8;
    ByteBuffer framed = ByteBuffer.allocate(8 + padded).order(ByteOrder.LITTLE_ENDIAN);
    framed.putInt(-1).putInt(padded).put(bytes);
    return framed.array();
  }

  /** The schema as it stands in the metadata of a Parquet file. */
  static String encoded(Schema schema) {
    return Base64.getEncoder().encodeToString(message(schema));
  }
}
