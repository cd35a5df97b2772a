package io.gatun.spark;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The networks of this process. One is loaded by the first task that asks for it, while others that
 * want the same wait, and shared by all; the {@value #MOST_IDLE} that were used last stay when no
 * task uses them, since the next task wants them again. Thread-safe.
 */
final class Networks {
  static final int MOST_IDLE = 4;

  private static final Networks ALL = new Networks();

  private final Map<Network.Key, Held> held = new LinkedHashMap<>();
  private long loads;

  /** A network and who uses it. */
  private static final class Held {
    int users;
    Network network;
  }

  private Networks() {}

  /** A use of a network. */
  static final class Lease implements AutoCloseable {
    private final Network.Key key;
    private final Network network;
    private boolean closed;

    private Lease(Network.Key key, Network network) {
      this.key = key;
      this.network = network;
    }

    Network network() {
      return network;
    }

    /** Ends the use; does nothing the second time. */
    @Override
    public synchronized void close() {
      if (!closed) {
        closed = true;
        ALL.give(key);
      }
    }
  }

  static Lease take(Settings settings) {
    Network.Key key = Network.Key.of(settings);
    return new Lease(key, ALL.use(key));
  }

  /** How many networks this process has loaded so far. */
  static long loads() {
    synchronized (ALL) {
      return ALL.loads;
    }
  }

  private Network use(Network.Key key) {
    Held one;
    synchronized (this) {
      one = held.remove(key);
      one = one == null ? new Held() : one;
      held.put(key, one); // the last one in order is the one used last
      one.users++;
    }
    try {
      synchronized (one) {
        if (one.network == null) {
          one.network = Network.load(key);
          synchronized (this) {
            loads++;
          }
        }
        return one.network;
      }
    } catch (RuntimeException | Error e) {
      give(key);
      throw e;
    }
  }

  private void give(Network.Key key) {
    List<Network> surplus = new ArrayList<>();
    synchronized (this) {
      held.get(key).users--;
      List<Network.Key> idle = new ArrayList<>();
      held.forEach(
          (each, one) -> {
            if (one.users == 0) {
              idle.add(each);
            }
          });
      for (int i = 0; i < idle.size(); i++) {
        Network network = held.get(idle.get(i)).network;
        if (i < idle.size() - MOST_IDLE || network == null) {
          held.remove(idle.get(i));
          if (network != null) {
            surplus.add(network);
          }
        }
      }
    }
    surplus.forEach(Network::close);
  }
}
