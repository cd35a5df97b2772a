package io.gatun.jmh;

import io.gatun.batch.Translator;
import io.gatun.format.Model;
import io.gatun.format.ModelFolder;
import io.gatun.jmh.peer.Peer;
import io.gatun.kernel.Devices;
import java.io.IOException;
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

/** Opening a model folder, and making what it says ready to run; the file is in the page cache. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class Loading {
  /** Tokens of the target's vocabulary. */
  @Param({"74", "8000"})
  public int vocabulary;

  private SampleModel files;

  /** Writes the model. */
  @Setup(Level.Trial)
  public void write() throws IOException {
    files = new SampleModel(vocabulary);
  }

  /** Removes it. */
  @TearDown(Level.Trial)
  public void remove() throws IOException {
    files.close();
  }

  /** Maps the weights, checks them, builds the graphs. */
  @Benchmark
  public String open() throws IOException {
    try (Model model = ModelFolder.open(files.folder())) {
      return model.name();
    }
  }

  /** The same, and packs the weights. */
  @Benchmark
  public int pack() throws IOException {
    try (Model model = ModelFolder.open(files.folder());
        Translator translator = Translator.of(model, Devices.open(Peer.PROCESSOR))) {
      return translator.network().vocabulary();
    }
  }
}
