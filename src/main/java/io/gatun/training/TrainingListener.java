package io.gatun.training;

/** Hears how a training goes; called by the thread that trains. */
public interface TrainingListener {
  /** One that hears nothing. */
  TrainingListener NONE = new TrainingListener() {};

  /** After each step. */
  default void step(TrainingProgress progress) {}

  /** After each validation. */
  default void validated(TrainingProgress progress) {}
}
