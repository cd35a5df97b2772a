package io.gatun.tensor;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.WeakReference;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.WeakHashMap;

/**
 * A shared arena whose memory can be held open by leases; for weights and other big, long-lived
 * memory that several threads use.
 *
 * <p>Why a lease: kernels check at their door and then read raw addresses. If another thread closed
 * the arena in the middle of that, the address would point at memory that is unmapped or already
 * somebody else's, and the process would crash or compute with foreign numbers. Whoever is about to
 * use the memory in this way takes a {@link Lease}; while one is out, {@link #close()} refuses and
 * names the holders, instead of pulling the memory away.
 *
 * <p>Whoever opens the arena closes it, after the leases are back. All methods may be called from
 * any thread. Closing twice is an error, as for every {@link Arena}.
 *
 * <p>An arena that becomes unreachable without being closed keeps its memory until the process
 * ends, as with {@link Arena#ofShared()}; segments in it stay valid.
 */
public final class SharedArena implements Arena {
  /** The least alignment of an allocation, in bytes. */
  public static final long ALIGNMENT = 64;

  /**
   * From a segment's scope to the arena that owns it. Both sides are weak. The value must be, since
   * an arena reaches its scope and would keep its own key alive. It may be: an arena that nobody
   * can reach is an arena that nobody can close, so its memory needs no lease.
   */
  private static final Map<MemorySegment.Scope, WeakReference<SharedArena>> OWNERS =
      new WeakHashMap<>();

  private final String name;
  private final Arena memory = Arena.ofShared();
  private final Map<Lease, String> leases = new LinkedHashMap<>();
  private boolean closed;

  private SharedArena(String name) {
    this.name = Objects.requireNonNull(name, "name");
  }

  /**
   * Opens an arena.
   *
   * @param name what error messages call it, such as the file whose weights it holds
   * @return the arena; the caller closes it
   */
  public static SharedArena open(String name) {
    SharedArena arena = new SharedArena(name);
    synchronized (OWNERS) {
      OWNERS.put(arena.memory.scope(), new WeakReference<>(arena));
    }
    return arena;
  }

  /**
   * Finds the arena whose memory a segment is a part of.
   *
   * @param segment any segment, including slices and read-only views
   * @return the arena; empty if the memory is not a shared arena's, or that arena is closed
   */
  public static Optional<SharedArena> ownerOf(MemorySegment segment) {
    WeakReference<SharedArena> owner;
    synchronized (OWNERS) {
      owner = OWNERS.get(segment.scope());
    }
    return owner == null ? Optional.empty() : Optional.ofNullable(owner.get());
  }

  /** Returns the name given to {@link #open}. */
  public String name() {
    return name;
  }

  /**
   * Allocates zeroed native memory that lives until the arena is closed.
   *
   * @param byteSize the size in bytes
   * @param byteAlignment the alignment in bytes, a power of two; at least {@value #ALIGNMENT} is
   *     used
   * @return the segment
   * @throws IllegalArgumentException if the size is negative or the alignment no power of two
   * @throws IllegalStateException if the arena is closed
   */
  @Override
  public MemorySegment allocate(long byteSize, long byteAlignment) {
    if (byteSize < 0 || byteAlignment <= 0 || Long.bitCount(byteAlignment) != 1) {
      throw new IllegalArgumentException(
          this
              + ": cannot allocate "
              + byteSize
              + " bytes aligned to "
              + byteAlignment
              + ", expected a size of 0 or more and a power of two");
    }
    checkOpen();
    return memory.allocate(byteSize, Math.max(ALIGNMENT, byteAlignment));
  }

  /**
   * Maps a part of a file into memory that lives until the arena is closed. The start of the
   * segment is as aligned as {@code offset} is.
   *
   * <p>The file must not be made shorter while it is mapped: reading beyond its new end fails with
   * an {@link InternalError} at best.
   *
   * @param channel an open file; it may be closed afterwards
   * @param mode how to map it
   * @param offset where in the file the segment starts, in bytes
   * @param size the size of the segment in bytes
   * @return the segment
   * @throws IOException if the file cannot be mapped
   * @throws IllegalArgumentException if offset or size are negative or overflow
   * @throws IllegalStateException if the arena is closed
   */
  public MemorySegment map(FileChannel channel, FileChannel.MapMode mode, long offset, long size)
      throws IOException {
    checkOpen();
    return channel.map(mode, offset, size, memory);
  }

  @Override
  public MemorySegment.Scope scope() {
    return memory.scope();
  }

  /**
   * Keeps the memory from being closed until the lease is.
   *
   * @param holder who uses the memory, for the message of a refused close
   * @return the lease; the caller closes it when the memory is no longer read or written
   * @throws IllegalStateException if the arena is closed
   */
  public Lease lease(String holder) {
    Lease lease = new Lease(this);
    synchronized (leases) {
      checkOpen();
      leases.put(lease, Objects.requireNonNull(holder, "holder"));
    }
    return lease;
  }

  /** Returns the holders of the leases that are out, in the order they were taken. */
  public List<String> holders() {
    synchronized (leases) {
      return new ArrayList<>(leases.values());
    }
  }

  /**
   * Frees and unmaps the memory; every access to its segments fails from now on.
   *
   * @throws IllegalStateException if leases are out (the message names their holders; nothing is
   *     closed), a native call is using the memory, or the arena is already closed
   */
  @Override
  public void close() {
    synchronized (leases) {
      checkOpen();
      if (!leases.isEmpty()) {
        throw new IllegalStateException(
            this
                + " cannot be closed: still in use by "
                + String.join(", ", leases.values())
                + "; close them first");
      }
      memory.close();
      closed = true;
    }
    synchronized (OWNERS) {
      OWNERS.remove(memory.scope());
    }
  }

  /** Returns the name, as error messages show it. */
  @Override
  public String toString() {
    return "shared arena '" + name + "'";
  }

  private void checkOpen() {
    synchronized (leases) {
      if (closed) {
        throw new IllegalStateException(this + " is closed");
      }
    }
  }

  private void giveBack(Lease lease) {
    synchronized (leases) {
      leases.remove(lease);
    }
  }

  /**
   * The promise that an arena's memory stays until this is closed. Closing is idempotent and may
   * happen on any thread.
   */
  public static final class Lease implements AutoCloseable {
    private final SharedArena arena;

    private Lease(SharedArena arena) {
      this.arena = arena;
    }

    /** Returns the arena that is kept open. */
    public SharedArena arena() {
      return arena;
    }

    /** Gives the lease back. Closing again does nothing. */
    @Override
    public void close() {
      arena.giveBack(this);
    }
  }
}
