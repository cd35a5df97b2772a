package io.gatun.format;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import io.jhdf.HdfFile;
import io.jhdf.api.Attribute;
import io.jhdf.api.Dataset;
import io.jhdf.api.Group;
import io.jhdf.api.Node;
import io.jhdf.api.dataset.ContiguousDataset;
import io.jhdf.object.datatype.FixedPoint;
import io.jhdf.object.datatype.FloatingPoint;
import io.jhdf.object.datatype.OrderedDataType;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Array;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/**
 * The groups, attributes and datasets of an HDF5 file, read through jHDF. The only class that knows
 * jHDF, which need not be there for the rest of the library.
 *
 * <p>jHDF is told nothing but bytes of the mapping, and is asked for structure; the numbers of a
 * dataset that lies in one piece are used where they are. Links to elsewhere in the file or to
 * other files are not followed. Whatever jHDF makes of a damaged file becomes a {@link
 * ModelFormatException}.
 *
 * <p>The definition is the HDF5 File Format Specification. For one thread at a time.
 */
final class Hdf5File {
  private static final int MAX_DEPTH = 64;
  private static final int MAX_NODES = 1_000_000;

  /**
   * A dataset that is compressed may be as large as this whatever the file's size, so that a small
   * file cannot ask for all of the memory.
   */
  private static final long MAX_SUSPICIOUS = 1L << 26;

  private static final long TRUSTED_RATIO = 16;

  private final MappedFile file;
  private final long begin;
  private final MemorySegment bytes;
  private final HdfFile hdf;
  private final long base;
  private final Map<String, Node> nodes = new LinkedHashMap<>();

  /** The paths that something is below of. */
  private final Set<String> above = new HashSet<>();

  private Hdf5File(MappedFile file, long begin, MemorySegment bytes, HdfFile hdf) {
    this.file = file;
    this.begin = begin;
    this.bytes = bytes;
    this.hdf = hdf;
    this.base = hdf.getUserBlockSize();
  }

  /**
   * Reads the structure of a file, or of a member of a zip file.
   *
   * @param begin where it begins in the file, for messages
   * @param bytes its bytes, in the file's arena
   * @throws ModelFormatException if it is damaged, or larger than 2 GiB
   * @throws NoClassDefFoundError if jHDF is not there
   */
  static Hdf5File open(MappedFile file, long begin, MemorySegment bytes) {
    if (bytes.byteSize() > Integer.MAX_VALUE) {
      throw file.error(begin, "HDF5 of " + bytes.byteSize() + " bytes, at most 2 GiB can be read");
    }
    return guarded(
        file,
        begin,
        () -> {
          Hdf5File opened =
              new Hdf5File(file, begin, bytes, HdfFile.fromByteBuffer(bytes.asByteBuffer()));
          opened.walk(opened.hdf, "", 0);
          return opened;
        });
  }

  private void walk(Group group, String path, int depth) {
    if (depth > MAX_DEPTH) {
      throw file.error(begin, "groups are nested deeper than " + MAX_DEPTH + ": " + path);
    }
    for (Map.Entry<String, Node> child : group.getChildren().entrySet()) {
      Node node = child.getValue();
      if (node.isLink()) {
        continue;
      }
      // On Windows, Keras 2.12 and later write a whole path as one name, with backslashes.
      String name = child.getKey().replace('\\', '/');
      String childPath = path.isEmpty() ? name : path + "/" + name;
      if (nodes.size() >= MAX_NODES) {
        throw file.error(begin, "more than " + MAX_NODES + " groups and datasets");
      }
      nodes.put(childPath, node);
      for (int slash = name.indexOf('/'); slash >= 0; slash = name.indexOf('/', slash + 1)) {
        above.add(childPath.substring(0, childPath.length() - name.length() + slash));
      }
      if (node instanceof Group below) {
        walk(below, childPath, depth + 1);
      }
    }
  }

  /** Whether there is a group of this path, {@code ""} being the root. */
  boolean isGroup(String path) {
    return path.isEmpty() || nodes.get(path) instanceof Group || above.contains(path);
  }

  /** Whether there is a dataset of this path. */
  boolean isDataset(String path) {
    return nodes.get(path) instanceof Dataset;
  }

  /** The paths of all datasets, in the order of the file's groups. */
  List<String> datasets() {
    return nodes.keySet().stream().filter(this::isDataset).toList();
  }

  /** The text of an attribute; {@code null} if the group or dataset has none of that name. */
  String text(String path, String attribute) {
    Object value = attribute(path, attribute);
    if (value == null || value instanceof String) {
      return (String) value;
    }
    if (value instanceof Object[] many && many.length == 1 && many[0] instanceof String one) {
      return one;
    }
    throw file.error(begin, "attribute " + attribute + " of /" + path + " is no text");
  }

  /**
   * The texts of an attribute, which h5py writes in parts {@code NAME0}, {@code NAME1}, … where
   * they are many; {@code null} if there is none of that name.
   */
  List<String> texts(String path, String attribute) {
    Object whole = attribute(path, attribute);
    if (whole != null) {
      return list(path, attribute, whole);
    }
    List<String> all = new ArrayList<>();
    for (int part = 0; ; part++) {
      Object value = attribute(path, attribute + part);
      if (value == null) {
        return part == 0 ? null : Collections.unmodifiableList(all);
      }
      all.addAll(list(path, attribute, value));
    }
  }

