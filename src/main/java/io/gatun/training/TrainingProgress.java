package io.gatun.training;

import java.time.Duration;
import java.util.Map;

/**
 * Where a training stands.
 *
 * @param step the steps that are done
 * @param lastStep the last step there will be, unless it stops early
 * @param epoch the epoch, counted from 1
 * @param loss the mean loss since the last validation, for each term (token, class, number)
 * @param rate the learning rate
 * @param sequencesPerSecond sequences that were learnt from in a second, since the start or resume
 * @param remaining the time left, at this pace
 * @param metrics the figures of the last validation; empty before the first
 * @param best the best figure of the validation metric; NaN before the first
 * @param elapsed the time that the training has taken, before a resume too
 */
public record TrainingProgress(
    long step,
    long lastStep,
    int epoch,
    double loss,
    double rate,
    double sequencesPerSecond,
    Duration remaining,
    Map<String, Double> metrics,
    double best,
    Duration elapsed) {}
