/**
 * Networks over the rows of Apache Spark's datasets, with the answers of a single machine.
 *
 * <p>{@link io.gatun.spark.GatunTransform} is a function over a dataset and a column expression,
 * {@link io.gatun.spark.SparkJob} the command for {@code spark-submit}. A network is loaded once in
 * each executor, by the first task that needs it, and shared by all.
 */
package io.gatun.spark;
