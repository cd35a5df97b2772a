package io.gatun.jmh;

import io.gatun.batch.Translator;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.jmh.peer.Peer;
import io.gatun.kernel.Devices;
import io.gatun.kernel.Workers;
import io.gatun.sequence.GenerationOptions;
import io.gatun.sequence.Generator;
import io.gatun.sequence.Hypothesis;
import io.gatun.sequence.Sentence;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Twenty tokens for each sentence of a batch: greedy with one beam, else beam search. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class Generation {
  private static final int TOKENS = 20;
  private static final int SOURCE = 10;
  private static final int LETTERS = 26;
  private static final int FIRST_LETTER = 3;
  private static final long SEED = 42;

  /** Sentences at once. */
  @Param({"1", "64"})
  public int batch;

  /** Beams. */
  @Param({"1", "4"})
  public int beam;

  /** Tokens of the target's vocabulary. */
  @Param({"74", "8000"})
  public int vocabulary;

  /** Threads that compute. */
  @Param("1")
  public int threads;

  private final List<Sentence> sentences = new ArrayList<>();
  private SampleModel files;
  private Model model;
  private Translator translator;
  private Workers workers;
  private Generator generator;
  private GenerationOptions options;

  /** Opens the model. */
  @Setup(Level.Trial)
  public void open() throws IOException {
    files = new SampleModel(vocabulary);
    model = ModelFolder.open(files.folder());
    translator = Translator.of(model, Devices.open(Peer.PROCESSOR));
    workers = new Workers(threads);
    generator = translator.network().newGenerator(workers);
    options =
        GenerationOptions.builder().beamWidth(beam).minLength(TOKENS).maxLength(TOKENS).build();
    Random random = new Random(SEED);
    for (int i = 0; i < batch; i++) {
      int[] letters = random.ints(SOURCE, FIRST_LETTER, FIRST_LETTER + LETTERS).toArray();
      sentences.add(new Sentence(i, letters));
    }
  }

  /** Gives everything back. */
  @TearDown(Level.Trial)
  public void close() throws IOException {
    generator.close();
    workers.close();
    translator.close();
    model.close();
    files.close();
  }

  /** The whole batch. */
  @Benchmark
  public List<List<Hypothesis>> generate() {
    return generator.generate(sentences, options);
  }
}
