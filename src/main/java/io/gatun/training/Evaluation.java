package io.gatun.training;

import io.gatun.format.Model;
import io.gatun.format.TextCodec;
import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.kernel.Workers;
import io.gatun.sequence.EncoderDecoder;
import io.gatun.sequence.GenerationOptions;
import io.gatun.sequence.Generator;
import io.gatun.sequence.Score;
import io.gatun.sequence.Sentence;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A model's answers to samples, and how good they are.
 *
 * @param answers the answers, in the order of the samples: a class, a text, or numbers as text
 * @param metrics the figures by name. Classifier: {@code loss} (mean cross-entropy in nats), {@code
 *     accuracy}, {@code macro_f1}. Encoder–decoder: {@code perplexity} (of each sample's first
 *     target, the end symbol counted), {@code wer} and {@code per} (see {@link EditDistance}),
 *     {@code bleu}, {@code chrf}. Network of numbers: {@code loss} (mean squared error)
 * @param confusion of a classifier
 * @param signatures how BLEU and chrF were computed
 */
public record Evaluation(
    List<String> answers,
    Map<String, Double> metrics,
    Optional<Confusion> confusion,
    List<String> signatures) {

  /** Sequences that are computed together on one thread. */
  private static final int BATCH = 64;

  /** Copies the collections. */
  public Evaluation {
    answers = List.copyOf(answers);
    metrics = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(metrics));
    signatures = List.copyOf(signatures);
  }

  /**
   * Runs a model over samples.
   *
   * @param model the model; text that it does not know is an error of its codec
   * @param samples at least one, of the kind that the model is for
   * @param device what computes
   * @param workers who computes; nothing depends on how many there are
   * @param beam the width of the beam, 1 for greedy; 0 for what the model says
   * @return answers and figures
   * @throws IllegalArgumentException if the samples are not of the model's kind, or a class or
   *     token is not the model's
   */
  public static Evaluation of(
      Model model, List<Sample> samples, Device device, Workers workers, int beam) {
    return of(model, samples, device, workers, beam, true);
  }

  static Evaluation of(
      Model model,
      List<Sample> samples,
      Device device,
      Workers workers,
      int beam,
      boolean perplexity) {
    if (samples.isEmpty()) {
      throw new IllegalArgumentException("there is no sample to judge " + model.name() + " by");
    }
    Encoding encoding =
        new Encoding(
            model.source().orElse(null), model.target().orElse(null), model.labels().orElse(null));
    List<Item> items = new ArrayList<>();
    for (Sample sample : samples) {
      items.add(encoding.item(sample));
    }
    return switch (model.kind()) {
      case ENCODER_DECODER -> pairs(model, samples, items, device, workers, beam, perplexity);
      case CLASSIFIER -> classes(model, samples, items, device, workers);
      case NETWORK -> numbers(model, items, device, workers);
      case TAGGER ->
          throw new IllegalArgumentException("a tagger cannot be evaluated by this command yet");
    };
  }

  /** Something that is done with a batch; the indices say which items it has. */
  private interface Work {
    void on(int[] indices, int worker);
  }

  /**
   * Batches of like lengths; which items are in one depends on the items alone.
   *
   * @param told whether the network is told the lengths; if not, a batch has items of one length,
   *     since it would take what fills up the shorter ones for more of them
   */
  private static void batches(List<Item> items, boolean told, Workers workers, Work work) {
    int[] order =
        IntStream.range(0, items.size())
            .boxed()
            .sorted(Comparator.comparingInt(i -> items.get(i).size()))
            .mapToInt(Integer::intValue)
            .toArray();
    List<int[]> batches = new ArrayList<>();
    for (int from = 0; from < order.length; ) {
      int size = items.get(order[from]).size();
      int to = from + 1;
      while (to < Math.min(order.length, from + BATCH)
          && (told || items.get(order[to]).size() == size)) {
        to++;
      }
      batches.add(Arrays.copyOfRange(order, from, to));
      from = to;
    }
    workers.run(batches.size(), (part, worker) -> work.on(batches.get(part), worker));
  }

  private static List<Item> picked(List<Item> items, int[] indices) {
    return Arrays.stream(indices).mapToObj(items::get).toList();
  }

  // ------------------------------------------------------------------------------- one network

  /** The scores of items, a row each: what the first output has for them. */
  private static float[][] scores(Model model, List<Item> items, Device device, Workers workers) {
    Value scores = model.logits();
    float[][] rows = new float[items.size()][];
    try (SharedArena arena = SharedArena.open("evaluation");
        Plan plan = Plan.on(device, model.network(), scores.name())) {
      Execution[] executions = new Execution[workers.size()];
      Slab[] slabs = new Slab[workers.size()];
      try {
        for (int i = 0; i < executions.length; i++) {
          executions[i] = plan.newExecution();
          slabs[i] = new Slab(arena);
        }
        batches(
            items,
            plan.inputs().stream().anyMatch(input -> input.name().equals("lengths")),
            workers,
            (indices, worker) -> {
              slabs[worker].reset();
              Map<String, Tensor> inputs =
                  Inputs.of(plan.inputs(), picked(items, indices), slabs[worker]);
              inputs.forEach(executions[worker]::input);
              executions[worker].run();
              split(executions[worker].output(scores.name()), indices, items, rows);
            });
      } finally {
        for (Execution execution : executions) {
          if (execution != null) {
            execution.close();
          }
        }
      }
    }
    return rows;
  }

  /** Takes {@code [batch, size]} or {@code [time, batch, size]} apart. */
  private static void split(Tensor output, int[] indices, List<Item> items, float[][] rows) {
    float[] all = output.toFloats();
    int size = (int) output.dim(output.rank() - 1);
    int batch = indices.length;
    for (int b = 0; b < batch; b++) {
      int steps = output.rank() == 2 ? 1 : (int) output.dim(0);
      float[] values = items.get(indices[b]).values();
      if (values != null) {
        steps = Math.min(steps, values.length / size);
      }
      float[] row = new float[steps * size];
      for (int t = 0; t < steps; t++) {
        System.arraycopy(all, (t * batch + b) * size, row, t * size, size);
      }
      rows[indices[b]] = row;
    }
  }

  private static Evaluation classes(
      Model model, List<Sample> samples, List<Item> items, Device device, Workers workers) {
    List<String> labels = model.labels().orElseThrow().symbols();
    Confusion confusion = new Confusion(labels);
    float[][] scores = scores(model, items, device, workers);
    List<String> answers = new ArrayList<>();
    double loss = 0;
    for (int i = 0; i < scores.length; i++) {
      int right = items.get(i).label();
      if (right < 0) {
        throw new IllegalArgumentException(
            "a sample is of class "
                + samples.get(i).targets()
                + ", which "
                + model.name()
                + " does not know: it has "
                + labels);
      }
      int best = 0;
      for (int k = 1; k < scores[i].length; k++) {
        best = scores[i][k] > scores[i][best] ? k : best;
      }
      confusion.add(right, best);
      answers.add(labels.get(best));
      loss -= logarithms(model, scores[i])[right];
    }
    Map<String, Double> metrics = new LinkedHashMap<>();
    metrics.put("accuracy", confusion.accuracy());
    metrics.put("macro_f1", confusion.macroF1());
    metrics.put("loss", loss / items.size());
    return new Evaluation(answers, metrics, Optional.of(confusion), List.of());
  }

  /** The logarithms of probabilities, whatever the model ends in. */
  static double[] logarithms(Model model, float[] scores) {
    String last =
        model.logits().producer() == null ? "" : model.logits().producer().operator().type();
    double[] result = new double[scores.length];
    double largest = Double.NEGATIVE_INFINITY;
    for (float each : scores) {
      largest = Math.max(largest, each);
    }
    double sum = 0;
    for (float each : scores) {
      sum += Math.exp(each - largest);
    }
    for (int i = 0; i < scores.length; i++) {
      result[i] =
          switch (last) {
            case "Softmax" -> Math.log(scores[i]);
            case "LogSoftmax" -> scores[i];
            default -> scores[i] - largest - Math.log(sum);
          };
    }
    return result;
  }

  private static Evaluation numbers(Model model, List<Item> items, Device device, Workers workers) {
    float[][] rows = scores(model, items, device, workers);
    double sum = 0;
    long count = 0;
    List<String> answers = new ArrayList<>();
    for (int i = 0; i < rows.length; i++) {
      float[] right = items.get(i).values();
      StringBuilder text = new StringBuilder();
      for (int k = 0; k < rows[i].length; k++) {
        text.append(k == 0 ? "" : " ").append(rows[i][k]);
        if (right != null) {
          double off = (double) rows[i][k] - right[k];
          sum += off * off;
          count++;
        }
      }
      answers.add(text.toString());
    }
    Map<String, Double> metrics = new LinkedHashMap<>();
    metrics.put("loss", count == 0 ? Double.NaN : sum / count);
    return new Evaluation(answers, metrics, Optional.empty(), List.of());
  }

  // ------------------------------------------------------------------------------- two networks

  private static Evaluation pairs(
      Model model,
      List<Sample> samples,
      List<Item> items,
      Device device,
      Workers workers,
      int beam,
      boolean perplexity) {
    TextCodec target = model.target().orElseThrow();
    GenerationOptions options = Networks.options(model, beam);
    int[][] answers = new int[items.size()][];
    double[] logarithms = new double[items.size()];
    long[] terms = new long[items.size()];
    try (EncoderDecoder network = Networks.pair(model, device)) {
      Generator[] generators = new Generator[workers.size()];
      try {
        for (int i = 0; i < generators.length; i++) {
          generators[i] = network.newGenerator(Workers.none());
        }
        batches(
            items,
            true,
            workers,
            (indices, worker) -> {
              generate(generators[worker], items, indices, options, answers);
              if (perplexity) {
                force(generators[worker], items, indices, logarithms, terms);
              }
            });
      } finally {
        for (Generator generator : generators) {
          if (generator != null) {
            generator.close();
          }
        }
      }
    }
    EditDistance rates = new EditDistance();
    Bleu bleu = new Bleu();
    Chrf chrf = new Chrf();
    List<String> texts = new ArrayList<>();
    for (int i = 0; i < answers.length; i++) {
      texts.add(target.decode(answers[i]));
      List<String> right = samples.get(i).targets();
      rates.add(
          tokens(target, texts.get(i)), right.stream().map(each -> tokens(target, each)).toList());
      bleu.add(texts.get(i), right);
      chrf.add(texts.get(i), right);
    }
    Map<String, Double> metrics = new LinkedHashMap<>();
    metrics.put("wer", rates.sequenceErrorRate());
    metrics.put("per", rates.tokenErrorRate());
    metrics.put("bleu", bleu.score());
    metrics.put("chrf", chrf.score());
    if (perplexity) {
      double sum = Arrays.stream(logarithms).sum();
      metrics.put("perplexity", Math.exp(-sum / Arrays.stream(terms).sum()));
    }
    return new Evaluation(
        texts,
        metrics,
        Optional.empty(),
        List.of("BLEU|" + bleu.signature(), "chrF2|" + chrf.signature()));
  }

  /** Tokens for the error rate: the same kind as the network's, unknown ones as they are. */
  private static List<String> tokens(TextCodec target, String text) {
    if (target.tokens() == TextCodec.Tokens.WORDS) {
      return text.isBlank() ? List.of() : List.of(text.strip().split("\\s+"));
    }
    return text.codePoints().mapToObj(Character::toString).toList();
  }

  private static void generate(
      Generator generator,
      List<Item> items,
      int[] indices,
      GenerationOptions options,
      int[][] answers) {
    List<Sentence> sentences = new ArrayList<>();
    for (int index : indices) {
      sentences.add(new Sentence(index, items.get(index).source()));
    }
    var hypotheses = generator.generate(sentences, options);
    for (int i = 0; i < indices.length; i++) {
      answers[indices[i]] = hypotheses.get(i).get(0).tokens();
    }
  }

  private static void force(
      Generator generator, List<Item> items, int[] indices, double[] logarithms, long[] terms) {
    List<int[]> sources = new ArrayList<>();
    List<int[]> targets = new ArrayList<>();
    for (int index : indices) {
      int[] target = items.get(index).target();
      sources.add(items.get(index).source());
      targets.add(Arrays.copyOfRange(target, 1, target.length - 1));
    }
    List<Score> scores = generator.score(sources, targets);
    for (int i = 0; i < indices.length; i++) {
      logarithms[indices[i]] = scores.get(i).logProbability();
      terms[indices[i]] = scores.get(i).logProbabilities().length;
    }
  }
}
