package io.gatun.training;

import io.gatun.format.Model;
import io.gatun.format.ModelDraft;
import io.gatun.format.ModelFolder;
import io.gatun.format.TextCodec;
import io.gatun.graph.Gradients;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Trains a network as a configuration says, and writes what comes out as a model folder.
 *
 * <p>A step: a batch is split into shards, each computed by one thread; their gradients are added
 * in order, divided by the number of terms of the loss, clipped by their global norm, and the
 * optimiser changes the parameters where they lie. After each validation the state is written as a
 * checkpoint, whole or not at all; {@linkplain #train resumed} a training goes on from there, and
 * what comes out has the same bits as if it had not been interrupted.
 *
 * <p><b>The same result.</b> The result depends on the configuration (its seed and number of shards
 * among it), the data, and the device's arithmetic; not on the number of threads, which only say
 * how many shards are computed at a time.
 *
 * <p>For one thread; whoever makes it closes it.
 */
public final class Trainer implements AutoCloseable {
  /** The file beside the model in which an unfinished training keeps its state. */
  public static final String CHECKPOINT = "checkpoint.safetensors";

  /** The file beside the model with the curves. */
  public static final String CURVES = "training.html";

  /** A loss for each term that no network that learns has. */
  private static final double EXPLODED = 1e6;

  private final TrainingConfig config;
  private final Device device;
  private final Workers workers;
  private final SharedArena arena;
  private final ModelDraft draft;
  private final Parameters parameters;
  private final List<Item> items;
  private final Plan plan;
  private final Plan scoring;
  private final Kernels kernels;
  private final List<Shard> shards = new ArrayList<>();
  private final Map<String, Tensor> best = new LinkedHashMap<>();

  /** Batches of the first epoch. Where tokens fill a batch, another epoch may have a few more. */
  private final int epochSteps;

  private TrainingState state = new TrainingState();
  private boolean closed;

  /**
   * Prepares a training on the {@linkplain Devices#best() best device}.
   *
   * @see #Trainer(TrainingConfig, Device)
   */
  public Trainer(TrainingConfig config) throws IOException {
    this(config, Devices.best());
  }

  /**
   * Prepares a training: makes the network and its gradients, so that what does not fit is found
   * before any time is spent.
   *
   * @param config what to train on what
   * @param device what computes; it stays the caller's
   * @throws IOException if a model to begin with cannot be read
   * @throws io.gatun.format.ModelFormatException if the network is not possible, with file and line
   * @throws IllegalArgumentException if the device does not compute in float32, as parameters are
   */
  public Trainer(TrainingConfig config, Device device) throws IOException {
    if (device.real() != DType.FLOAT32) {
      throw new IllegalArgumentException(
          "device "
              + device.name()
              + " computes in "
              + device.real().label()
              + "; training is in float32");
    }
    this.config = config;
    this.device = device;
    arena = SharedArena.open("training");
    workers = new Workers(config.threads());
    boolean ready = false;
    List<AutoCloseable> opened = new ArrayList<>(List.of(arena, workers));
    try {
      String[] logits = new String[1];
      draft =
          ModelDraft.of(
              config.json(),
              config.source(),
              config.target(),
              config.labels(),
              arena,
              config.seed(),
              config.truncate() > 0,
              (graph, scores) -> logits[0] = Losses.add(graph, scores, config.loss()).name());
      if (config.initial().isPresent()) {
        begin(config.initial().get());
      }
      kernels = device.open(workers);
      opened.add(kernels);
      parameters = new Parameters(draft, config.frozen(), kernels);
      opened.add(parameters);
      if (config.averageFrom() > 0) {
        parameters.beginMean();
      }
      Encoding encoding = new Encoding(config.source(), config.target(), config.labels());
      items = encoding.items(config.split().train(), config.batch().longest());
      checkVocabulary();
      epochSteps = Batches.of(items, config.batch(), config.seed(), 0).size();
      if (epochSteps == 0) {
        throw new IllegalArgumentException(
            config.file() + ": no sample is short enough for \"longest\" of \"batch\"");
      }
      Gradients gradients = Gradients.of(draft.training(), Losses.LOSS, parameters.constants());
      List<String> wanted = new ArrayList<>();
      gradients.graph().outputs().forEach(value -> wanted.add(value.name()));
      draft.carried().forEach(state -> wanted.add(state.output()));
      plan = Plan.on(device, gradients.graph(), wanted.toArray(new String[0]));
      opened.add(plan);
      boolean guesses = config.forcing().start() < 1 || config.forcing().end() < 1;
      scoring = guesses ? Plan.on(device, gradients.graph(), logits[0]) : null;
      if (scoring != null) {
        opened.add(scoring);
      }
      for (int i = 0; i < config.shards(); i++) {
        Shard.Stretches stretches = new Shard.Stretches(config.truncate(), draft.carried());
        shards.add(new Shard(plan, scoring, logits[0], gradients, parameters, stretches, arena));
        opened.add(shards.get(i));
      }
      draft.parameters().forEach((name, tensor) -> best.put(name, tensor.copy(arena)));
      ready = true;
    } finally {
      if (!ready) {
        close(opened);
      }
    }
  }

  private static void close(List<AutoCloseable> opened) {
    for (int i = opened.size() - 1; i >= 0; i--) {
      try {
        opened.get(i).close();
      } catch (RuntimeException e) {
        throw e;
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
  }

  /** Begins with the weights of another model, where constants have the same name and shape. */
  private void begin(Path folder) throws IOException {
    int taken = 0;
    try (Model model = ModelFolder.open(folder);
        Arena aside = Arena.ofConfined()) {
      checkSymbols("source", config.source(), model.source().orElse(null));
      checkSymbols("target", config.target(), model.target().orElse(null));
      Map<String, Value> known = new LinkedHashMap<>();
      for (Graph graph : model.graphs()) {
        known.putAll(graph.values());
      }
      for (Value value : draft.training().values().values()) {
        Value other = known.get(value.name());
        boolean same =
            value.constant() != null
                && value.type().isFloat()
                && other != null
                && other.constant() != null
                && other.constant().shape().equals(value.constant().shape());
        if (same && value.constant().view().isPresent()) {
          value.constant().view().get().copyFrom(other.constant().tensor(aside));
          taken++;
        }
      }
    }
    if (taken == 0) {
      throw new IllegalArgumentException(
          config.file() + ": no layer has the name and the shape of one of " + folder);
    }
  }

  /** Rows of an embedding that are other symbols' would be taken over for these. */
  private void checkSymbols(String side, TextCodec here, TextCodec there) {
    if (here == null || there == null || here.vocabulary().size() != there.vocabulary().size()) {
      return;
    }
    if (!here.vocabulary().equals(there.vocabulary())) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%s: the %s's vocabulary has as many symbols as that of %s, but others; copy its"
                  + " \"vocabulary\" from there",
              config.file(),
              side,
              config.initial().orElseThrow()));
    }
  }

  /** A vocabulary that knows little of the data teaches little. */
  private void checkVocabulary() {
    checkVocabulary("source", config.source(), items.stream().map(Item::source).toList());
    checkVocabulary("target", config.target(), items.stream().map(Item::target).toList());
  }

  private void checkVocabulary(String side, TextCodec codec, List<int[]> texts) {
    if (codec == null || codec.unknown().isEmpty()) {
      return;
    }
    int unknown = codec.unknown().getAsInt();
    long tokens = 0;
    long strange = 0;
    for (int[] text : texts) {
      for (int id : text) {
        boolean own = codec.start().orElse(-1) == id || codec.end().orElse(-1) == id;
        tokens += own ? 0 : 1;
        strange += id == unknown ? 1 : 0;
      }
    }
    if (2 * strange > tokens) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "%s: the %s's vocabulary does not fit the data: %.0f %% of the tokens are not in it",
              config.file(),
              side,
              100.0 * strange / tokens));
    }
  }

  /** How many single numbers are trained. */
  public long parameterCount() {
    return parameters.count();
  }

  /** How many items there are to learn from. */
  public int itemCount() {
    return items.size();
  }

  private Path checkpoint() {
    return config.output().resolve(CHECKPOINT);
  }

  /** The last step, which schedules and the time left are computed from. */
  private long lastStep() {
    long last = (long) config.epochs() * epochSteps;
    return config.steps() > 0 ? Math.min(last, config.steps()) : last;
  }

  // ------------------------------------------------------------------------------- the loop

  /**
   * Trains.
   *
   * @param resume whether to go on from the checkpoint beside the model; if there is none, the
   *     training begins
   * @param listener hears how it goes
   * @return the figures of the best state on the test samples, or where there are none on those for
   *     validation
   * @throws IOException if a checkpoint or the model cannot be written
   * @throws TrainingException if numbers are no numbers any more (the message has the step, the
   *     batch and the value where it began), or the checkpoint is another training's
   */
  public Map<String, Double> train(boolean resume, TrainingListener listener) throws IOException {
    if (resume && Files.exists(checkpoint())) {
      state = TrainingState.read(checkpoint(), config, draft.parameters(), best, parameters);
    }
    Files.createDirectories(config.output());
    long started = System.nanoTime();
    double before = state.seconds;
    long sequences = 0;
    long last = lastStep();
    boolean done = state.stopped || state.epoch >= config.epochs() || reached(config.steps());
    while (!done) {
      int epoch = state.epoch;
      List<List<Item>> batches = Batches.of(items, config.batch(), config.seed(), epoch);
      while (state.epoch == epoch && !done) {
        int number = state.batch;
        step(batches.get(number), epoch, number);
        boolean whole = number + 1 == batches.size();
        state.epoch = whole ? epoch + 1 : epoch;
        state.batch = whole ? 0 : number + 1;
        sequences += batches.get(number).size();
        double spent = (System.nanoTime() - started) / 1e9;
        state.seconds = before + spent;
        boolean end =
            state.epoch == config.epochs()
                || reached(config.steps())
                || config.minutes() > 0 && state.seconds > 60 * config.minutes();
        int every = config.validation().every();
        boolean validate = end || (every > 0 ? state.step % every == 0 : whole);
        TrainingProgress progress = progress(epoch, sequences / spent, last, spent);
        listener.step(progress);
        if (validate) {
          validate(epoch);
          state.seconds = before + (System.nanoTime() - started) / 1e9;
          listener.validated(progress(epoch, sequences / spent, last, spent));
        }
        done = end || state.stopped;
        int apart = config.checkpointSteps();
        if (!done && (validate || apart > 0 && state.step % apart == 0)) {
          parameters.toHost();
          state.write(checkpoint(), config, draft.parameters(), best, parameters);
        }
      }
    }
    return finish();
  }

  /** Whether a number of steps is done; 0 is never. */
  private boolean reached(int steps) {
    return steps > 0 && state.step >= steps;
  }

  private TrainingProgress progress(int epoch, double pace, long last, double spent) {
    long here = Math.max(1, state.step - state.firstStep);
    return new TrainingProgress(
        state.step,
        last,
        epoch + 1,
        state.meanLoss(),
        state.rate,
        pace,
        Duration.ofMillis((long) (1000 * spent / here * Math.max(0, last - state.step))),
        state.metrics,
        state.best,
        Duration.ofMillis((long) (1000 * state.seconds)));
  }

  private void step(List<Item> batch, int epoch, int number) {
    long step = state.step + 1;
    List<List<Item>> parts = Batches.shards(batch, shards.size());
    double forced = config.forcing().at(epoch);
    long seed = (config.seed() * 1_000_003L + step) * 1_000_003L;
    workers.run(
        parts.size(), (part, worker) -> shards.get(part).run(parts.get(part), seed + part, forced));
    double loss = 0;
    long terms = 0;
    for (int i = 0; i < parts.size(); i++) {
      Shard shard = shards.get(i);
      loss += shard.loss();
      terms += shard.terms();
      parameters.join(shard.memory());
      if (i > 0) {
        parameters.add(shards.get(0).memory(), shard.memory());
      }
    }
    double squares = parameters.sumOfSquares(shards.get(0).memory());
    double norm = Math.sqrt(squares) / terms;
    if (!Double.isFinite(norm) || !(Math.abs(loss / terms) < EXPLODED)) {
      throw broken(step, epoch, number, loss / terms, parts.size());
    }
    double scale = 1.0 / terms;
    if (config.clip() > 0 && norm > config.clip()) {
      scale *= config.clip() / norm;
    }
    state.rate =
        config
            .schedule()
            .rate(config.optimiser().rate(), step, epochSteps, lastStep(), state.plateaus);
    parameters.optimise(config.optimiser().step(step, state.rate, scale), shards.get(0).memory());
    if (averages(epoch)) {
      state.averaged++;
      parameters.average(state.averaged, shards.get(0).memory());
    }
    // The shards read the parameters in orders of work of their own.
    kernels.synchronize();
    state.step = step;
    state.lossSum += loss;
    state.lossTerms += terms;
  }

  /** Whether the parameters of an epoch's steps go into their mean. */
  private boolean averages(int epoch) {
    return config.averageFrom() > 0 && epoch + 1 >= config.averageFrom();
  }

  /** Where numbers as large as a limit, or that are none, were first found; empty if nowhere. */
  private String firstBeyond(double limit, int parts) {
    parameters.toHost();
    List<String> before = parameters.beyond(limit);
    String where = before.isEmpty() ? "" : "parameter " + before.get(0);
    for (int i = 0; i < parts && where.isEmpty(); i++) {
      where = shards.get(i).firstBeyond(limit, arena);
    }
    return where;
  }

  private TrainingException broken(long step, int epoch, int number, double loss, int parts) {
    String where = firstBeyond(Double.POSITIVE_INFINITY, parts);
    String what = ", and the first value that is no number is ";
    if (where.isEmpty()) {
      where = firstBeyond(EXPLODED, parts);
      what = String.format(Locale.ROOT, ", and the first value beyond %.0e is ", EXPLODED);
    }
    return new TrainingException(
        String.format(
            Locale.ROOT,
            "the training of %s has come apart in step %d (batch %d of epoch %d): the loss is %s"
                + "%s; a smaller learning rate or \"clip_norm\" may help%s",
            config.file(),
            step,
            number + 1,
            epoch + 1,
            loss,
            where.isEmpty() ? "" : what + where,
            Files.exists(checkpoint()) ? ", from the last checkpoint with --resume" : ""));
  }

  /** Judges what would be written if the training ended here: the mean, where there is one. */
  private void validate(int epoch) throws IOException {
    if (!averages(epoch)) {
      parameters.toHost();
      judge(epoch);
      return;
    }
    Region aside = shards.get(0).memory();
    parameters.exchangeMean(aside);
    try {
      judge(epoch);
    } finally {
      parameters.exchangeMean(aside);
    }
  }

  private void judge(int epoch) throws IOException {
    double trained = state.meanLoss();
    state.lossSum = 0;
    state.lossTerms = 0;
    List<Sample> held = config.split().validation();
    int limit = Math.min(held.size(), config.validation().limit());
    Map<String, Double> metrics = new LinkedHashMap<>();
    String metric = config.validation().metric();
    double figure = trained;
    if (limit > 0) {
      metrics.putAll(
          Evaluation.of(
                  draft.model(),
                  held.subList(0, limit),
                  device,
                  workers,
                  1,
                  metric.equals("perplexity"))
              .metrics());
      figure = metrics.get(metric);
    }
    boolean more = limit > 0 && List.of("accuracy", "macro_f1", "bleu", "chrf").contains(metric);
    // What is written is a mean where there is one: a state from before does not compete with it.
    boolean replaced = state.averaged > 0 && state.bestStep <= state.step - state.averaged;
    boolean better = more ? figure > state.best : figure < state.best;
    if (Double.isNaN(state.best) || replaced || better) {
      state.best = figure;
      state.bestStep = state.step;
      state.bad = 0;
      state.sinceDrop = 0;
      draft.parameters().forEach((name, tensor) -> best.get(name).copyFrom(tensor));
    } else {
      state.bad++;
      state.sinceDrop++;
      if (state.sinceDrop >= config.schedule().patience()) {
        state.plateaus++;
        state.sinceDrop = 0;
      }
      int patience = config.validation().patience();
      state.stopped = patience > 0 && state.bad >= patience;
    }
    state.metrics = metrics;
    state.history.add(
        new History.Point(state.step, epoch + 1, trained, state.rate, state.seconds, metrics));
    CurvesPage.write(
        config.output().resolve(CURVES),
        config.json().fields().string("name", "training"),
        metric,
        state.history);
  }

  private Map<String, Double> finish() throws IOException {
    draft.parameters().forEach((name, tensor) -> tensor.copyFrom(best.get(name)));
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("trained_by", "gatun train");
    metadata.put("seed", String.valueOf(config.seed()));
    metadata.put("step", String.valueOf(state.bestStep));
    draft.write(config.output(), draft.parameters(), config.weightType(), metadata);
    Split split = config.split();
    List<Sample> held = split.test().isEmpty() ? split.validation() : split.test();
    Map<String, Double> figures = Map.of();
    if (!held.isEmpty()) {
      // The figures are those of the file, whose weights may be rounded.
      try (Model written = ModelFolder.open(config.output())) {
        figures = Evaluation.of(written, held, device, workers, 0).metrics();
      }
    }
    Files.deleteIfExists(checkpoint());
    return figures;
  }

  /** The time the training has taken, in seconds. */
  public double seconds() {
    return state.seconds;
  }

  /** The step whose state is the best. */
  public long bestStep() {
    return state.bestStep;
  }

  /** Frees everything; the model that was written stays. Closing twice does nothing. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    shards.forEach(Shard::close);
    if (scoring != null) {
      scoring.close();
    }
    plan.close();
    parameters.close();
    kernels.close();
    workers.close();
    arena.close();
  }
}
