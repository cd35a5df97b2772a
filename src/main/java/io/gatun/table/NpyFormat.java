package io.gatun.table;

import io.gatun.batch.BadRecordException;
import io.gatun.batch.InputRecord;
import io.gatun.format.TensorFile;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * Arrays of NumPy (npy format version 1.0): the first axis are the rows. A file npy is one column,
 * {@code array}, npz one for each array, which have to have equally many rows. Whole numbers and
 * floating-point numbers of one axis are columns of numbers; the other axes of a row are one
 * vector.
 *
 * <p>Written is npy alone, one column of vectors or numbers; a row without values is written as
 * NaN.
 */
final class NpyFormat implements TableFormat {
  /** One array. */
  static final NpyFormat NPY = new NpyFormat("npy");

  /** Several arrays. */
  static final NpyFormat NPZ = new NpyFormat("npz");

  /** As long as the header of any table is, so that the number of rows can be put in at the end. */
  private static final int HEADER_BYTES = 128;

  private final String name;

  private NpyFormat(String name) {
    this.name = name;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public List<String> suffixes() {
    return List.of("." + name);
  }

  @Override
  public boolean streams() {
    return false;
  }

  @Override
  public boolean chunked() {
    return false;
  }

  @Override
  public boolean writes() {
    return this == NPY;
  }

  @Override
  public TableReader reader(TableSource source, ReadOptions options) throws IOException {
    Path file =
        source
            .file()
            .orElseThrow(() -> new IOException(source.name() + ": " + name + " has to be a file"));
    TensorFile arrays = TensorFile.open(file);
    try {
      return new Reader(source.name(), arrays);
    } catch (IOException | RuntimeException e) {
      arrays.close();
      throw e;
    }
  }

  private static final class Reader implements TableReader {
    private final TensorFile file;
    private final List<Tensor> arrays = new ArrayList<>();
    private final Schema schema;
    private final long rows;
    private long row;

    Reader(String name, TensorFile file) throws IOException {
      this.file = file;
      List<Column> columns = new ArrayList<>();
      long count = -1;
      String before = "";
      for (String array : file.names()) {
        Tensor tensor = file.tensor(array);
        if (tensor.rank() == 0) {
          throw new IOException(name + ": " + array + " is a single number, expected rows");
        }
        if (count >= 0 && tensor.dim(0) != count) {
          throw new IOException(
              name + ": " + array + " has " + tensor.dim(0) + " rows, but " + before + " " + count);
        }
        count = tensor.dim(0);
        before = array;
        arrays.add(tensor);
        columns.add(new Column(array.isEmpty() ? "array" : array, type(tensor, count)));
      }
      schema = new Schema(columns);
      rows = Math.max(0, count);
    }

    private static ColumnType type(Tensor tensor, long count) {
      if (tensor.rank() == 1) {
        return tensor.dtype().isFloat() ? ColumnType.DOUBLE : ColumnType.INTEGER;
      }
      long size = count == 0 ? 0 : tensor.elements() / count;
      return size > 0
          ? ColumnType.vector(Math.toIntExact(size))
          : ColumnType.listOf(ColumnType.FLOAT);
    }

    @Override
    public Schema schema() {
      return schema;
    }

    @Override
    public OptionalLong size() {
      return OptionalLong.of(file.byteSize());
    }

    @Override
    public String unit() {
      return "row";
    }

    @Override
    public InputRecord<Row> next(Runnable waiting) {
      if (row == rows) {
        return null;
      }
      Object[] values = new Object[arrays.size()];
      for (int i = 0; i < values.length; i++) {
        Tensor tensor = arrays.get(i);
        values[i] =
            tensor.rank() > 1
                ? tensor.select(0, row).toFloats()
                : tensor.dtype().isFloat()
                    ? (Object) tensor.getDouble(row)
                    : (Object) tensor.getLong(row);
      }
      row++;
      long offset = (long) (file.byteSize() * ((double) row / rows));
      return InputRecord.of(row, new Row(values), offset);
    }

    @Override
    public void close() {
      file.close();
    }
  }

  @Override
  public TableWriter writer(Sink sink, Schema schema, List<String> chunks) throws IOException {
    ColumnType type = schema.columns().isEmpty() ? null : schema.columns().get(0).type();
    if (type == null
        || schema.columns().size() != 1
        || type.kind() == ColumnType.Kind.TEXT
        || type.kind() == ColumnType.Kind.BOOLEAN
        || type.kind() == ColumnType.Kind.LIST) {
      throw new IllegalArgumentException(
          "npy has one column of numbers or vectors, and "
              + schema.names()
              + " are to be written to "
              + sink.name());
    }
    Writer writer = new Writer(sink, type);
    if (chunks.isEmpty()) {
      sink.write(writer.header(0));
    }
    return writer;
  }

  private static final class Writer implements TableWriter {
    private final Sink sink;
    private final ColumnType type;

    Writer(Sink sink, ColumnType type) {
      this.sink = sink;
      this.type = type;
    }

    private int rowBytes() {
      return switch (type.kind()) {
        case VECTOR -> Float.BYTES * type.size();
        case FLOAT -> Float.BYTES;
        default -> Long.BYTES;
      };
    }

    private byte[] header(long rows) {
      String dtype =
          switch (type.kind()) {
            case INTEGER -> "<i8";
            case DOUBLE -> "<f8";
            default -> "<f4";
          };
      String dims = type.size() > 0 ? rows + ", " + type.size() : rows + ",";
      String text = "{'descr': '" + dtype + "', 'fortran_order': False, 'shape': (" + dims + "), }";
      text += " ".repeat(HEADER_BYTES - 10 - 1 - text.length()) + "\n";
      ByteBuffer bytes = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
      bytes.put((byte) 0x93).put("NUMPY".getBytes(StandardCharsets.US_ASCII));
      bytes.put((byte) 1).put((byte) 0).putShort((short) (HEADER_BYTES - 10));
      return bytes.put(text.getBytes(StandardCharsets.US_ASCII)).array();
    }

    @Override
    public void write(Object[] values) throws IOException {
      ByteBuffer row = ByteBuffer.allocate(rowBytes()).order(ByteOrder.LITTLE_ENDIAN);
      switch (values[0]) {
        case null -> {
          if (type.is(ColumnType.Kind.INTEGER)) {
            throw new BadRecordException("npy has no way to say that a whole number is missing");
          }
          while (row.hasRemaining()) {
            if (type.is(ColumnType.Kind.DOUBLE)) {
              row.putDouble(Double.NaN);
            } else {
              row.putFloat(Float.NaN);
            }
          }
        }
        case float[] numbers -> {
          if (numbers.length != type.size()) {
            throw new BadRecordException(numbers.length + " numbers, expected " + type.size());
          }
          for (float number : numbers) {
            row.putFloat(number);
          }
        }
        case Long number -> row.putLong(number);
        case Double number -> row.putDouble(number);
        case Float number -> row.putFloat(number);
        default -> throw new BadRecordException(values[0] + " is no " + type);
      }
      sink.write(row.array());
    }

    @Override
    public String endChunk() throws IOException {
      sink.flush();
      return "";
    }

    @Override
    public void finish() throws IOException {
      sink.patch(0, header((sink.position() - HEADER_BYTES) / rowBytes()));
    }
  }
}
