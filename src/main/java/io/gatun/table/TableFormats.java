package io.gatun.table;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/**
 * The formats and compressions that there are: those of the library and those found as services.
 */
public final class TableFormats {
  /** Lines of text. */
  public static final TableFormat TEXT = new TextFormat();

  private static final List<TableFormat> FORMATS = new ArrayList<>();
  private static final List<Compression> COMPRESSIONS = new ArrayList<>();

  static {
    FORMATS.add(TEXT);
    FORMATS.add(SeparatedFormat.CSV);
    FORMATS.add(SeparatedFormat.TSV);
    FORMATS.add(new JsonLinesFormat());
    FORMATS.add(NpyFormat.NPY);
    FORMATS.add(NpyFormat.NPZ);
    FORMATS.add(new WavFormat());
    COMPRESSIONS.add(new Gzip());
    ServiceLoader.load(TableFormat.class, TableFormats.class.getClassLoader())
        .forEach(FORMATS::add);
    ServiceLoader.load(Compression.class, TableFormats.class.getClassLoader())
        .forEach(COMPRESSIONS::add);
  }

  private TableFormats() {}

  /** Returns all formats. */
  public static List<TableFormat> all() {
    return List.copyOf(FORMATS);
  }

  /**
   * Returns the format of that name.
   *
   * @throws IllegalArgumentException if there is none; the message lists those there are
   */
  public static TableFormat named(String name) {
    for (TableFormat format : FORMATS) {
      if (format.name().equals(name)) {
        return format;
      }
    }
    String known = FORMATS.stream().map(TableFormat::name).collect(Collectors.joining(", "));
    throw new IllegalArgumentException(
        "'" + name + "' is no format, expected one of " + known + missing(name));
  }

  private static String missing(String name) {
    return name.equals("parquet") || name.equals("arrow")
        ? "; " + name + " is in the module gatun-columnar, which is not on the class path"
        : "";
  }

  /** Returns how a file is compressed, by the end of its name; null if it is not. */
  public static Compression compressionOf(Path file) {
    String name = name(file);
    for (Compression compression : COMPRESSIONS) {
      if (name.endsWith(compression.suffix())) {
        return compression;
      }
    }
    if (name.endsWith(".zst")) {
      throw new IllegalArgumentException(
          file + ": zstd is in the module gatun-columnar, which is not on the class path");
    }
    return null;
  }

  /** Returns the format that the end of a file's name tells, what compresses it set aside. */
  public static Optional<TableFormat> of(Path file) {
    String name = name(file);
    Compression compression = compressionOf(file);
    if (compression != null) {
      name = name.substring(0, name.length() - compression.suffix().length());
    }
    for (TableFormat format : FORMATS) {
      for (String suffix : format.suffixes()) {
        if (name.endsWith(suffix)) {
          return Optional.of(format);
        }
      }
    }
    if (name.endsWith(".parquet") || name.endsWith(".arrow")) {
      String format = name.substring(name.lastIndexOf('.') + 1);
      throw new IllegalArgumentException(file + ": no format for it" + missing(format));
    }
    return Optional.empty();
  }

  private static String name(Path file) {
    Path last = file.getFileName();
    return last == null ? "" : last.toString().toLowerCase(Locale.ROOT);
  }
}
