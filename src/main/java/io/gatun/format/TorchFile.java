package io.gatun.format;

import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Reads state dictionaries that PyTorch wrote in its zip format ({@code torch.save} since version
 * 1.6): a pickle that says which tensors there are, and a member for the numbers of each storage,
 * which are used where they lie.
 *
 * <p>A pickle is a program. {@link TorchPickle} runs none of it: it builds tensors and
 * dictionaries, and refuses by name what else a pickle asks for.
 *
 * <p>Tensors are named by the keys that lead to them, joined by dots; whatever else is in the
 * dictionaries (a number of epochs, for instance) is left out. Stateless and thread-safe.
 */
final class TorchFile {
  private static final String PICKLE = "data.pkl";
  private static final int MAX_PICKLE = 1 << 28;
  private static final int MAX_DEPTH = 100;
  private static final int MAX_ENTRIES = 1_000_000;

  private final MappedFile file;
  private final Map<String, ZipDirectory.Member> members;
  private final String prefix;
  private final Map<String, MemorySegment> storages = new LinkedHashMap<>();
  private int entries;

  private TorchFile(MappedFile file, Map<String, ZipDirectory.Member> members, String prefix) {
    this.file = file;
    this.members = members;
    this.prefix = prefix;
  }

  /** The member of a zip file that is PyTorch's pickle, if there is one. */
  static Optional<String> pickle(Map<String, ZipDirectory.Member> members) {
    return members.keySet().stream()
        .filter(name -> name.equals(PICKLE) || name.endsWith("/" + PICKLE))
        .findFirst();
  }

  /** The tensors of a file by name, each made when it is asked for. */
  static Map<String, Supplier<Tensor>> read(
      MappedFile file, Map<String, ZipDirectory.Member> members, String pickle) {
    String prefix = pickle.substring(0, pickle.length() - PICKLE.length());
    return new TorchFile(file, members, prefix).tensors(members.get(pickle));
  }

  private Map<String, Supplier<Tensor>> tensors(ZipDirectory.Member pickle) {
    if (members.containsKey(prefix + "constants.pkl")) {
      throw file.error(
          pickle.headerOffset(),
          "is TorchScript, which is a program; save the state_dict() of the module");
    }
    ZipDirectory.Member order = members.get(prefix + "byteorder");
    if (order != null && !text(order).equals("little")) {
      throw file.error(order.headerOffset(), "has numbers in big-endian order");
    }
    if (pickle.bytes() > MAX_PICKLE) {
      throw file.error(pickle.headerOffset(), "has a pickle of " + pickle.bytes() + " bytes");
    }
    byte[] program = InflatedMember.bytes(file, pickle).toArray(ValueLayout.JAVA_BYTE);
    Object top = new TorchPickle(file, pickle, program).read();
    Map<String, Supplier<Tensor>> tensors = new LinkedHashMap<>();
    if (top instanceof TorchPickle.TorchTensor single) {
      tensors.put("tensor", () -> tensor("tensor", single));
    } else {
      collect(tensors, "", top, 0);
    }
    if (tensors.isEmpty()) {
      throw file.error(pickle.headerOffset(), "has no tensors, expected a state dictionary");
    }
    return tensors;
  }

  private String text(ZipDirectory.Member member) {
    return new String(
        file.bytes(
            member.dataOffset(), (int) Math.min(16, member.compressedBytes()), member.name()),
        StandardCharsets.US_ASCII);
  }