  private List<String> list(String path, String attribute, Object value) {
    if (value instanceof String[] texts) {
      return List.of(texts);
    }
    if (value instanceof String text) {
      return List.of(text);
    }
    boolean empty = value.getClass().isArray() && Array.getLength(value) == 0;
    if (empty) {
      return List.of();
    }
    throw file.error(begin, "attribute " + attribute + " of /" + path + " is no list of texts");
  }

  private Object attribute(String path, String name) {
    Node node = path.isEmpty() ? hdf : nodes.get(path);
    if (node == null) {
      return null;
    }
    return guarded(
        file,
        begin,
        () -> {
          Attribute attribute = node.getAttribute(name);
          if (attribute == null) {
            return null;
          }
          if (attribute.isEmpty()) {
            return new String[0];
          }
          if (attribute.getSizeInBytes() > bytes.byteSize()) {
            throw file.error(begin, "attribute " + name + " of /" + path + " is too large");
          }
          return attribute.getData();
        });
  }

  /** Reads a dataset: in place, or copied into the file's arena. */
  Tensor tensor(String path) {
    Dataset dataset = (Dataset) nodes.get(path);
    return guarded(file, begin, () -> tensor(path, dataset));
  }

  private Tensor tensor(String path, Dataset dataset) {
    DType type = type(path, dataset);
    long[] dims = Arrays.stream(dataset.getDimensions()).asLongStream().toArray();
    long elements = 1;
    for (long dim : dims) {
      if (dim < 0) {
        throw error(path, "has the shape " + Arrays.toString(dims));
      }
      elements = Math.multiplyExact(elements, dim);
    }
    long size = Math.multiplyExact(elements, (long) type.bytes());
    long length = bytes.byteSize();
    if (elements == 0) {
      return Tensor.allocate(file.arena(), type, dims);
    }
    boolean little =
        dataset.getDataType() instanceof OrderedDataType ordered
            && ordered.getByteOrder() == ByteOrder.LITTLE_ENDIAN;
    if (dataset instanceof ContiguousDataset contiguous && little) {
      long address = Math.addExact(contiguous.getDataAddress(), base);
      if (address < 0 || size > length || address > length - size) {
        throw error(
            path,
            "claims " + size + " bytes from byte " + address + ", but the file has " + length);
      }
      MemorySegment numbers = bytes.asSlice(address, size);
      if (numbers.address() % type.bytes() != 0) {
        MemorySegment aligned = file.arena().allocate(size, SharedArena.ALIGNMENT);
        numbers = aligned.copyFrom(numbers);
      }
      return Tensor.wrap(numbers, type, dims);
    }
    if (size > MAX_SUSPICIOUS && size / TRUSTED_RATIO > length) {
      throw error(path, "claims " + size + " bytes, but the file has " + length);
    }
    if (type == DType.BFLOAT16) {
      throw error(path, "is bfloat16 in chunks, which is not read");
    }
    return copy(path, dataset.getDataFlat(), type, dims);
  }

  private Tensor copy(String path, Object numbers, DType type, long[] dims) {
    long elements = Shape.of(dims).elements();
    int count = Array.getLength(numbers);
    if (count != elements) {
      throw error(path, "has " + count + " elements, expected " + elements);
    }
    if (numbers instanceof float[] floats && type == DType.FLOAT32) {
      return Tensor.ofFloats(file.arena(), floats, dims);
    }
    Tensor flat = Tensor.allocate(file.arena(), type, elements);
    for (int i = 0; i < count; i++) {
      if (type.isFloat()) {
        flat.setDouble(Array.getDouble(numbers, i), i);
      } else {
        flat.setLong(Array.getLong(numbers, i), i);
      }
    }
    return flat.reshape(dims);
  }

  private DType type(String path, Dataset dataset) {
    int size = dataset.getDataType().getSize();
    if (dataset.getDataType() instanceof FloatingPoint real) {
      // The fields of IEEE 754; others of the same width (bfloat16) have others.
      if (size == 8 && real.getExponentSize() == 11) {
        return DType.FLOAT64;
      }
      if (size == 4 && real.getExponentSize() == 8) {
        return DType.FLOAT32;
      }
      if (size == 2 && real.getExponentSize() == 5) {
        return DType.FLOAT16;
      }
    } else if (dataset.getDataType() instanceof FixedPoint whole) {
      // Keras writes bfloat16 as unsigned integers with a note.
      if (size == 2 && "bfloat16".equals(text(path, "dtype"))) {
        return DType.BFLOAT16;
      }
      if (size == 1) {
        return whole.isSigned() ? DType.INT8 : DType.UINT8;
      }
      if (size == 4 && whole.isSigned()) {
        return DType.INT32;
      }
      if (size == 8) {
        return DType.INT64;
      }
    }
    throw error(
        path,
        "is of type "
            + dataset.getDataType().getClass().getSimpleName()
            + " of "
            + size
            + " bytes, expected float16, float32, float64 or integers");
  }

  private ModelFormatException error(String path, String problem) {
    return file.error(begin, "dataset /" + path + " " + problem);
  }

  /** What jHDF throws at damaged files is of every kind, errors of the JVM included. */
  private static <T> T guarded(MappedFile file, long begin, Supplier<T> work) {
    try {
      return work.get();
    } catch (ModelFormatException | IllegalStateException e) {
      throw e;
    } catch (RuntimeException | StackOverflowError | OutOfMemoryError | AssertionError e) {
      throw file.error(begin, "is damaged HDF5, or of a kind that is not read: " + reason(e), e);
    }
  }

  private static String reason(Throwable e) {
    Throwable last = e;
    while (last.getCause() != null) {
      last = last.getCause();
    }
    return last.getMessage() == null ? last.getClass().getSimpleName() : last.getMessage();
  }
}
