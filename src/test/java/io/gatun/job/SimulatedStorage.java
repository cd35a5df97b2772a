package io.gatun.job;

import io.gatun.table.Storage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/**
 * Files in memory that fail when they are told to, and lose what was not made safe when the power
 * goes: bytes since the last {@code force}, and names since the last {@code syncFolder}.
 */
final class SimulatedStorage implements Storage {
  /** What happens at the operation that is to fail. */
  enum Fault {
    /** It fails, and nothing has happened. */
    ERROR,
    /** It fails, though it has happened. */
    ERROR_AFTER,
    /** It moves a single byte, which is allowed. */
    SHORT,
    /** From there on nothing more can be written. */
    NO_SPACE,
    /** From there on nothing happens at all. */
    POWER_LOSS
  }

  private static final class Node {
    byte[] bytes = {};
    byte[] safe = {};
  }

  private final Map<Path, Node> names = new TreeMap<>();
  private final Map<Path, Node> safeNames = new TreeMap<>();
  private final List<Map<Path, Node>> nameHistory = new ArrayList<>();

  private Fault fault;
  private boolean faultReads;
  private int failAt;
  private int reads;
  private int writes;
  private boolean down;
  private boolean full;

  /** Puts a file there that is safe. */
  synchronized void put(Path file, byte[] content) {
    Node node = new Node();
    node.bytes = content;
    node.safe = content;
    names.put(file, node);
    safeNames.put(file, node);
  }

  /** Returns a file's bytes, or null. */
  synchronized byte[] get(Path file) {
    Node node = names.get(file);
    return node == null ? null : node.bytes;
  }

  synchronized List<Path> files() {
    return List.copyOf(names.keySet());
  }

  /** Lets the given operation of reading or writing fail, counted from 1 and from now. */
  synchronized void failAt(Fault what, boolean reading, int operation) {
    fault = what;
    faultReads = reading;
    failAt = operation;
    reads = 0;
    writes = 0;
  }

  /** Returns whether there were enough operations for the fault to happen. */
  synchronized boolean hasFailed() {
    return (faultReads ? reads : writes) >= failAt;
  }

  /** Everything works again; after a loss of power with what was safe and some of the rest. */
  synchronized void repair(Random random) {
    if (down) {
      Map<Path, Node> left =
          nameHistory.isEmpty() || random.nextBoolean()
              ? safeNames
              : nameHistory.get(random.nextInt(nameHistory.size()));
      names.clear();
      names.putAll(left);
      for (Node node : names.values()) {
        int kept =
            node.bytes.length > node.safe.length
                ? node.safe.length + random.nextInt(node.bytes.length - node.safe.length + 1)
                : node.safe.length;
        byte[] after = Arrays.copyOf(node.safe, kept); // zeros where data never came
        if (random.nextBoolean() && kept > node.safe.length) {
          System.arraycopy(
              node.bytes, node.safe.length, after, node.safe.length, kept - node.safe.length);
        }
        node.bytes = after;
        node.safe = after;
      }
      safeNames.clear();
      safeNames.putAll(names);
    }
    nameHistory.clear();
    fault = null;
    down = false;
    full = false;
  }

  /** Counts an operation; returns the fault that is to happen in the middle of it, if any. */
  private Fault begin(boolean reading) throws IOException {
    if (down) {
      throw new IOException("there is no power");
    }
    int count = reading ? ++reads : ++writes;
    if (fault == null || reading != faultReads || count != failAt) {
      return null;
    }
    if (fault == Fault.POWER_LOSS) {
      down = true;
      throw new IOException("there is no power");
    }
    if (fault == Fault.ERROR) {
      throw new IOException("injected error");
    }
    if (fault == Fault.NO_SPACE) {
      full = true;
    }
    return fault;
  }

  private static void end(Fault happening) throws IOException {
    if (happening == Fault.ERROR_AFTER) {
      throw new IOException("injected error");
    }
  }

