package io.gatun.format;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads the pickle of a state dictionary and runs nothing. A pickle is a program for a machine with
 * a stack that may call any function of Python; here it can build numbers, texts, tuples, lists and
 * dictionaries, and of all functions there are {@code OrderedDict()} and the two by which PyTorch
 * makes a tensor of a storage. Anything else is refused by its name.
 *
 * <p>The definition is {@code pickletools.py} of Python, protocols 2 to 5. For one pickle.
 */
final class TorchPickle {
  /**
   * Where numbers lie.
   *
   * @param type the class in {@code torch}, such as {@code FloatStorage}
   * @param key the member's name
   * @param elements how many numbers it has
   */
  record Storage(String type, String key, long elements) {}

  /** A view of a storage, offset and strides in elements. */
  record TorchTensor(Storage storage, long offset, long[] size, long[] stride) {}

  /** A function or class by name. */
  private record Global(String name) {}

  private record Tuple(List<Object> items) {}

  /** Stands on the stack where a number of items begins. */
  private static final Object MARK = new Object();

  /** None. */
  private static final Object NONE = new Object();

  private static final String ORDERED = "collections.OrderedDict";
  private static final String TENSOR = "torch._utils._rebuild_tensor_v2";
  private static final String PARAMETER = "torch._utils._rebuild_parameter";

  private final MappedFile file;
  private final ZipDirectory.Member member;
  private final ByteBuffer in;
  private final List<Object> stack = new ArrayList<>();
  private final Map<Integer, Object> memo = new HashMap<>();

