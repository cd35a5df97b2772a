package io.gatun.cli;

import io.gatun.table.Column;
import io.gatun.table.ColumnType;
import io.gatun.table.ReadOptions;
import io.gatun.table.Row;
import io.gatun.table.Storage;
import io.gatun.table.TableFiles;
import io.gatun.table.TableFormat;
import io.gatun.table.TableFormats;
import io.gatun.table.TableSource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import picocli.CommandLine.Model.CommandSpec;

/** Which records a command reads: files, their format, the columns. */
final class TableOptions {
  /** What {@code --help} says of the files, which are parameters of the commands themselves. */
  static final String FILES =
      "The input, one record on each line or in each row; standard input by default, or '-'."
          + " Several files are one input; a folder is the files in it, 'part-*.csv' those that"
          + " fit.";

  private final Argument<List<Path>> inputs =
      Argument.options(Path.class, "-i,--input", "FILE", "The same as FILE.");

  private final Argument<String> format =
      Argument.option(
          String.class,
          "--input-format",
          "FORMAT",
          "text, csv, tsv, jsonl, npy, npz, wav, parquet or arrow; by default what the end of the"
              + " file's name says, else text. A name with .gz or .zst behind is decompressed.");

  private final Argument<String> column =
      Argument.option(
          String.class,
          "--column",
          "NAME",
          "The column that the network reads, where there is more than one.");

  private final Argument<List<String>> keep =
      Argument.options(
              String.class,
              "--keep",
              "NAME",
              "Columns that are carried through to the output, such as identifiers.")
          .split();

  private final Argument<Boolean> headless =
      Argument.flag(
          "--no-header",
          "The first record of a CSV or TSV file is data; the columns are column1, column2 …");

  private final Argument<String> shard =
      Argument.option(
          String.class,
          "--shard",
          "I/N",
          "Take the I-th of N parts of the input, of like size and in order: the outputs of parts 1"
              + " to N in a row are that of the whole.");

  /** Gives a command these arguments, after those that it has. */
  TableOptions(CommandSpec spec) {
    Argument.add(spec, inputs, format, column, keep, headless, shard);
  }

  /** An input that is open, and what of it is wanted. */
  record Table(
      String name, TableFiles rows, String column, List<Column> kept, int[] places, Range range)
      implements AutoCloseable {
    /** The values of the columns that are carried through. */
    Object[] keep(Row row) {
      Object[] values = new Object[places.length];
      for (int i = 0; i < places.length; i++) {
        values[i] = row.values()[places[i]];
      }
      return values;
    }

    @Override
    public void close() throws IOException {
      rows.close();
    }
  }

  /**
   * A part of the records.
   *
   * @param from how many come before it
   * @param to the number of its last one
   */
  record Range(long from, long to) {
    static final Range ALL = new Range(0, Long.MAX_VALUE);
  }

  /** Says what is wrong with the options, before anything is opened. */
  void check(List<Path> files) {
    if (!files.isEmpty() && !inputs.get().isEmpty()) {
      throw new IllegalArgumentException(
          "the input is given twice, as "
              + files.get(0)
              + " and as --input "
              + inputs.get().get(0));
    }
    if (format.get() != null) {
      TableFormats.named(format.get());
    }
    if (shard.get() != null && parts().isEmpty()) {
      throw new IllegalArgumentException(
          "--shard is '" + shard.get() + "', expected I/N with I from 1 to N, such as 3/8");
    }
  }

  /**
   * The only file, for what reads no table.
   *
   * @param files what the command line names, perhaps nothing
   * @return null for standard input
   * @throws IllegalArgumentException if there are several
   */
  Path only(List<Path> files) {
    List<Path> names = files.isEmpty() ? inputs.get() : files;
    if (names.size() > 1) {
      throw new IllegalArgumentException(
          "the inputs are " + names.get(0) + " and " + names.get(1) + ", expected one");
    }
    return names.isEmpty() ? null : names.get(0);
  }

