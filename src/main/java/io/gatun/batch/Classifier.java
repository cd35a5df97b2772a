package io.gatun.batch;

import io.gatun.format.Model;
import io.gatun.format.TextCodec;
import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Texts, or lines of numbers, in; classes out: a single network with the codec and the labels of
 * the {@link Model} it is made from. A network without labels gives its numbers.
 *
 * <pre>{@code
 * try (Model model = ModelFolder.open(Path.of("examples/names"));
 *     Classifier classifier = Classifier.of(model)) {
 *   String language = classifier.classify("Kovačević").choices().get(0).label();
 * }
 * }</pre>
 *
 * <p>Immutable and thread-safe; the weights are packed once and shared. The caller closes it, after
 * its runs and before the model.
 */
public final class Classifier implements AutoCloseable {
  private final Model model;
  private final Plan plan;
  private final Value numbers;
  private final long features;

  private Classifier(Model model, Device device, WeightFormat format) {
    boolean one = model.kind() == Model.Kind.CLASSIFIER || model.kind() == Model.Kind.NETWORK;
    if (!one) {
      throw new IllegalArgumentException(
          model.file()
              + " is a model of kind "
              + model.kind().label()
              + ", expected classifier or network");
    }
    this.model = model;
    Value input = null;
    long size = 1;
    for (Value value : model.network().inputs()) {
      if (value.type().isFloat()) {
        if (input != null || model.source().isPresent()) {
          throw new IllegalArgumentException(
              model.file() + " reads " + value + " beside others, which lines of text do not have");
        }
        input = value;
        for (int axis = 0; axis < value.rank(); axis++) {
          size *= value.dim(axis).isKnown() ? value.dim(axis).size() : 1;
        }
      }
    }
    if (input == null && model.source().isEmpty()) {
      throw new IllegalArgumentException(
          model.file() + " reads neither text nor one value of numbers");
    }
    numbers = input;
    features = size;
    plan = Plan.on(device, format, model.network(), model.logits().name());
  }

  /** As {@link #of(Model, Device)}, on the {@linkplain Devices#best() best device}. */
  public static Classifier of(Model model) {
    return of(model, Devices.best());
  }

  /**
   * Makes a classifier.
   *
   * @param model of kind classifier or network; stays open as long as this
   * @param device where it computes
   * @throws IllegalArgumentException if the model is of another kind, or reads what a line cannot
   *     say
   */
  public static Classifier of(Model model, Device device) {
    return of(model, device, null);
  }

  /**
   * Makes a classifier with weights in a format.
   *
   * @param model of kind classifier or network; stays open as long as this
   * @param device where it computes
   * @param format what the weights are rounded to; {@code null} for the one they are stored in
   * @throws IllegalArgumentException if the model is of another kind, or reads what a line cannot
   *     say
   */
  public static Classifier of(Model model, Device device, WeightFormat format) {
    return new Classifier(model, device, format);
  }

  /**
   * What a line is for the network.
   *
   * @param tokens of a text; {@code null} for numbers
   * @param numbers {@code null} for a text
   */
  public record Input(int[] tokens, float[] numbers) {}

  /**
   * Classifies one line; one without tokens or numbers has no classes.
   *
   * @throws BadRecordException if it has a token that the model does not know, or not the numbers
   *     it reads
   */
  public Classification classify(String line) {
    Task task = new Task();
    Input input = task.prepare(1, line);
    Classification trivial = task.trivial(input);
    if (trivial != null) {
      return trivial;
    }
    try (BatchTask.Worker<Input, Classification> worker = task.newWorker()) {
      return worker.run(List.of(input)).get(0);
    }
  }

  /** The task of classifying lines. A line without tokens has no answer. */
  public BatchTask<String, Input, Classification> task() {
    return new Task();
  }

  /** Frees the packed weights. */
  @Override
  public void close() {
    plan.close();
  }

  private final class Task implements BatchTask<String, Input, Classification> {
    @Override
    public Input prepare(long number, String line) {
      if (numbers == null) {
        return new Input(ExampleText.tokens(codec(), line), null);
      }
      float[] values = ExampleText.numbers(line);
      boolean sequence = numbers.rank() > 0 && !numbers.dim(0).toString().equals("batch");
      if (values.length % features != 0
          || !sequence && values.length > 0 && values.length != features) {
        throw new BadRecordException(
            values.length
                + " numbers, expected "
                + features
                + (sequence ? " for each time step" : ""));
      }
      return new Input(null, values);
    }

    private TextCodec codec() {
      return model.source().orElseThrow();
    }

    @Override
    public int tokens(Input input) {
      return input.tokens() != null ? input.tokens().length : input.numbers().length;
    }

