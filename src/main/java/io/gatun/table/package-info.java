/**
 * Files of records: what columns they have, how they are read and written, and which formats there
 * are. Lines of text, CSV, TSV, JSON Lines, NumPy's npy and npz and recordings in WAVE are here;
 * others are found as services of {@link io.gatun.table.TableFormat}.
 *
 * <p>A {@link io.gatun.table.TableReader} gives rows, a {@link io.gatun.table.TableWriter} takes
 * them. {@link io.gatun.table.Storage} is all that is asked of a file system.
 *
 * <pre>{@code
 * TableSource source = TableSource.of(file, Storage.system(), null);
 * try (TableReader words = TableFormats.named("csv").reader(source, ReadOptions.USUAL)) {
 *   int column = words.schema().indexOf("word");
 *   InputRecord<Row> record;
 *   while ((record = words.next(() -> {})) != null) {
 *     if (record.problem() == null) {
 *       Object word = record.value().values()[column];
 *     }
 *   }
 * }
 * }</pre>
 */
package io.gatun.table;
