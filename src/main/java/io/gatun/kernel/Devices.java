package io.gatun.kernel;

import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceLoader;

/**
 * Finds the devices of this machine. The first use of {@link #best()} logs one line that says which
 * one computes, how wide it is, and why not a better one.
 */
public final class Devices {
  private static final System.Logger LOG = System.getLogger("io.gatun");

  private Devices() {}

  /**
   * What {@link #list()} says of one provider: {@code reason} is {@code null} if it is there;
   * {@code details} are more lines about what was found and where.
   */
  public record Entry(String name, String description, String reason, List<String> details) {

    /** Copies the details. */
    public Entry {
      details = List.copyOf(details);
    }

    /** Whether the device can be used. */
    public boolean available() {
      return reason == null;
    }
  }

  private static final class Best {
    static final Device DEVICE = choose();

    private static Device choose() {
      List<String> passedOver = new ArrayList<>();
      for (DeviceProvider provider : providers()) {
        String reason = provider.unavailable().orElse(null);
        if (reason == null) {
          try {
            Device device = provider.shared();
            LOG.log(
                passedOver.isEmpty() ? Level.INFO : Level.WARNING,
                "computing with {0}{1}",
                device.description(),
                passedOver.isEmpty() ? "" : " (" + String.join("; ", passedOver) + ")");
            return device;
          } catch (RuntimeException e) {
            // A device that is there and does not work is no reason to do nothing.
            reason = e.getMessage();
          }
        } else if (!provider.expected()) {
          continue;
        }
        passedOver.add("not " + provider.name() + ": " + reason);
      }
      throw new IllegalStateException("no device: " + String.join("; ", passedOver));
    }
  }

  /** The best device there is, opened once and shared; closing it does nothing. */
  public static Device best() {
    return Best.DEVICE;
  }

  /**
   * Opens the device of a name, or {@linkplain #best() the best} for {@code auto}.
   *
   * @throws IllegalArgumentException if nobody provides it, naming the devices there are
   * @throws IllegalStateException if it cannot be used here, with the reason
   */
  public static Device open(String name) {
    if (name.equals("auto")) {
      return best();
    }
    List<String> known = new ArrayList<>();
    for (DeviceProvider provider : providers()) {
      if (provider.provides(name)) {
        provider
            .unavailable()
            .ifPresent(
                reason -> {
                  throw new IllegalStateException("device " + name + ": " + reason);
                });
        return provider.open(name);
      }
      known.add(provider.name());
    }
    throw new IllegalArgumentException(
        "no device is called " + name + "; there are auto, " + String.join(", ", known));
  }

  /** Every provider, best first, with what it is or why it is not there. */
  public static List<Entry> list() {
    List<Entry> entries = new ArrayList<>();
    for (DeviceProvider provider : providers()) {
      String reason = provider.unavailable().orElse(null);
      String description = null;
      if (reason == null) {
        try (Device device = provider.open()) {
          description = device.description();
        } catch (RuntimeException e) {
          reason = e.getMessage();
        }
      }
      entries.add(new Entry(provider.name(), description, reason, provider.details()));
    }
    return entries;
  }

  private static List<DeviceProvider> providers() {
    List<DeviceProvider> providers = new ArrayList<>();
    // The library's own loader: a thread's context loader need not see the library.
    ServiceLoader.load(DeviceProvider.class, Devices.class.getClassLoader())
        .forEach(providers::add);
    providers.sort(Comparator.comparingInt(DeviceProvider::preference).reversed());
    return providers;
  }
}
