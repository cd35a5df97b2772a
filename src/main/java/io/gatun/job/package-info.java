/**
 * Jobs over files of records that can be killed and resumed: the output appears when it is whole,
 * and its bytes do not tell how often the job was interrupted.
 *
 * <p>{@link io.gatun.job.BatchJob} is such a job around a {@link io.gatun.batch.BatchRun}, {@link
 * io.gatun.job.Answers} how answers become columns, {@link io.gatun.job.RowTask} a task for a
 * column of a table.
 *
 * <pre>{@code
 * TableFormat csv = TableFormats.named("csv");
 * TableSource source = TableSource.of(names, Storage.system(), null);
 * try (Model model = ModelFolder.open(folder);
 *     Classifier classifier = Classifier.of(model);
 *     TableFiles rows = new TableFiles(List.of(source), csv, ReadOptions.USUAL)) {
 *   JobSummary done =
 *       BatchJob.builder()
 *           .output(labels)
 *           .format(TableFormats.named("jsonl"), null)
 *           .resume(true)
 *           .build()
 *           .run(
 *               rows,
 *               new RowTask<>(classifier.task(), RowTask.text(rows.schema(), "name")),
 *               new ClassificationAnswers(true, 1, (number, answer) -> ""),
 *               List.of(new Column("id", ColumnType.TEXT)),
 *               row -> new Object[] {row.values()[0]},
 *               BatchListener.NONE);
 * }
 * }</pre>
 */
package io.gatun.job;