  private void collect(
      Map<String, Supplier<Tensor>> tensors, String name, Object value, int depth) {
    if (depth > MAX_DEPTH || ++entries > MAX_ENTRIES) {
      throw ModelFormatException.in(file.path(), "has too many or too deeply nested entries");
    }
    if (value instanceof TorchPickle.TorchTensor tensor) {
      if (tensors.put(name, () -> tensor(name, tensor)) != null) {
        throw ModelFormatException.in(file.path(), "has two tensors called " + Json.quoted(name));
      }
    } else if (value instanceof Map<?, ?> map) {
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        collect(tensors, below(name, entry.getKey()), entry.getValue(), depth + 1);
      }
    } else if (value instanceof List<?> list) {
      for (int i = 0; i < list.size(); i++) {
        collect(tensors, below(name, i), list.get(i), depth + 1);
      }
    }
  }

  private static String below(String name, Object key) {
    return name.isEmpty() ? key.toString() : name + "." + key;
  }

  private Tensor tensor(String name, TorchPickle.TorchTensor tensor) {
    TorchPickle.Storage storage = tensor.storage();
    DType type = type(name, storage.type());
    MemorySegment numbers = storage(name, storage, type);
    long[] size = tensor.size();
    long[] stride = tensor.stride();
    long last = tensor.offset();
    boolean valid = size.length == stride.length && last >= 0;
    boolean empty = false;
    try {
      for (int axis = 0; valid && axis < size.length; axis++) {
        valid = size[axis] >= 0 && stride[axis] >= 0;
        empty |= size[axis] == 0;
        last = Math.addExact(last, Math.multiplyExact(Math.max(0, size[axis] - 1), stride[axis]));
      }
    } catch (ArithmeticException e) {
      valid = false;
    }
    if (!valid || (!empty && last >= storage.elements())) {
      throw ModelFormatException.in(
          file.path(),
          "tensor "
              + Json.quoted(name)
              + " has size "
              + Arrays.toString(size)
              + ", strides "
              + Arrays.toString(stride)
              + " and offset "
              + tensor.offset()
              + ", but its storage has "
              + storage.elements()
              + " elements");
    }
    if (empty) {
      return Tensor.allocate(file.arena(), type, size);
    }
    long begin = tensor.offset() * type.bytes();
    MemorySegment view = numbers.asSlice(begin, (last - tensor.offset() + 1) * type.bytes());
    return Tensor.wrap(view, type, Shape.of(size), stride).asReadOnly();
  }

  private MemorySegment storage(String name, TorchPickle.Storage storage, DType type) {
    synchronized (storages) {
      MemorySegment known = storages.get(storage.key());
      if (known == null) {
        ZipDirectory.Member member = members.get(prefix + "data/" + storage.key());
        if (member == null) {
          throw ModelFormatException.in(
              file.path(),
              "tensor "
                  + Json.quoted(name)
                  + " is in storage "
                  + Json.quoted(storage.key())
                  + ", but there is no such member");
        }
        known = InflatedMember.bytes(file, member);
        if (known.address() % Long.BYTES != 0) {
          known = file.arena().allocate(known.byteSize(), SharedArena.ALIGNMENT).copyFrom(known);
        }
        storages.put(storage.key(), known);
      }
      if (storage.elements() < 0 || storage.elements() > known.byteSize() / type.bytes()) {
        throw ModelFormatException.in(
            file.path(),
            "storage "
                + Json.quoted(storage.key())
                + " has "
                + known.byteSize()
                + " bytes, expected "
                + storage.elements()
                + " numbers of "
                + type.label());
      }
      return known;
    }
  }

  private DType type(String name, String storage) {
    return switch (storage) {
      case "FloatStorage" -> DType.FLOAT32;
      case "DoubleStorage" -> DType.FLOAT64;
      case "HalfStorage" -> DType.FLOAT16;
      case "BFloat16Storage" -> DType.BFLOAT16;
      case "LongStorage" -> DType.INT64;
      case "IntStorage" -> DType.INT32;
      case "CharStorage" -> DType.INT8;
      case "ByteStorage" -> DType.UINT8;
      case "BoolStorage" -> DType.BOOL;
      default ->
          throw ModelFormatException.in(
              file.path(),
              "tensor "
                  + Json.quoted(name)
                  + " is in a torch."
                  + storage
                  + ", a type that this library has not");
    };
  }
}
