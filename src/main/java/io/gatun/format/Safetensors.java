package io.gatun.format;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.ShapeException;
import io.gatun.tensor.Tensor;
import java.io.ByteArrayOutputStream;
import java.io.CharConversionException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes safetensors, and reads its header for {@link TensorFile#open}. The numbers of a tensor are
 * used where they lie in the file.
 *
 * <p>Definition: the format description of the safetensors project. Eight bytes with the length of
 * the header (little-endian, at most 100 MB), the header (a JSON object from tensor names to {@code
 * dtype}, {@code shape} and {@code data_offsets}; {@code __metadata__} maps strings to strings),
 * and the numbers, which the offsets cover without a hole and without an overlap. Stateless and
 * thread-safe.
 */
public final class Safetensors {
  /** The key of the header that is not a tensor. */
  static final String METADATA = "__metadata__";

  /** The longest header in bytes, as the format description says. */
  static final long MAX_HEADER = 100_000_000;

  private static final int LENGTH_BYTES = 8;

  private static final Map<String, DType> TYPES =
      Map.ofEntries(
          Map.entry("F64", DType.FLOAT64),
          Map.entry("F32", DType.FLOAT32),
          Map.entry("F16", DType.FLOAT16),
          Map.entry("BF16", DType.BFLOAT16),
          Map.entry("I64", DType.INT64),
          Map.entry("I32", DType.INT32),
          Map.entry("I16", DType.INT16),
          Map.entry("I8", DType.INT8),
          Map.entry("U64", DType.UINT64),
          Map.entry("U32", DType.UINT32),
          Map.entry("U16", DType.UINT16),
          Map.entry("U8", DType.UINT8),
          Map.entry("BOOL", DType.BOOL));

  /** Types the format has and this library has not: their bytes can be counted, not read. */
  private static final Map<String, Integer> FOREIGN_TYPE_BITS =
      Map.ofEntries(
          Map.entry("C64", 64),
          Map.entry("F8_E4M3", 8),
          Map.entry("F8_E5M2", 8),
          Map.entry("F8_E8M0", 8),
          Map.entry("F6_E2M3", 6),
          Map.entry("F6_E3M2", 6),
          Map.entry("F4", 4));

  private static final JsonFactory JSON =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .disable(JsonFactory.Feature.CHARSET_DETECTION)
          .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(100)
                  .maxNumberLength(100)
                  .maxNameLength(50_000)
                  .maxStringLength((int) MAX_HEADER)
                  .build())
          .build();

  private Safetensors() {}

  /** A tensor's entry in the header; begin and end count from the start of the file. */
  record Entry(String name, String dtype, Shape shape, long begin, long end, long headerOffset) {}

  /** What the header says; tensors in the order of the header. */
  record Header(Map<String, Entry> tensors, Map<String, String> metadata) {}

  /**
   * Writes tensors, the widest types first and otherwise in the order of the map. The numbers start
   * at a multiple of 64 bytes, so every tensor is aligned for use in place. The file appears when
   * it is complete; on failure nothing is left behind and what was there before stays.
   *
   * @param file where to write; replaced if it exists
   * @param tensors names and tensors, of any strides; nothing is kept
   * @param metadata free text to keep with them; may be empty
   * @throws IOException if the file cannot be written
   * @throws IllegalArgumentException if a tensor is named {@code __metadata__}, or the header would
   *     be longer than the format allows
   */
  public static void write(Path file, Map<String, Tensor> tensors, Map<String, String> metadata)
      throws IOException {
    List<Map.Entry<String, Tensor>> byWidth = new ArrayList<>(tensors.entrySet());
    byWidth.sort(Comparator.comparingInt(entry -> -entry.getValue().dtype().bytes()));
    byte[] header = header(byWidth, metadata);
    if (header.length > MAX_HEADER) {
      throw new IllegalArgumentException(
          file + ": a header of " + header.length + " bytes, safetensors allows " + MAX_HEADER);
    }
    ByteBuffer length = ByteBuffer.allocate(LENGTH_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    length.putLong(0, header.length);
    try (ReplacedFile out = ReplacedFile.open(file)) {
      out.write(length.array());
      out.write(header);
      for (Map.Entry<String, Tensor> entry : byWidth) {
        out.write(entry.getValue());
      }
      out.commit();
    }
  }

  private static byte[] header(
      List<Map.Entry<String, Tensor>> tensors, Map<String, String> metadata) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = JSON.createGenerator(bytes)) {
      json.writeStartObject();
      if (!metadata.isEmpty()) {
        json.writeObjectFieldStart(METADATA);
        for (Map.Entry<String, String> entry : metadata.entrySet()) {
          json.writeStringField(entry.getKey(), entry.getValue());
        }
        json.writeEndObject();
      }
      long offset = 0;
      for (Map.Entry<String, Tensor> entry : tensors) {
        if (entry.getKey().equals(METADATA)) {
          throw new IllegalArgumentException(
              "a tensor cannot be named " + METADATA + " in safetensors");
        }
        Tensor tensor = entry.getValue();
        json.writeObjectFieldStart(entry.getKey());
        json.writeStringField("dtype", typeName(tensor.dtype()));
        json.writeFieldName("shape");
        long[] dims = tensor.shape().dims();
        json.writeArray(dims, 0, dims.length);
        long end = offset + tensor.elements() * tensor.dtype().bytes();
        json.writeFieldName("data_offsets");
        json.writeArray(new long[] {offset, end}, 0, 2);
        json.writeEndObject();
        offset = end;
      }
      json.writeEndObject();
    }
    int unpadded = LENGTH_BYTES + bytes.size();
    byte[] padding = new byte[Math.floorMod(-unpadded, 64)];
    Arrays.fill(padding, (byte) ' ');
    bytes.write(padding);
    return bytes.toByteArray();
  }

  private static String typeName(DType dtype) {
    for (Map.Entry<String, DType> type : TYPES.entrySet()) {
      if (type.getValue() == dtype) {
        return type.getKey();
      }
    }
    throw new AssertionError(dtype);
  }

  /** Reads and checks the header: after this every entry is within the file. */
  static Header readHeader(MappedFile file) {
    long length = file.longInteger(0, "safetensors header length");
    if (length < 0 || length > MAX_HEADER) {
      throw file.error(
          0,
          "safetensors header of "
              + Long.toUnsignedString(length)
              + " bytes, expected at most "
              + MAX_HEADER);
    }
    file.require(LENGTH_BYTES, length, "safetensors header");
    if (length < 2 || file.bytes(LENGTH_BYTES, 1, "safetensors header")[0] != '{') {
      throw file.error(LENGTH_BYTES, "the safetensors header does not start with '{'");
    }
    Header header = new HeaderParser(file, length).parse();
    checkOffsets(file, header, LENGTH_BYTES + length);
    return header;
  }

  /** Every byte of the numbers belongs to exactly one tensor, as the format description asks. */
  private static void checkOffsets(MappedFile file, Header header, long dataStart) {
    List<Entry> entries = new ArrayList<>(header.tensors().values());
    entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
    long next = dataStart;
    Entry before = null;
    for (Entry entry : entries) {
      if (entry.begin() != next) {
        String problem =
            entry.begin() > next
                ? "a hole of " + (entry.begin() - next) + " bytes before it"
                : "it overlaps '" + (before == null ? "" : before.name()) + "'";
        throw file.error(
            entry.headerOffset(),
            "'"
                + entry.name()
                + "' has data_offsets ["
                + (entry.begin() - dataStart)
                + ", "
                + (entry.end() - dataStart)
                + "]: "
                + problem);
      }
      next = entry.end();
      before = entry;
    }
    if (next != file.size()) {
      throw file.error(
          next, (file.size() - next) + " bytes follow the last tensor, expected the file to end");
    }
  }

  /** Views a tensor in the file. */
  static Tensor tensor(MappedFile file, Entry entry) {
    DType dtype = TYPES.get(entry.dtype());
    if (dtype == null) {
      throw file.error(
          entry.headerOffset(),
          "'"
              + entry.name()
              + "' has dtype '"
              + entry.dtype()
              + "', which is not read; readable are F64, F32, F16, BF16,"
              + " I64, I32, I16, I8, U64, U32, U16, U8, BOOL");
    }
    MemorySegment data =
        file.slice(entry.begin(), entry.end() - entry.begin(), "'" + entry.name() + "'");
    if (data.address() % dtype.bytes() != 0) {
      MemorySegment copy = file.arena().allocate(data.byteSize(), 1);
      MemorySegment.copy(data, 0, copy, 0, data.byteSize());
      data = copy.asReadOnly();
    }
    return Tensor.wrap(data, dtype, entry.shape().dims());
  }

  private static final class HeaderParser {
    private final MappedFile file;
    private final long length;
    private final Map<String, Entry> tensors = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private JsonParser json;

    HeaderParser(MappedFile file, long length) {
      this.file = file;
      this.length = length;
    }

    Header parse() {
      try (InputStream in = file.stream(LENGTH_BYTES, length, "safetensors header");
          JsonParser parser = JSON.createParser(in)) {
        json = parser;
        json.nextToken();
        boolean seenMetadata = false;
        while (json.nextToken() == JsonToken.FIELD_NAME) {
          String name = json.currentName();
          long offset = offset();
          json.nextToken();
          if (name.equals(METADATA) && !seenMetadata) {
            seenMetadata = true;
            readMetadata();
          } else if (tensors.containsKey(name)) {
            throw file.error(offset, "'" + name + "' twice");
          } else {
            tensors.put(name, readEntry(name, offset));
          }
        }
        if (json.currentToken() != JsonToken.END_OBJECT) {
          throw error("expected the name of a tensor");
        }
        if (json.nextToken() != null) {
          throw error("the safetensors header goes on after its object");
        }
        return new Header(tensors, metadata);
      } catch (JsonProcessingException e) {
        String problem = "safetensors header: " + e.getOriginalMessage();
        long at = e.getLocation() == null ? 0 : Math.max(0, e.getLocation().getByteOffset());
        throw file.error(LENGTH_BYTES + Math.min(at, length), problem, e);
      } catch (IOException e) {
        if (e instanceof CharConversionException) {
          throw file.error(LENGTH_BYTES, "the safetensors header is no UTF-8 text", e);
        }
        throw new UncheckedIOException(e);
      }
    }

    private void readMetadata() throws IOException {
      if (json.currentToken() != JsonToken.START_OBJECT) {
        throw error(METADATA + " is not an object of strings");
      }
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String key = json.currentName();
        if (json.nextToken() != JsonToken.VALUE_STRING) {
          throw error(METADATA + " has '" + key + "' with a value that is not a string");
        }
        metadata.put(key, json.getText());
      }
    }

    private Entry readEntry(String name, long offset) throws IOException {
      if (json.currentToken() != JsonToken.START_OBJECT) {
        throw file.error(offset, "'" + name + "' is not an object with dtype, shape, data_offsets");
      }
      String dtype = null;
      long[] dims = null;
      long[] range = null;
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String key = json.currentName();
        json.nextToken();
        switch (key) {
          case "dtype" -> {
            if (json.currentToken() != JsonToken.VALUE_STRING) {
              throw error("'" + name + "' has a dtype that is not a string");
            }
            dtype = json.getText();
          }
          case "shape" -> dims = sizes("'" + name + "' has a shape");
          case "data_offsets" -> range = sizes("'" + name + "' has data_offsets");
          default -> json.skipChildren();
        }
      }
      if (dtype == null || dims == null || range == null) {
        String missing = dtype == null ? "dtype" : dims == null ? "shape" : "data_offsets";
        throw file.error(offset, "'" + name + "' has no " + missing);
      }
      Shape shape;
      try {
        shape = Shape.of(dims);
      } catch (ShapeException e) {
        throw file.error(offset, "'" + name + "': " + e.getMessage(), e);
      }
      return checked(name, dtype, shape, range, offset);
    }

    private Entry checked(String name, String dtype, Shape shape, long[] range, long offset) {
      long dataStart = LENGTH_BYTES + length;
      long dataBytes = file.size() - dataStart;
      if (range.length != 2 || range[0] > range[1] || range[1] > dataBytes) {
        throw file.error(
            offset,
            "'"
                + name
                + "' has data_offsets "
                + Arrays.toString(range)
                + ", expected [begin, end] within the "
                + dataBytes
                + " bytes of numbers");
      }
      Integer bits =
          TYPES.containsKey(dtype)
              ? Integer.valueOf(TYPES.get(dtype).bytes() * 8)
              : FOREIGN_TYPE_BITS.get(dtype);
      if (bits != null) {
        // A shape fits a long at eight bytes an element; in bits it may not.
        BigInteger expected =
            BigInteger.valueOf(shape.elements()).multiply(BigInteger.valueOf(bits));
        BigInteger came = BigInteger.valueOf(range[1] - range[0]).multiply(BigInteger.valueOf(8));
        if (!expected.equals(came)) {
          throw file.error(
              offset,
              "'"
                  + name
                  + "' has "
                  + (range[1] - range[0])
                  + " bytes, expected "
                  + expected
                  + " bits for "
                  + dtype
                  + " "
                  + shape);
        }
      }
      return new Entry(name, dtype, shape, dataStart + range[0], dataStart + range[1], offset);
    }

    private long[] sizes(String what) throws IOException {
      if (json.currentToken() != JsonToken.START_ARRAY) {
        throw error(what + " that is not a list");
      }
      long[] sizes = new long[4];
      int count = 0;
      while (json.nextToken() != JsonToken.END_ARRAY) {
        if (json.currentToken() != JsonToken.VALUE_NUMBER_INT
            || json.getNumberType() == JsonParser.NumberType.BIG_INTEGER
            || json.getLongValue() < 0) {
          throw error(what + " with " + json.getText() + ", expected integers of 0 to 2^63 - 1");
        }
        if (count == 64) {
          throw error(what + " of more than 64 numbers");
        }
        if (count == sizes.length) {
          sizes = Arrays.copyOf(sizes, 2 * count);
        }
        sizes[count++] = json.getLongValue();
      }
      return Arrays.copyOf(sizes, count);
    }

    private long offset() {
      return LENGTH_BYTES + Math.max(0, json.currentTokenLocation().getByteOffset());
    }

    private ModelFormatException error(String problem) {
      return file.error(offset(), problem);
    }
  }
}