  private Node node(Path file) throws NoSuchFileException {
    Node node = names.get(file);
    if (node == null) {
      throw new NoSuchFileException(file.toString());
    }
    return node;
  }

  @Override
  public synchronized boolean exists(Path file) throws IOException {
    Fault happening = begin(true);
    end(happening);
    return names.containsKey(file);
  }

  @Override
  public synchronized SeekableByteChannel read(Path file) throws IOException {
    Fault happening = begin(true);
    Node node = node(file);
    end(happening);
    return new Reading(node);
  }

  private final class Reading implements SeekableByteChannel {
    private final Node node;
    private int at;

    Reading(Node node) {
      this.node = node;
    }

    @Override
    public int read(ByteBuffer target) throws IOException {
      synchronized (SimulatedStorage.this) {
        Fault happening = begin(true);
        int count = Math.min(target.remaining(), node.bytes.length - at);
        if (count <= 0) {
          end(happening);
          return target.hasRemaining() ? -1 : 0;
        }
        count = happening == Fault.SHORT ? 1 : count;
        target.put(node.bytes, at, count);
        at += count;
        end(happening);
        return count;
      }
    }

    @Override
    public int write(ByteBuffer source) {
      throw new UnsupportedOperationException();
    }

    @Override
    public long position() {
      return at;
    }

    @Override
    public SeekableByteChannel position(long position) {
      at = (int) position;
      return this;
    }

    @Override
    public long size() {
      return node.bytes.length;
    }

    @Override
    public SeekableByteChannel truncate(long size) {
      throw new UnsupportedOperationException();
    }

    @Override
    public boolean isOpen() {
      return true;
    }

    @Override
    public void close() {}
  }

  @Override
  public synchronized Output write(Path file, long length) throws IOException {
    Fault happening = begin(false);
    Node node = names.computeIfAbsent(file, each -> new Node());
    remember();
    if (node.bytes.length < length) {
      throw new IOException(file + " is shorter than " + length);
    }
    node.bytes = Arrays.copyOf(node.bytes, (int) length);
    end(happening);
    return new Writing(node);
  }

  private final class Writing implements Output {
    private final Node node;

    Writing(Node node) {
      this.node = node;
    }

    @Override
    public void write(ByteBuffer bytes) throws IOException {
      synchronized (SimulatedStorage.this) {
        Fault happening = begin(false);
        int count = bytes.remaining();
        if (full) {
          count /= 2;
        } else if (happening == Fault.SHORT) {
          count = 1;
        }
        byte[] part = new byte[count];
        bytes.get(part);
        int before = node.bytes.length;
        node.bytes = Arrays.copyOf(node.bytes, before + count);
        System.arraycopy(part, 0, node.bytes, before, count);
        if (full) {
          throw new IOException("No space left on device");
        }
        end(happening);
      }
    }

    @Override
    public void patch(long position, ByteBuffer bytes) throws IOException {
      synchronized (SimulatedStorage.this) {
        Fault happening = begin(false);
        byte[] changed = node.bytes.clone();
        bytes.get(changed, (int) position, bytes.remaining());
        node.bytes = changed;
        end(happening);
      }
    }

    @Override
    public void force() throws IOException {
      synchronized (SimulatedStorage.this) {
        Fault happening = begin(false);
        node.safe = node.bytes;
        end(happening);
      }
    }

    @Override
    public void close() {}
  }

  @Override
  public synchronized void rename(Path from, Path to) throws IOException {
    Fault happening = begin(false);
    Node node = node(from);
    names.remove(from);
    names.put(to, node);
    remember();
    end(happening);
  }

  @Override
  public synchronized void delete(Path file) throws IOException {
    Fault happening = begin(false);
    names.remove(file);
    remember();
    end(happening);
  }

  private void remember() {
    nameHistory.add(new TreeMap<>(names));
  }

  @Override
  public synchronized void syncFolder(Path folder) throws IOException {
    Fault happening = begin(false);
    safeNames.clear();
    safeNames.putAll(names);
    nameHistory.clear();
    end(happening);
  }
}
