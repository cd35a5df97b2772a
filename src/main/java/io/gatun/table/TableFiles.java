package io.gatun.table;

import io.gatun.batch.InputRecord;
import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Several tables of the same columns as one, in the order of the files. A file is opened when the
 * one before it has ended.
 */
public final class TableFiles implements TableReader {
  private static final Pattern GLOB = Pattern.compile("[*?\\[{]");

  private final List<TableSource> sources;
  private final TableFormat format;
  private final ReadOptions options;
  private final OptionalLong size;
  private final Schema schema;
  private Collection<String> wanted;
  private TableReader current;
  private int opened;
  private volatile String unit = "";

  // Where each file begins, for places: asked by the thread that writes while this one reads.
  private final List<Begin> begins = new ArrayList<>();
  private long records;
  private long bytesBefore;
  private long offset;

  private record Begin(long recordsBefore, String name) {}

  /**
   * Opens the first of several tables.
   *
   * @param sources at least one
   * @param format what they are
   * @param options how to read them
   * @throws IOException if the first one cannot be read
   */
  public TableFiles(List<TableSource> sources, TableFormat format, ReadOptions options)
      throws IOException {
    this.sources = List.copyOf(sources);
    this.format = Objects.requireNonNull(format, "format");
    this.options = Objects.requireNonNull(options, "options");
    if (!format.reads()) {
      throw new IllegalArgumentException(format.name() + " is written only");
    }
    long sum = 0;
    boolean known = true;
    for (TableSource source : sources) {
      OptionalLong each = source.size();
      known &= each.isPresent();
      sum += each.orElse(0);
    }
    size = known ? OptionalLong.of(sum) : OptionalLong.empty();
    current = open();
    schema = current.schema();
  }

  /**
   * Returns the files that are meant: of a folder all in it, by name, but those that begin with a
   * dot or an underscore; of a pattern such as {@code data/part-*.csv} those it fits, by name.
   *
   * @param names files, folders and patterns
   * @return files, in the order of the names
   * @throws IOException if there is nothing for one of the names
   */
  public static List<Path> expand(List<Path> names) throws IOException {
    List<Path> files = new ArrayList<>();
    for (Path name : names) {
      List<Path> found;
      if (Files.isDirectory(name)) {
        found = list(name, file -> !file.getFileName().toString().matches("[._].*"));
        if (found.isEmpty()) {
          throw new IOException("the folder " + name + " has no files to read");
        }
      } else if (Files.exists(name) || !GLOB.matcher(name.toString()).find()) {
        if (!Files.exists(name)) {
          throw new NoSuchFileException(name.toString());
        }
        found = List.of(name);
      } else {
        Path folder = name.getParent() == null ? Path.of("") : name.getParent();
        if (GLOB.matcher(folder.toString()).find()) {
          throw new IOException(name + ": * and its like stand in the last part of a name only");
        }
        PathMatcher matcher = FileSystems.getDefault().getPathMatcher("glob:" + name.getFileName());
        found = list(folder, file -> matcher.matches(file.getFileName()));
        if (found.isEmpty()) {
          throw new NoSuchFileException(name.toString());
        }
      }
      files.addAll(found);
    }
    return files;
  }

  private interface Choice {
    boolean takes(Path file);
  }

  private static List<Path> list(Path folder, Choice choice) throws IOException {
    if (!Files.isDirectory(folder.toString().isEmpty() ? Path.of(".") : folder)) {
      throw new NoSuchFileException(folder.toString());
    }
    try (Stream<Path> files = Files.list(folder.toString().isEmpty() ? Path.of(".") : folder)) {
      return files
          .map(file -> folder.resolve(file.getFileName()))
          .filter(file -> Files.isRegularFile(file) && choice.takes(file))
          .sorted()
          .toList();
    }
  }

  private TableReader open() throws IOException {
    TableSource source = sources.get(opened);
    TableReader reader;
    try {
      reader = format.reader(source, options);
    } catch (IOException e) {
      throw named(source, e);
    }
    opened++;
    unit = reader.unit();
    synchronized (begins) {
      begins.add(new Begin(records, source.name()));
    }
    return reader;
  }

  private static IOException named(TableSource source, IOException e) {
    String message = String.valueOf(e.getMessage());
    return message.contains(source.name()) && !message.equals(source.name())
        ? e
        : new IOException("cannot read " + source.name() + ": " + message, e);
  }

  @Override
  public Schema schema() {
    return schema;
  }

  @Override
  public void select(Collection<String> names) {
    wanted = List.copyOf(names);
    current.select(wanted);
  }

  @Override
  public String unit() {
    return unit;
  }

  @Override
  public OptionalLong size() {
    return size;
  }

  @Override
  public String place(long number) {
    synchronized (begins) {
      int i = begins.size() - 1;
      while (i > 0 && begins.get(i).recordsBefore() >= number) {
        i--;
      }
      Begin begin = begins.get(i);
      return unit.isEmpty()
          ? begin.name()
          : begin.name() + ": " + unit + " " + (number - begin.recordsBefore());
    }
  }

  @Override
  public InputRecord<Row> next(Runnable waiting) throws IOException {
    while (true) {
      InputRecord<Row> record;
      try {
        record = current.next(waiting);
      } catch (IOException e) {
        throw named(sources.get(opened - 1), e);
      }
      if (record != null) {
        records++;
        offset = bytesBefore + record.endOffset();
        return record.problem() == null
            ? InputRecord.of(records, record.value(), offset)
            : InputRecord.bad(records, record.problem(), offset);
      }
      if (opened == sources.size()) {
        return null;
      }
      current.close();
      bytesBefore = Math.max(offset, bytesBefore + sources.get(opened - 1).size().orElse(0));
      current = open();
      checkSchema();
      if (wanted != null) {
        current.select(wanted);
      }
    }
  }

  private void checkSchema() throws IOException {
    if (current.schema().columns().isEmpty()) {
      return; // an empty file
    }
    if (!current.schema().equals(schema)) {
      throw new IOException(
          sources.get(opened - 1).name()
              + " has the columns "
              + described(current.schema())
              + ", but "
              + sources.get(0).name()
              + " "
              + described(schema));
    }
  }

  private static String described(Schema schema) {
    return schema.columns().stream()
        .map(column -> column.name() + " (" + column.type() + ")")
        .collect(Collectors.joining(", "));
  }

  @Override
  public void close() throws IOException {
    current.close();
  }
}
