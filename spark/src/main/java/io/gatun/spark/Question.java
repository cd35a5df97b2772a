package io.gatun.spark;

import org.apache.spark.sql.Row;

/**
 * What is asked for one row.
 *
 * @param number the record's number, which decides what is drawn where answers are drawn at random
 * @param row the row, or null
 * @param text what the network reads; null where there is a problem
 * @param problem why there is no text
 * @param bytes about how much memory the row takes
 */
record Question(long number, Row row, String text, String problem, long bytes) {}
