/**
 * Offline inference over a lot of data: readers, bucketing by length, workers, writers, progress.
 * Lines come out in the order they went in, whatever the number of workers.
 */
package io.gatun.batch;
