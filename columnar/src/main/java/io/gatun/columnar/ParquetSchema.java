package io.gatun.columnar;

import io.gatun.table.Column;
import io.gatun.table.ColumnType;
import io.gatun.table.Schema;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.parquet.format.ConvertedType;
import org.apache.parquet.format.FieldRepetitionType;
import org.apache.parquet.format.ListType;
import org.apache.parquet.format.LogicalType;
import org.apache.parquet.format.SchemaElement;
import org.apache.parquet.format.StringType;
import org.apache.parquet.schema.GroupType;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.PrimitiveType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Type;
import org.apache.parquet.schema.Type.Repetition;
import org.apache.parquet.schema.Types;

/** Between the columns of a table, Parquet's types, and their form in the footer. */
final class ParquetSchema {
  private ParquetSchema() {}

  /** The types that a table is written with. */
  static MessageType message(Schema schema) {
    List<Type> fields = new ArrayList<>();
    for (Column column : schema.columns()) {
      ColumnType type = column.type();
      ColumnType element =
          type.kind() == ColumnType.Kind.VECTOR ? ColumnType.FLOAT : type.element();
      if (element == null) {
        fields.add(primitive(column.name(), type));
      } else {
        fields.add(
            Types.optionalGroup()
                .as(LogicalTypeAnnotation.listType())
                .addField(new GroupType(Repetition.REPEATED, "list", primitive("element", element)))
                .named(column.name()));
      }
    }
    return new MessageType("table", fields);
  }

  private static PrimitiveType primitive(String name, ColumnType type) {
    PrimitiveTypeName primitive =
        switch (type.kind()) {
          case TEXT -> PrimitiveTypeName.BINARY;
          case INTEGER -> PrimitiveTypeName.INT64;
          case DOUBLE -> PrimitiveTypeName.DOUBLE;
          case FLOAT -> PrimitiveTypeName.FLOAT;
          case BOOLEAN -> PrimitiveTypeName.BOOLEAN;
          default -> throw new IllegalArgumentException("lists of " + type + " are not written");
        };
    PrimitiveType made = new PrimitiveType(Repetition.OPTIONAL, primitive, name);
    return type.is(ColumnType.Kind.TEXT)
        ? made.withLogicalTypeAnnotation(LogicalTypeAnnotation.stringType())
        : made;
  }

  static org.apache.parquet.format.Type type(PrimitiveTypeName name) {
    return name == PrimitiveTypeName.BINARY
        ? org.apache.parquet.format.Type.BYTE_ARRAY
        : org.apache.parquet.format.Type.valueOf(name.name());
  }

  /**
   * The form in the footer: all types in the order of a walk, each with the number of its parts.
   */
  static List<SchemaElement> elements(MessageType message) {
    List<SchemaElement> elements = new ArrayList<>();
    SchemaElement root = new SchemaElement(message.getName());
    root.setNum_children(message.getFieldCount());
    elements.add(root);
    message.getFields().forEach(field -> add(elements, field));
    return elements;
  }

  private static void add(List<SchemaElement> elements, Type type) {
    SchemaElement element = new SchemaElement(type.getName());
    element.setRepetition_type(FieldRepetitionType.valueOf(type.getRepetition().name()));
    elements.add(element);
    LogicalTypeAnnotation annotation = type.getLogicalTypeAnnotation();
    if (annotation instanceof LogicalTypeAnnotation.StringLogicalTypeAnnotation) {
      element.setConverted_type(ConvertedType.UTF8);
      element.setLogicalType(LogicalType.STRING(new StringType()));
    } else if (annotation instanceof LogicalTypeAnnotation.ListLogicalTypeAnnotation) {
      element.setConverted_type(ConvertedType.LIST);
      element.setLogicalType(LogicalType.LIST(new ListType()));
    }
    if (type.isPrimitive()) {
      element.setType(type(type.asPrimitiveType().getPrimitiveTypeName()));
    } else {
      element.setNum_children(type.asGroupType().getFieldCount());
      type.asGroupType().getFields().forEach(field -> add(elements, field));
    }
  }

  /** A type of a footer with what the footer says of its meaning. */
  record Node(SchemaElement element, List<Node> children) {}

