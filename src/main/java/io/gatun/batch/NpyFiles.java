package io.gatun.batch;

import io.gatun.format.NpyRows;
import io.gatun.representation.Example;
import io.gatun.representation.RepresentationWriter;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Writes representations as arrays, a file {@code NAME.npy} for each value in a folder, straight
 * into their mapped memory. The first axis is that of the examples. Where each example has its own
 * number of steps the file has all steps one behind the other, and {@code NAME.offsets.npy}, int64,
 * one longer than there are examples, says where each begins and the last ends. {@code ids.txt} has
 * the identifier of each example.
 *
 * <p>A character that does not belong into a file's name becomes {@code _}. The files take their
 * places at {@link #commit()}; without it nothing is left behind, and what was there stays.
 */
public final class NpyFiles implements RepresentationWriter {
  private final Path folder;
  private List<Column> columns = List.of();
  private final List<NpyRows> rows = new ArrayList<>();
  private final List<NpyRows> offsets = new ArrayList<>();
  private final List<long[]> sizes = new ArrayList<>();
  private Path idsTemporary;
  private BufferedWriter ids;
  private boolean begun;

  /**
   * Makes a writer into a folder, which is made if it is not there.
   *
   * @throws IOException if it cannot be made
   */
  public NpyFiles(Path folder) throws IOException {
    this.folder = Files.createDirectories(folder);
  }

  /** The file of a value. */
  public static Path file(Path folder, String value) {
    return folder.resolve(value.replaceAll("[^\\p{L}\\p{N}._-]", "_") + ".npy");
  }

  @Override
  public void begin(List<Column> comingColumns) throws IOException {
    if (begun) {
      throw new IllegalStateException(folder + " is written already");
    }
    begun = true;
    columns = List.copyOf(comingColumns);
    List<Path> files = columns.stream().map(each -> file(folder, each.name())).toList();
    for (int i = 0; i < files.size(); i++) {
      if (files.indexOf(files.get(i)) != i) {
        throw new IllegalArgumentException(
            columns.get(files.indexOf(files.get(i))).name()
                + " and "
                + columns.get(i).name()
                + " would both be written to "
                + files.get(i));
      }
    }
    idsTemporary = Files.createTempFile(folder, ".ids", ".tmp");
    ids = Files.newBufferedWriter(idsTemporary);
  }

  @Override
  public void write(Example example, List<Tensor> values) throws IOException {
    ids.write(example.id().replaceAll("\\R", " "));
    ids.write('\n');
    boolean first = rows.isEmpty();
    for (int i = 0; i < columns.size(); i++) {
      Column column = columns.get(i);
      Tensor value = values.get(i);
      long[] dims = value.shape().dims();
      long[] row = column.ragged() ? Arrays.copyOfRange(dims, 1, dims.length) : dims;
      if (first) {
        open(column, row);
      }
      if (!Arrays.equals(row, sizes.get(i))) {
        throw new IllegalArgumentException(
            "example "
                + example.id()
                + ": "
                + column.name()
                + " is "
                + Arrays.toString(row)
                + ", but of those before "
                + Arrays.toString(sizes.get(i))
                + "; an array needs one size, which pooling gives");
      }
      NpyRows file = rows.get(i);
      if (!column.ragged()) {
        file.next(1).select(0, 0).copyFrom(value);
      } else {
        if (dims[0] > 0) {
          file.next(dims[0]).copyFrom(value);
        }
        offsets.get(i).next(1).setLong(file.rows(), 0);
      }
    }
  }

  private void open(Column column, long[] row) throws IOException {
    Path file = file(folder, column.name());
    rows.add(NpyRows.open(file, column.type(), row));
    sizes.add(row);
    String plain = file.getFileName().toString().replaceFirst("\\.npy$", "");
    NpyRows starts =
        column.ragged() ? NpyRows.open(folder.resolve(plain + ".offsets.npy"), DType.INT64) : null;
    offsets.add(starts);
    if (starts != null) {
      starts.next(1);
    }
  }

  /**
   * Puts the files in their places.
   *
   * @throws IOException if that fails
   * @throws IllegalArgumentException if there was no example, so that nobody knows the sizes
   */
  @Override
  public void commit() throws IOException {
    if (rows.isEmpty()) {
      throw new IllegalArgumentException("there is no example, and so nothing to write");
    }
    for (int i = 0; i < rows.size(); i++) {
      rows.get(i).commit();
      if (offsets.get(i) != null) {
        offsets.get(i).commit();
      }
    }
    ids.close();
    Files.move(idsTemporary, folder.resolve("ids.txt"), StandardCopyOption.REPLACE_EXISTING);
  }

  @Override
  public void close() throws IOException {
    for (NpyRows each : rows) {
      each.close();
    }
    for (NpyRows each : offsets) {
      if (each != null) {
        each.close();
      }
    }
    if (ids != null) {
      ids.close();
      Files.deleteIfExists(idsTemporary);
    }
  }
}