  TorchPickle(MappedFile file, ZipDirectory.Member member, byte[] program) {
    this.file = file;
    this.member = member;
    this.in = ByteBuffer.wrap(program).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * The object that the pickle makes.
   *
   * @throws ModelFormatException if it is damaged or asks for something else than data
   */
  Object read() {
    try {
      while (true) {
        int opcode = Byte.toUnsignedInt(in.get());
        if (opcode == '.') {
          return pop();
        }
        step(opcode);
      }
    } catch (BufferUnderflowException e) {
      throw error("ends in the middle", e);
    }
  }

  private void step(int opcode) {
    switch (opcode) {
      case 0x80 -> { // PROTO
        int version = Byte.toUnsignedInt(in.get());
        if (version < 2 || version > 5) {
          throw error("is of protocol " + version + ", expected 2 to 5");
        }
      }
      case 0x95 -> in.getLong(); // FRAME: how many bytes follow together
      case '(' -> stack.add(MARK);
      case '0' -> pop();
      case '}' -> stack.add(new LinkedHashMap<Object, Object>());
      case ']' -> stack.add(new ArrayList<Object>());
      case ')' -> stack.add(new Tuple(List.of()));
      case 't' -> stack.add(new Tuple(List.copyOf(popMark())));
      case 0x85 -> tuple(1);
      case 0x86 -> tuple(2);
      case 0x87 -> tuple(3);
      case 'N' -> stack.add(NONE);
      case 0x88 -> stack.add(true);
      case 0x89 -> stack.add(false);
      case 'K' -> stack.add((long) Byte.toUnsignedInt(in.get()));
      case 'M' -> stack.add((long) Short.toUnsignedInt(in.getShort()));
      case 'J' -> stack.add((long) in.getInt());
      case 0x8a -> stack.add(longInteger(Byte.toUnsignedInt(in.get())));
      case 'G' -> {
        double number = in.order(ByteOrder.BIG_ENDIAN).getDouble();
        in.order(ByteOrder.LITTLE_ENDIAN);
        stack.add(number);
      }
      case 0x8c, 'U' -> stack.add(text(Byte.toUnsignedInt(in.get())));
      case 'X', 'T' -> stack.add(text(Integer.toUnsignedLong(in.getInt())));
      case 0x8d -> stack.add(text(in.getLong()));
      case 'q' -> memo.put(Byte.toUnsignedInt(in.get()), top());
      case 'r' -> memo.put(in.getInt(), top());
      case 0x94 -> memo.put(memo.size(), top());
      case 'h' -> recall(Byte.toUnsignedInt(in.get()));
      case 'j' -> recall(in.getInt());
      case 'a' -> {
        Object item = pop();
        list().add(item);
      }
      case 'e' -> {
        List<Object> items = popMark();
        list().addAll(items);
      }
      case 's' -> {
        Object value = pop();
        Object key = pop();
        put(key, value);
      }
      case 'u' -> {
        List<Object> items = popMark();
        if (items.size() % 2 != 0) {
          throw error("has a key without a value");
        }
        for (int i = 0; i < items.size(); i += 2) {
          put(items.get(i), items.get(i + 1));
        }
      }
      case 'c' -> global(line(), line());
      case 0x93 -> {
        Object name = pop();
        Object module = pop();
        if (!(name instanceof String function) || !(module instanceof String library)) {
          throw error("names a function by something else than text");
        }
        global(library, function);
      }
      case 'Q' -> stack.add(storage(pop()));
      case 'R' -> {
        Object arguments = pop();
        Object function = pop();
        stack.add(call(function, arguments));
      }
      case 'b' -> build();
      default ->
          throw error(
              String.format(
                  "asks for the instruction 0x%02x, which no state dictionary needs", opcode));
    }
  }

  // ---- the stack
  // -----------------------------------------------------------------------------------

  private Object pop() {
    if (stack.isEmpty() || top() == MARK) {
      throw error("takes something from an empty stack");
    }
    return stack.remove(stack.size() - 1);
  }

  private Object top() {
    if (stack.isEmpty()) {
      throw error("takes something from an empty stack");
    }
    return stack.get(stack.size() - 1);
  }

  private List<Object> popMark() {
    int mark = stack.lastIndexOf(MARK);
    if (mark < 0) {
      throw error("takes items from an empty stack");
    }
    List<Object> tail = stack.subList(mark + 1, stack.size());
    List<Object> items = new ArrayList<>(tail);
    stack.subList(mark, stack.size()).clear();
    return items;
  }

  private void tuple(int count) {
    Object[] items = new Object[count];
    for (int i = count - 1; i >= 0; i--) {
      items[i] = pop();
    }
    stack.add(new Tuple(List.of(items)));
  }

  private void recall(int index) {
    Object value = memo.get(index);
    if (value == null) {
      throw error("recalls " + index + ", which it has not remembered");
    }
    stack.add(value);
  }

  @SuppressWarnings("unchecked")
  private List<Object> list() {
    if (!(top() instanceof List<?> list)) {
      throw error("adds to something that is no list");
    }
    return (List<Object>) list;
  }

  @SuppressWarnings("unchecked")
  private void put(Object key, Object value) {
    if (!(top() instanceof Map<?, ?> map)) {
      throw error("adds to something that is no dictionary");
    }
    if (!(key instanceof String || key instanceof Long || key instanceof Boolean)) {
      throw error("has a key that is neither text nor a number");
    }
    ((Map<Object, Object>) map).put(key, value);
  }

  // ---- what stands in the program
  // ------------------------------------------------------------------

  private String text(long bytes) {
    if (bytes < 0 || bytes > in.remaining()) {
      throw error("has a text of " + Long.toUnsignedString(bytes) + " bytes, which it has not");
    }
    byte[] text = new byte[(int) bytes];
    in.get(text);
    return new String(text, StandardCharsets.UTF_8);
  }

  private String line() {
    StringBuilder line = new StringBuilder();
    for (char c = (char) in.get(); c != '\n'; c = (char) in.get()) {
      if (line.length() > 1000) {
        throw error("has a name that does not end");
      }
      line.append(c);
    }
    return line.toString();
  }

  private long longInteger(int bytes) {
    if (bytes > Long.BYTES) {
      throw error("has a whole number of " + bytes + " bytes");
    }
    long value = 0;
    for (int i = 0; i < bytes; i++) {
      value |= (long) Byte.toUnsignedInt(in.get()) << (8 * i);
    }
    int unused = Long.SIZE - 8 * bytes;
    return bytes == 0 ? 0 : value << unused >> unused;
  }

  // ---- what it may call
  // ----------------------------------------------------------------------------

  private void global(String module, String name) {
    String whole = module + "." + name;
    boolean storage =
        (module.equals("torch") || module.equals("torch.storage")) && name.endsWith("Storage");
    if (!storage && !List.of(ORDERED, TENSOR, PARAMETER).contains(whole)) {
      throw error(
          "asks for "
              + Json.quoted(whole)
              + ": a program, not data. Nothing of it was run. Save the state_dict() of the module,"
              + " or safetensors");
    }
    stack.add(new Global(storage ? name : whole));
  }

  private Object call(Object function, Object arguments) {
    if (!(function instanceof Global global) || !(arguments instanceof Tuple tuple)) {
      throw error("calls something that is no function");
    }
    List<Object> given = tuple.items();
    switch (global.name()) {
      case ORDERED -> {
        if (given.isEmpty()) {
          return new LinkedHashMap<Object, Object>();
        }
      }
      case PARAMETER -> {
        if (given.size() == 3 && given.get(0) instanceof TorchTensor tensor) {
          return tensor;
        }
      }
      case TENSOR -> {
        if (given.size() >= 6
            && given.get(0) instanceof Storage storage
            && given.get(1) instanceof Long offset
            && given.get(2) instanceof Tuple size
            && given.get(3) instanceof Tuple stride) {
          return new TorchTensor(storage, offset, longs(size), longs(stride));
        }
      }
      default -> {}
    }
    throw error("calls " + Json.quoted(global.name()) + " with something that is not expected");
  }

  private long[] longs(Tuple tuple) {
    long[] all = new long[tuple.items().size()];
    for (int i = 0; i < all.length; i++) {
      if (!(tuple.items().get(i) instanceof Long number)) {
        throw error("has a shape of something else than whole numbers");
      }
      all[i] = number;
    }
    if (all.length > 16) {
      throw error("has a tensor of " + all.length + " axes");
    }
    return all;
  }

  /** {@code ('storage', class, key, device, elements)}. */
  private Storage storage(Object id) {
    if (id instanceof Tuple tuple
        && tuple.items().size() == 5
        && "storage".equals(tuple.items().get(0))
        && tuple.items().get(1) instanceof Global type
        && tuple.items().get(2) instanceof String key
        && tuple.items().get(4) instanceof Long elements) {
      return new Storage(type.name(), key, elements);
    }
    throw error("refers to something that is no storage");
  }

  /** The attributes of a dictionary ({@code _metadata}) are passed over. */
  private void build() {
    pop();
    if (!(top() instanceof Map<?, ?>)) {
      throw error("sets attributes of something that is no dictionary");
    }
  }

  private ModelFormatException error(String problem) {
    return error(problem, null);
  }

  private ModelFormatException error(String problem, Throwable cause) {
    return file.error(
        member.dataOffset() + in.position(), "the pickle " + member.name() + " " + problem, cause);
  }
}
