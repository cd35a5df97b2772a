package io.gatun.cli;

import java.text.MessageFormat;
import java.util.ResourceBundle;

/**
 * The library's log on standard error: warnings always, the rest with {@code --verbose}. Found by
 * the JVM as a service; it also spares the start of the command a logging framework.
 */
public final class ConsoleLogger extends System.LoggerFinder {
  private static volatile System.Logger.Level threshold = System.Logger.Level.WARNING;

  /** For {@link java.util.ServiceLoader}. */
  public ConsoleLogger() {}

  /** Shows everything from a level on. */
  static void show(System.Logger.Level least) {
    threshold = least;
  }

  @Override
  public System.Logger getLogger(String name, Module module) {
    return new Lines(name);
  }

  private record Lines(String name) implements System.Logger {
    @Override
    public String getName() {
      return name;
    }

    @Override
    public boolean isLoggable(Level level) {
      // What is not ours (the JDK's own loggers) only when it warns.
      Level least = name.startsWith("io.gatun") ? threshold : Level.WARNING;
      return level != Level.OFF && level.getSeverity() >= least.getSeverity();
    }

    @Override
    public void log(Level level, ResourceBundle bundle, String message, Throwable thrown) {
      if (isLoggable(level)) {
        print(level, message);
        if (thrown != null) {
          System.err.println("gatun: " + thrown);
        }
      }
    }

    @Override
    public void log(Level level, ResourceBundle bundle, String format, Object... parameters) {
      if (isLoggable(level)) {
        boolean plain = parameters == null || parameters.length == 0;
        print(level, plain ? format : MessageFormat.format(format, parameters));
      }
    }

    private static void print(Level level, String message) {
      boolean warns = level.getSeverity() >= Level.WARNING.getSeverity();
      System.err.println("gatun: " + (warns ? "warning: " : "") + message);
    }
  }
}
