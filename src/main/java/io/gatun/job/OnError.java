package io.gatun.job;

/** What a job does about a record that has no answer. */
public enum OnError {
  /** It ends there. What is done is kept, and the job can be resumed once the record is mended. */
  STOP,
  /** It reports the record; its place in the output is kept, without an answer. */
  SKIP,
  /** As {@link #SKIP}, and the record is named with the reason in a side file. */
  RECORD
}
