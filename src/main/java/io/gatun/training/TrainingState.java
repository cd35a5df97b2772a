package io.gatun.training;

import io.gatun.format.JsonText;
import io.gatun.format.Safetensors;
import io.gatun.format.TensorFile;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;

/**
 * Where a training stands, and how that is kept: parameters, the best ones, their mean, the
 * optimiser's moments, and the numbers below, in one safetensors file. Batches, dropout and the
 * network's own tokens are drawn from the seed and the step, so the step is all there is of random
 * state. For one thread.
 */
final class TrainingState {
  private static final String BEST = "best/";
  private static final String NOW = "now/";

  long step;

  /** The epoch of the next step, and its batch there; from 0. */
  int epoch;

  int batch;

  /** How many steps' parameters are in their mean. */
  long averaged;

  long bestStep;
  double best = Double.NaN;
  int bad;
  int sinceDrop;
  int plateaus;
  boolean stopped;
  double lossSum;
  long lossTerms;
  double seconds;
  double rate;
  Map<String, Double> metrics = Map.of();
  History history = new History();

  /** The step this process began with. */
  long firstStep;

  /** The mean loss of a term since the last validation, or right after it until there. */
  double meanLoss() {
    if (lossTerms > 0) {
      return lossSum / lossTerms;
    }
    int points = history.points().size();
    return points == 0 ? Double.NaN : history.points().get(points - 1).loss();
  }

  /** What must be the same for a training to go on: the configuration and the data it found. */
  private static String fingerprint(TrainingConfig config) {
    CRC32 checksum = new CRC32();
    Map<String, Object> said = new LinkedHashMap<>(config.json().members());
    said.put("samples", config.split().train().size() + " " + config.split().test().size());
    checksum.update(JsonText.of(said).getBytes(StandardCharsets.UTF_8));
    return Long.toHexString(checksum.getValue());
  }

  /** Writes a checkpoint, whole or not at all. */
  void write(
      Path file,
      TrainingConfig config,
      Map<String, Tensor> now,
      Map<String, Tensor> bestParameters,
      Parameters parameters)
      throws IOException {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    now.forEach((name, tensor) -> tensors.put(NOW + name, tensor));
    bestParameters.forEach((name, tensor) -> tensors.put(BEST + name, tensor));
    Map<String, String> numbers = new LinkedHashMap<>();
    numbers.put("fingerprint", fingerprint(config));
    numbers.put("step", String.valueOf(step));
    numbers.put("epoch", String.valueOf(epoch));
    numbers.put("batch", String.valueOf(batch));
    numbers.put("averaged", String.valueOf(averaged));
    numbers.put("best_step", String.valueOf(bestStep));
    numbers.put("best", Double.toHexString(best));
    numbers.put("bad", String.valueOf(bad));
    numbers.put("since_drop", String.valueOf(sinceDrop));
    numbers.put("plateaus", String.valueOf(plateaus));
    numbers.put("loss_sum", Double.toHexString(lossSum));
    numbers.put("loss_terms", String.valueOf(lossTerms));
    numbers.put("seconds", String.valueOf(seconds));
    numbers.put("rate", Double.toHexString(rate));
    numbers.put("history", history.toJson());
    try (Arena aside = Arena.ofConfined()) {
      tensors.putAll(parameters.kept(aside));
      Safetensors.write(file, tensors, numbers);
    }
  }

  /**
   * Reads a checkpoint.
   *
   * @param now the parameters, which are overwritten, as are the others
   * @throws TrainingException if it is another training's
   */
  static TrainingState read(
      Path file,
      TrainingConfig config,
      Map<String, Tensor> now,
      Map<String, Tensor> bestParameters,
      Parameters parameters)
      throws IOException {
    TrainingState state = new TrainingState();
    try (TensorFile tensors = TensorFile.open(file)) {
      Map<String, String> numbers = tensors.metadata();
      if (!fingerprint(config).equals(numbers.get("fingerprint"))) {
        throw new TrainingException(
            file
                + " is of a training with other settings or data; delete it to begin anew, or take"
                + " back what was changed in "
                + config.file());
      }
      now.forEach((name, tensor) -> tensor.copyFrom(tensors.tensor(NOW + name)));
      bestParameters.forEach((name, tensor) -> tensor.copyFrom(tensors.tensor(BEST + name)));
      parameters.restore(tensors::tensor);
      state.step = Long.parseLong(numbers.get("step"));
      state.epoch = Integer.parseInt(numbers.get("epoch"));
      state.batch = Integer.parseInt(numbers.get("batch"));
      state.averaged = Long.parseLong(numbers.getOrDefault("averaged", "0"));
      state.bestStep = Long.parseLong(numbers.get("best_step"));
      state.best = Double.parseDouble(numbers.get("best"));
      state.bad = Integer.parseInt(numbers.get("bad"));
      state.sinceDrop = Integer.parseInt(numbers.get("since_drop"));
      state.plateaus = Integer.parseInt(numbers.get("plateaus"));
      state.lossSum = Double.parseDouble(numbers.get("loss_sum"));
      state.lossTerms = Long.parseLong(numbers.get("loss_terms"));
      state.seconds = Double.parseDouble(numbers.get("seconds"));
      state.rate = Double.parseDouble(numbers.get("rate"));
      state.history = History.of(numbers.get("history"));
      state.firstStep = state.step;
      if (!state.history.points().isEmpty()) {
        state.metrics = state.history.points().get(state.history.points().size() - 1).metrics();
      }
    }
    return state;
  }
}