  /**
   * Opens the input; the caller closes it.
   *
   * @param files what the command line names, perhaps nothing
   */
  Table open(List<Path> files, Streams streams) throws IOException {
    List<Path> names = files.isEmpty() ? inputs.get() : files;
    boolean standard = names.isEmpty() || names.size() == 1 && RunOptions.isStandard(names.get(0));
    List<Path> expanded = standard ? List.of() : TableFiles.expand(names);
    TableFormat read = format(expanded);
    Range range = shard.get() == null ? Range.ALL : range(expanded, read);
    TableFiles rows =
        standard
            ? new TableFiles(
                List.of(TableSource.of("standard input", streams.in(), null)), read, options())
            : files(expanded, read);
    try {
      String name =
          standard
              ? "standard input"
              : expanded.size() == 1 ? expanded.get(0).toString() : expanded.size() + " files";
      return table(name, rows, range);
    } catch (RuntimeException e) {
      rows.close();
      throw e;
    }
  }

  private ReadOptions options() {
    return new ReadOptions(!headless.get(), ReadOptions.USUAL.maxRecordBytes());
  }

  private TableFormat format(List<Path> expanded) {
    if (format.get() != null) {
      return TableFormats.named(format.get());
    }
    Set<TableFormat> found = new LinkedHashSet<>();
    for (Path file : expanded) {
      found.add(TableFormats.of(file).orElse(TableFormats.TEXT));
    }
    if (found.size() > 1) {
      throw new CommandException(
          "the input is of different formats: "
              + String.join(", ", found.stream().map(TableFormat::name).toList())
              + "; --input-format says which one it is");
    }
    return found.isEmpty() ? TableFormats.TEXT : found.iterator().next();
  }

  private TableFiles files(List<Path> expanded, TableFormat read) throws IOException {
    List<TableSource> sources = new ArrayList<>();
    for (Path file : expanded) {
      sources.add(TableSource.of(file, Storage.system(), TableFormats.compressionOf(file)));
    }
    return new TableFiles(sources, read, options());
  }

  private Table table(String name, TableFiles rows, Range range) {
    List<Column> columns = rows.schema().columns();
    List<Column> kept = new ArrayList<>();
    int[] places = new int[keep.get().size()];
    String chosen = column.get();
    if (!columns.isEmpty()) { // an empty file has none, and no rows
      for (int i = 0; i < places.length; i++) {
        places[i] = rows.schema().indexOf(keep.get().get(i));
        kept.add(columns.get(places[i]));
      }
      chosen = chosen == null ? onlyColumn(name, columns) : chosen;
      rows.schema().indexOf(chosen);
      Set<String> wanted = new LinkedHashSet<>(keep.get());
      wanted.add(chosen);
      rows.select(wanted);
    } else {
      keep.get().forEach(each -> kept.add(new Column(each, ColumnType.TEXT)));
    }
    return new Table(name, rows, chosen, kept, places, range);
  }

  /** Signals have a column each for what they are called and how they were sampled. */
  private String onlyColumn(String name, List<Column> columns) {
    List<String> names = columns.stream().map(Column::name).toList();
    if (names.size() == 1) {
      return names.get(0);
    }
    if (names.contains("samples")) {
      return "samples";
    }
    throw new CommandException(
        name
            + " has the columns "
            + String.join(", ", names)
            + ": --column says which one the network reads");
  }

  private Range range(List<Path> expanded, TableFormat read) throws IOException {
    if (expanded.isEmpty()) {
      throw new CommandException("--shard needs a file: standard input cannot be counted first");
    }
    long count = 0;
    try (TableFiles rows = files(expanded, read)) {
      rows.select(List.of());
      while (rows.next(() -> {}) != null) {
        count++;
      }
    }
    long part = parts().orElseThrow()[0];
    long all = parts().orElseThrow()[1];
    return new Range(count * (part - 1) / all, count * part / all);
  }

  private Optional<long[]> parts() {
    String[] words = shard.get().split("/", -1);
    try {
      long part = Long.parseLong(words[0]);
      long all = Long.parseLong(words[words.length - 1]);
      boolean right = words.length == 2 && part >= 1 && part <= all && all <= 1_000_000;
      return right ? Optional.of(new long[] {part, all}) : Optional.empty();
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
  }
}
