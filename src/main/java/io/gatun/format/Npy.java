package io.gatun.format;

import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Objects;

/**
 * Writes the npy format of numpy, one array to a file, and turns the bytes of such arrays into
 * tensors. Reading a file is {@link TensorFile#open}'s.
 *
 * <p>Definition: the module {@code numpy.lib.format}, versions 1.0, 2.0 and 3.0. Stateless and
 * thread-safe.
 */
public final class Npy {
  private Npy() {}

  /**
   * Writes a tensor as npy version 1.0, in C order and little-endian. The file appears when it is
   * complete; on failure nothing is left behind and what was there before stays.
   *
   * @param file where to write; replaced if it exists
   * @param tensor what to write, of any strides
   * @throws IOException if the file cannot be written
   * @throws IllegalArgumentException for bfloat16, which npy has no type for
   */
  public static void write(Path file, Tensor tensor) throws IOException {
    Objects.requireNonNull(tensor, "tensor");
    byte[] header = NpyHeader.write(tensor.dtype(), tensor.shape());
    try (ReplacedFile out = ReplacedFile.open(file)) {
      out.write(header);
      out.write(tensor);
      out.commit();
    }
  }

  /** Reads the array that makes up the whole file. */
  static Tensor read(MappedFile file) {
    int headerBytes = (int) Math.min(NpyHeader.MAX_HEADER, file.size());
    NpyHeader header = header(file, 0, file.bytes(0, headerBytes, "npy header"), "");
    checkLength(file, 0, header, file.size(), "");
    return inPlace(file, header, header.headerBytes(), "array");
  }

  /**
   * Parses a header.
   *
   * @param arrayOffset where the array starts in the file, for messages
   * @param start the first bytes of the array
   * @param prefix what messages start with
   */
  static NpyHeader header(MappedFile file, long arrayOffset, byte[] start, String prefix) {
    return NpyHeader.parse(
        start, (offset, problem) -> file.error(arrayOffset + offset, prefix + problem));
  }

  /** Refuses an array whose header does not account for every byte. */
  static void checkLength(
      MappedFile file, long arrayOffset, NpyHeader header, long length, String prefix) {
    long expected = header.dataBytes();
    long came = length - header.headerBytes();
    if (came != expected) {
      throw file.error(
          arrayOffset + header.headerBytes(),
          prefix
              + "an array "
              + header.shape()
              + " of "
              + header.dtype().label()
              + " takes "
              + expected
              + " bytes, but "
              + came
              + " follow its header");
    }
  }

  /**
   * Views numbers where they lie in the file; copies them only where their byte order or their
   * alignment asks for it.
   */
  static Tensor inPlace(MappedFile file, NpyHeader header, long dataOffset, String what) {
    MemorySegment data = file.slice(dataOffset, header.dataBytes(), what);
    if (header.bigEndian() || data.address() % header.dtype().bytes() != 0) {
      MemorySegment copy = file.arena().allocate(Math.max(1, data.byteSize()), 1);
      MemorySegment.copy(data, 0, copy, 0, data.byteSize());
      data = copy;
    }
    return view(header, data);
  }

  /**
   * Views numbers as the header says. Numbers in the other byte order are turned round first, so
   * the memory must be the reader's own then.
   */
  static Tensor view(NpyHeader header, MemorySegment data) {
    if (header.bigEndian()) {
      swapBytes(data, header.dtype().bytes(), header.shape().elements());
    }
    long[] dims = header.shape().dims();
    if (!header.fortranOrder() || dims.length < 2) {
      return Tensor.wrap(data.asReadOnly(), header.dtype(), dims);
    }
    // The same numbers with the axes in reverse order are in C order.
    long[] reversed = new long[dims.length];
    for (int axis = 0; axis < dims.length; axis++) {
      reversed[axis] = dims[dims.length - 1 - axis];
    }
    return Tensor.wrap(data.asReadOnly(), header.dtype(), reversed).transpose();
  }

  private static void swapBytes(MemorySegment data, int elementBytes, long elements) {
    switch (elementBytes) {
      case 2 -> {
        ValueLayout.OfShort big = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN);
        for (long i = 0; i < elements; i++) {
          data.setAtIndex(ValueLayout.JAVA_SHORT, i, data.getAtIndex(big, i));
        }
      }
      case 4 -> {
        ValueLayout.OfInt big = ValueLayout.JAVA_INT.withOrder(ByteOrder.BIG_ENDIAN);
        for (long i = 0; i < elements; i++) {
          data.setAtIndex(ValueLayout.JAVA_INT, i, data.getAtIndex(big, i));
        }
      }
      case 8 -> {
        ValueLayout.OfLong big = ValueLayout.JAVA_LONG.withOrder(ByteOrder.BIG_ENDIAN);
        for (long i = 0; i < elements; i++) {
          data.setAtIndex(ValueLayout.JAVA_LONG, i, data.getAtIndex(big, i));
        }
      }
      default -> throw new AssertionError(elementBytes);
    }
  }
}
