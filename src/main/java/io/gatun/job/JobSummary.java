package io.gatun.job;

import io.gatun.batch.BatchProgress;

/**
 * What a job did.
 *
 * @param progress how much, in this run
 * @param resumed how many records an earlier run had answered
 * @param bad how many records have no answer, those of earlier runs included
 */
public record JobSummary(BatchProgress progress, long resumed, long bad) {}
