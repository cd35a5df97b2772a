/**
 * Parquet, Arrow IPC and zstd, found as services of {@link io.gatun.table.TableFormat} and {@link
 * io.gatun.table.Compression} where this is on the class path.
 */
package io.gatun.columnar;