  /** Reads the form in the footer. */
  static Node tree(List<SchemaElement> elements) throws IOException {
    int[] at = {0};
    Node root = node(elements, at, 0);
    if (at[0] != elements.size()) {
      throw new IOException("its footer has types that belong to nothing");
    }
    return root;
  }

  private static Node node(List<SchemaElement> elements, int[] at, int depth) throws IOException {
    if (at[0] >= elements.size() || depth > 64) {
      throw new IOException("the types in its footer do not fit together");
    }
    SchemaElement element = elements.get(at[0]++);
    List<Node> children = new ArrayList<>();
    for (int i = 0; i < element.getNum_children(); i++) {
      children.add(node(elements, at, depth + 1));
    }
    return new Node(element, children);
  }

  /** Parquet's types, for the decoding of columns; meanings are left out. */
  static MessageType message(Node root) throws IOException {
    List<Type> fields = new ArrayList<>();
    for (Node child : root.children()) {
      fields.add(type(child));
    }
    return new MessageType("table", fields);
  }

  private static Type type(Node node) throws IOException {
    SchemaElement element = node.element();
    if (element.getRepetition_type() == null) {
      throw new IOException("its column " + element.getName() + " has no repetition");
    }
    Repetition repetition = Repetition.valueOf(element.getRepetition_type().name());
    if (!node.children().isEmpty()) {
      List<Type> fields = new ArrayList<>();
      for (Node child : node.children()) {
        fields.add(type(child));
      }
      return new GroupType(repetition, element.getName(), fields);
    }
    if (element.getType() == null) {
      throw new IOException("its column " + element.getName() + " has no type");
    }
    return new PrimitiveType(
        repetition,
        element.getType() == org.apache.parquet.format.Type.BYTE_ARRAY
            ? PrimitiveTypeName.BINARY
            : PrimitiveTypeName.valueOf(element.getType().name()),
        element.getType_length(),
        element.getName());
  }

  /** The type of a column, or null if it is none that is read. */
  static ColumnType columnType(Node node) {
    SchemaElement element = node.element();
    if (node.children().isEmpty()) {
      return element.getRepetition_type() == FieldRepetitionType.REPEATED ? null : scalar(node);
    }
    boolean list =
        element.getConverted_type() == ConvertedType.LIST
            || element.isSetLogicalType() && element.getLogicalType().isSetLIST();
    if (!list || node.children().size() != 1) {
      return null;
    }
    Node repeated = node.children().get(0);
    if (repeated.children().size() != 1 || !repeated.children().get(0).children().isEmpty()) {
      return null;
    }
    Node inner = repeated.children().get(0);
    ColumnType of =
        inner.element().getRepetition_type() == FieldRepetitionType.REPEATED ? null : scalar(inner);
    return of == null ? null : ColumnType.listOf(of);
  }

  private static ColumnType scalar(Node node) {
    SchemaElement element = node.element();
    ConvertedType meaning = element.getConverted_type();
    LogicalType logical = element.getLogicalType();
    if (element.getType() == null) {
      return null;
    }
    return switch (element.getType()) {
      case BOOLEAN -> ColumnType.BOOLEAN;
      case FLOAT -> ColumnType.FLOAT;
      case DOUBLE -> ColumnType.DOUBLE;
      case INT32, INT64 -> isWhole(meaning, logical) ? ColumnType.INTEGER : null;
      case BYTE_ARRAY -> isText(meaning, logical) ? ColumnType.TEXT : null;
      default -> null;
    };
  }

  /** Dates, times and decimals are stored as whole numbers, but are none. */
  private static boolean isWhole(ConvertedType meaning, LogicalType logical) {
    boolean plain = logical == null || logical.isSetINTEGER();
    if (meaning == null) {
      return plain && (logical == null || logical.getINTEGER().isIsSigned());
    }
    return switch (meaning) {
      case INT_8, INT_16, INT_32, INT_64 -> plain;
      default -> false;
    };
  }

  private static boolean isText(ConvertedType meaning, LogicalType logical) {
    boolean converted =
        meaning == null
            || meaning == ConvertedType.UTF8
            || meaning == ConvertedType.ENUM
            || meaning == ConvertedType.JSON;
    boolean plain =
        logical == null || logical.isSetSTRING() || logical.isSetENUM() || logical.isSetJSON();
    return converted && plain;
  }
}
