/**
 * Offline inference over a lot of data: a reader, buckets of like lengths, workers, a writer that
 * keeps the order.
 *
 * <p>{@link io.gatun.batch.BatchRun} is the loop, {@link io.gatun.batch.BatchTask} what is done
 * with each record, {@link io.gatun.batch.RecordReader} and {@link io.gatun.batch.RecordWriter}
 * where records come from and where answers go. What comes out does not depend on the number of
 * workers, on the size of a batch or on how far is read ahead, as long as the task's answer to a
 * record does not depend on the records beside it.
 *
 * <pre>{@code
 * try (Model model = ModelFolder.open(folder, Optional.of(weights));
 *     Translator translator = Translator.of(model);
 *     InputStream in = Files.newInputStream(words);
 *     OutputStream out = Files.newOutputStream(answers)) {
 *   BatchProgress done =
 *       new BatchRun<>(
 *               new LineReader("words.txt", in),
 *               translator.translation(translator.options().build()),
 *               new LineWriter<>(out, (number, answer) -> answer == null ? "" : answer.text()),
 *               BatchOptions.builder().workers(4).build(),
 *               BatchListener.NONE)
 *           .run();
 * }
 * }</pre>
 */
package io.gatun.batch;