    @Override
    public Classification trivial(Input input) {
      boolean nothing =
          numbers != null
              ? input.numbers().length == 0
              : ExampleText.isBare(codec(), input.tokens());
      return nothing ? new Classification(List.of(), List.of()) : null;
    }

    @Override
    public Worker<Input, Classification> newWorker() {
      Execution execution = plan.newExecution();
      return new Worker<>() {
        @Override
        public List<Classification> run(List<Input> items) {
          List<Classification> answers = new ArrayList<>();
          for (int from = 0; from < items.size(); ) {
            int to = together(items, from);
            List<Input> batch = items.subList(from, to);
            try (Arena arena = Arena.ofConfined()) {
              give(execution, batch, arena);
              execution.run();
              answers.addAll(answers(execution.output(model.logits().name()), batch));
            }
            from = to;
          }
          return answers;
        }

        @Override
        public void close() {
          execution.close();
        }
      };
    }
  }

  /**
   * Where those end that can be computed together with the first: a network that is not told the
   * lengths would take what fills a shorter one up for more of it.
   */
  private int together(List<Input> items, int from) {
    if (plan.inputs().stream().anyMatch(this::isLengths)) {
      return items.size();
    }
    int to = from + 1;
    while (to < items.size() && steps(items.get(to)) == steps(items.get(from))) {
      to++;
    }
    return to;
  }

  private boolean isLengths(Value input) {
    return input != numbers && input.rank() != 2;
  }

  private void give(Execution execution, List<Input> items, Arena arena) {
    int batch = items.size();
    int time = 0;
    for (Input item : items) {
      time = Math.max(time, steps(item));
    }
    for (Value input : plan.inputs()) {
      if (input == numbers) {
        long[] dims = new long[input.rank()];
        for (int axis = 0; axis < dims.length; axis++) {
          boolean isBatch = input.dim(axis).toString().equals("batch");
          dims[axis] = input.dim(axis).isKnown() ? input.dim(axis).size() : isBatch ? batch : time;
        }
        Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
        Tensor flat = tensor.reshape(tensor.elements());
        for (int b = 0; b < batch; b++) {
          float[] values = items.get(b).numbers();
          for (int i = 0; i < values.length; i++) {
            flat.setFloat(values[i], (i / features * batch + b) * features + i % features);
          }
        }
        execution.input(input.name(), tensor);
      } else if (input.rank() == 2) {
        Tensor tensor = Tensor.allocate(arena, DType.INT32, time, batch);
        for (int b = 0; b < batch; b++) {
          for (int t = 0; t < items.get(b).tokens().length; t++) {
            tensor.setLong(items.get(b).tokens()[t], t, b);
          }
        }
        execution.input(input.name(), tensor);
      } else {
        Tensor tensor = Tensor.allocate(arena, DType.INT32, batch);
        for (int b = 0; b < batch; b++) {
          tensor.setLong(steps(items.get(b)), b);
        }
        execution.input(input.name(), tensor);
      }
    }
  }

  private int steps(Input item) {
    return item.tokens() != null
        ? item.tokens().length
        : Math.toIntExact(item.numbers().length / features);
  }

  private List<Classification> answers(Tensor output, List<Input> items) {
    float[] all = output.toFloats();
    int batch = items.size();
    int size = (int) output.dim(output.rank() - 1);
    List<Classification> answers = new ArrayList<>();
    for (int b = 0; b < batch; b++) {
      int steps = output.rank() == 3 ? steps(items.get(b)) : 1;
      List<Float> row = new ArrayList<>();
      for (int t = 0; t < steps; t++) {
        for (int k = 0; k < size; k++) {
          row.add(all[(t * batch + b) * size + k]);
        }
      }
      answers.add(
          model.labels().isEmpty()
              ? new Classification(List.of(), row)
              : new Classification(choices(row), List.of()));
    }
    return answers;
  }

  private List<Classification.Choice> choices(List<Float> scores) {
    Value last = model.logits();
    String type = last.producer() == null ? "" : last.producer().operator().type();
    double largest = scores.stream().mapToDouble(Float::doubleValue).max().orElse(0);
    double sum = 0;
    for (float each : scores) {
      sum += Math.exp(each - largest);
    }
    List<Classification.Choice> choices = new ArrayList<>();
    for (int i = 0; i < scores.size(); i++) {
      double probability =
          type.equals("Softmax") ? scores.get(i) : Math.exp(scores.get(i) - largest) / sum;
      choices.add(new Classification.Choice(model.labels().orElseThrow().symbol(i), probability));
    }
    choices.sort(Comparator.comparingDouble(choice -> -choice.probability()));
    return choices;
  }
}
