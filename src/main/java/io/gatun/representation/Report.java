package io.gatun.representation;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.kernel.Workers;
import java.io.IOException;
import java.io.InputStream;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.BitSet;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * A page that shows what a network makes of data: the path of its representations, what each unit
 * detects, how hidden states go over time, how the data lie in each representation, how well a
 * straight cut tells their classes, and what of an input an answer rests on. One file of HTML that
 * needs nothing else and opens in any browser.
 *
 * <p>One pass over the data, with bounded memory: of each unit its best examples, of the whole a
 * random sample of fixed size.
 */
public final class Report {
  /** Sequences and images that are shown whole. */
  private static final int SHOWN = 8;

  /** Steps and units of a heat map; more than that nobody sees. */
  private static final int MOST_STEPS = 160;

  private static final int MOST_ROWS = 256;

  /** Points along a side of an image that is shown. */
  private static final int MOST_PIXELS = 112;

  /** Features of a point; planes with more are averaged over their places first. */
  private static final int MOST_FEATURES = 4096;

  /** Numbers that the sample has in all. */
  private static final long MOST_KEPT = 1L << 26;

  /** Larger inputs are shown without what counts in them, which would take long. */
  private static final int MOST_SALIENT = 1 << 15;

  /** Steps of a sequence that is short. */
  private static final int SHORT = 80;

  private static final int INTEGRATED_STEPS = 32;
  private static final String DATA = "/*DATA*/null";

  private final Feed feed;
  private final ReportOptions options;
  private final Device device;
  private final Workers workers;
  private final List<Value> values;
  private final Random random = new Random(1);
  private final List<Example> sample = new ArrayList<>();
  private final List<float[][]> sampled = new ArrayList<>();
  private final List<Example> first = new ArrayList<>();
  private final List<float[][]> firstActivations = new ArrayList<>();
  private final Map<Example, Integer> items = new LinkedHashMap<>();
  private final Map<String, Optional<Saliency>> saliencies = new LinkedHashMap<>();
  private final Value source;
  private long seen;
  private int mostSampled;
  private int[] unitCounts;

  private Report(Feed feed, ReportOptions options, Device device, Workers workers) {
    this.feed = feed;
    this.options = options;
    this.device = device;
    this.workers = workers;
    Graph graph = feed.graph();
    List<String> words =
        options.values().isEmpty()
            ? shownPath(graph).stream().map(Value::name).toList()
            : options.values();
    if (words.isEmpty()) {
      throw new IllegalArgumentException(
          "network " + graph.name() + " has no layer to show; name values");
    }
    values = Selection.of(feed, words).stream().filter(value -> value.type().isFloat()).toList();
    source = feed.takesTokens() ? firstReal(graph) : feed.input();
  }

  /** The path, and the loops whose last states alone are on it, in the order of the graph. */
  private List<Value> shownPath(Graph graph) {
    List<Value> path = new ArrayList<>(Selection.path(graph));
    path.addAll(PathOfValues.loops(graph, path));
    return graph.values().values().stream()
        .filter(path::contains)
        .filter(value -> Axes.isPerExample(value, feed))
        .toList();
  }

  /** The first real value made of tokens: what they are embedded as. */
  private Value firstReal(Graph graph) {
    return graph.values().values().stream()
        .filter(v -> v.producer() != null && v.type().isFloat())
        .filter(v -> v.producer().inputs().contains(feed.input()))
        .findFirst()
        .orElse(null);
  }

  /**
   * Makes the page.
   *
   * @param feed the network, and how it takes examples
   * @param reader the data
   * @param options what is shown
   * @param device where it computes
   * @param workers threads that share the work
   * @param progress hears of the pass
   * @return the text of the page
   * @throws IOException if the data cannot be read
   * @throws IllegalArgumentException if a value is unknown, an example does not fit the network, or
   *     there is none
   */
  public static String html(
      Feed feed,
      ExampleReader reader,
      ReportOptions options,
      Device device,
      Workers workers,
      Progress progress)
      throws IOException {
    return new Report(feed, options, device, workers).make(reader, progress);
  }

  private String make(ExampleReader reader, Progress progress) throws IOException {
    StringWriter text = new StringWriter();
    try (Detectors detectors =
            Detectors.of(
                feed, values.stream().map(Value::name).toList(), options.top(), device, workers);
        JsonGenerator json = new JsonFactory().createGenerator(text)) {
      List<UnitStatistics> statistics = detectors.run(reader, progress, this::keep);
      if (statistics.isEmpty()) {
        throw new IllegalArgumentException("there is no example, and so nothing to show");
      }
      unitCounts = statistics.stream().mapToInt(UnitStatistics::units).toArray();
      json.writeStartObject();
      head(json);
      path(json, detectors, statistics);
      units(json, detectors, statistics);
      steps(json, detectors);
      answers(json);
      // Of what is only a point of a map large images are left out.
      int always = items.size();
      points(json, detectors);
      items(json, always);
      json.writeEndObject();
    } finally {
      saliencies.values().forEach(each -> each.ifPresent(Saliency::close));
    }
    // A text with a tag in it must not end the script that it stands in.
    return template().replace(DATA, text.toString().replace("<", "\\u003c"));
  }

  private static String template() throws IOException {
    try (InputStream in = Report.class.getResourceAsStream("report.html")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  // ---- the pass ---------------------------------------------------------------------------------

  /** Keeps the first examples, and a random sample of all (Vitter 1985, algorithm R). */
  private void keep(Example example, float[][] activations) {
    String label = example.label().orElse("");
    long alike = first.stream().filter(e -> e.label().orElse("").equals(label)).count();
    if (first.size() < SHOWN) {
      first.add(example);
      firstActivations.add(activations);
    } else if (alike == 0) {
      // One of each label says more than the first of a file that is sorted by them.
      replaceTwin(example, activations);
    }
    seen++;
    int most = mostSampled(activations);
    int place = sample.size() < most ? sample.size() : -1;
    if (place < 0) {
      long drawn = (long) (random.nextDouble() * seen);
      place = drawn < most ? (int) drawn : -1;
    }
    if (place < 0) {
      return;
    }
    float[][] features = new float[values.size()][];
    for (int i = 0; i < features.length; i++) {
      features[i] = features(i, activations[i]);
    }
    if (place == sample.size()) {
      sample.add(example);
      sampled.add(features);
    } else {
      sample.set(place, example);
      sampled.set(place, features);
    }
  }

  /** As many as are asked for, but no more than memory of a fixed size holds. */
  private int mostSampled(float[][] activations) {
    if (mostSampled == 0) {
      long each = 0;
      for (int i = 0; i < activations.length; i++) {
        each += features(i, activations[i]).length;
      }
      mostSampled = (int) Math.max(2, Math.min(options.sample(), MOST_KEPT / Math.max(1, each)));
    }
    return mostSampled;
  }

  /** Puts an example in the place of the last one whose label another has, too. */
  private void replaceTwin(Example example, float[][] activations) {
    for (int i = first.size() - 1; i > 0; i--) {
      Optional<String> of = first.get(i).label();
      if (first.subList(0, i).stream().anyMatch(e -> e.label().equals(of))) {
        first.remove(i);
        firstActivations.remove(i);
        first.add(example);
        firstActivations.add(activations);
        return;
      }
    }
  }

  /** One vector for an example: all there is of planes, the mean over time steps. */
  private float[] features(int value, float[] activations) {
    Axes axes = Axes.of(values.get(value), feed);
    boolean whole =
        axes.positions().length == 0 || !axes.time() && activations.length <= MOST_FEATURES;
    if (whole) {
      return activations;
    }
    int units = 1;
    for (int axis : axes.units()) {
      units *= (int) values.get(value).dim(axis).size();
    }
    float[] mean = new float[units];
    int positions = activations.length / units;
    for (int i = 0; i < activations.length; i++) {
      mean[i % units] += activations[i] / positions;
    }
    return mean;
  }

  // ---- parts of the page ------------------------------------------------------------------------

  private boolean isImage() {
    return Axes.of(feed.input(), feed).positions().length == 2;
  }

  private void head(JsonGenerator json) throws IOException {
    json.writeStringField("title", options.title());
    json.writeStringField("description", options.description());
    json.writeNumberField("examples", seen);
    json.writeNumberField("sample", sample.size());
    json.writeStringField("input", feed.takesTokens() ? "text" : isImage() ? "image" : "signal");
    strings(json, "labels", labels());
    strings(json, "answerNames", options.answers());
  }

  private List<String> labels() {
    return sample.stream().flatMap(e -> e.label().stream()).distinct().sorted(LABELS).toList();
  }

  /** Numbers by their size, everything else by its letters. */
  private static final Comparator<String> LABELS =
      Comparator.comparingInt((String s) -> s.matches("\\d{1,9}") ? Integer.parseInt(s) : -1)
          .thenComparing(s -> s);

  private static void strings(JsonGenerator json, String name, List<String> all)
      throws IOException {
    json.writeArrayFieldStart(name);
    for (String each : all) {
      json.writeString(each);
    }
    json.writeEndArray();
  }

  private void path(JsonGenerator json, Detectors detectors, List<UnitStatistics> statistics)
      throws IOException {
    json.writeArrayFieldStart("path");
    for (int i = 0; i < values.size(); i++) {
      Value value = values.get(i);
      UnitStatistics of = statistics.get(i);
      json.writeStartObject();
      json.writeStringField("name", value.name());
      json.writeStringField(
          "operator", value.producer() == null ? "input" : value.producer().operator().type());
      json.writeStringField("shape", value.dims().toString());
      json.writeNumberField("units", of.units());
      json.writeNumberField("dead", of.dead().size());
      json.writeNumberField(
          "active", IntStream.range(0, of.units()).mapToDouble(of::active).average().orElse(0));
      json.writeBooleanField("time", detectors.axes(i).time());
      json.writeStringField("sees", sees(detectors, i));
      probe(json, i);
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  /**
   * What the units in the middle see, the first and the last of them together, which may run in two
   * directions: the indices along each axis of the input.
   */
  private BitSet[] middle(Detectors detectors, int value) {
    ReceptiveField field =
        ReceptiveField.of(
            feed.graph(), values.get(value).name(), feed.input().name(), feed.sizes(first.get(0)));
    long[] dims = field.valueSizes();
    long[] middle = new long[dims.length];
    for (int axis : detectors.axes(value).positions()) {
      middle[axis] = dims[axis] / 2;
    }
    BitSet[] all = field.at(middle);
    for (int axis : detectors.axes(value).units()) {
      middle[axis] = Math.max(0, dims[axis] - 1);
    }
    BitSet[] last = field.at(middle);
    for (int axis = 0; axis < all.length; axis++) {
      all[axis].or(last[axis]);
    }
    return all;
  }

  /** Height and width of what a unit sees, in points of the picture that is shown. */
  private long[] fieldSizes(Detectors detectors, int value) {
    BitSet[] set = middle(detectors, value);
    int by = shrunk(first.get(0));
    return Arrays.stream(Axes.of(feed.input(), feed).positions())
        .mapToLong(axis -> (extent(set[axis]) + by - 1) / by)
        .toArray();
  }

  private static int extent(BitSet set) {
    return set.length() - Math.max(0, set.nextSetBit(0));
  }

  private String sees(Detectors detectors, int value) {
    Axes own = Axes.of(feed.input(), feed);
    if (own.positions().length == 0) {
      return "all of the input";
    }
    BitSet[] set = middle(detectors, value);
    long[] sizes = feed.graph().sizes(feed.sizes(first.get(0))).get(feed.input());
    List<String> extents = new ArrayList<>();
    boolean all = true;
    for (int axis : own.positions()) {
      extents.add(String.valueOf(extent(set[axis])));
      all &= set[axis].cardinality() == sizes[axis];
    }
    if (all) {
      return "all of the input";
    }
    if (!own.time()) {
      return String.join(" × ", extents) + " pixels";
    }
    BitSet steps = set[own.positions()[0]];
    boolean before = steps.get(0) && steps.cardinality() > 1;
    boolean after = steps.get((int) sizes[own.positions()[0]] - 1) && steps.cardinality() > 1;
    return before
        ? "the steps so far"
        : after
            ? "the steps to come"
            : extents.get(0) + (extents.get(0).equals("1") ? " step" : " steps");
  }

  private void probe(JsonGenerator json, int value) throws IOException {
    List<String> known = new ArrayList<>();
    List<float[]> rows = new ArrayList<>();
    for (int i = 0; i < sample.size(); i++) {
      if (sample.get(i).label().isPresent()
          && sampled.get(i)[value].length == sampled.get(0)[value].length) {
        known.add(sample.get(i).label().get());
        rows.add(sampled.get(i)[value]);
      }
    }
    LinearProbe probe;
    try {
      probe = LinearProbe.of(rows.toArray(float[][]::new), known);
    } catch (IllegalArgumentException e) {
      return; // too few labels to ask
    }
    json.writeObjectFieldStart("probe");
    json.writeNumberField("accuracy", probe.accuracy());
    json.writeNumberField("chance", probe.chance());
    json.writeNumberField("held", probe.held());
    json.writeNumberField("learnt", probe.learnt());
    json.writeEndObject();
  }

  /** The units of a value that differ most from one place of the data to another. */
  private int[] shown(UnitStatistics of) {
    return IntStream.range(0, of.units())
        .boxed()
        .filter(unit -> !of.dead(unit))
        .sorted(Comparator.comparingDouble(unit -> -of.deviation(unit)))
        .limit(options.units())
        .mapToInt(Integer::intValue)
        .sorted()
        .toArray();
  }

  private void units(JsonGenerator json, Detectors detectors, List<UnitStatistics> statistics)
      throws IOException {
    json.writeArrayFieldStart("layers");
    for (int i = 0; i < values.size(); i++) {
      UnitStatistics of = statistics.get(i);
      json.writeStartObject();
      json.writeStringField("name", of.value());
      if (isImage()) {
        json.writeArrayFieldStart("field");
        for (long size : fieldSizes(detectors, i)) {
          json.writeNumber(size);
        }
        json.writeEndArray();
      }
      json.writeArrayFieldStart("dead");
      for (int unit : of.dead()) {
        json.writeNumber(unit);
      }
      json.writeEndArray();
      json.writeStringField("deviations", signed(doubles(of.units(), of::deviation)));
      json.writeNumberField(
          "deviation", IntStream.range(0, of.units()).mapToDouble(of::deviation).max().orElse(0));
      json.writeArrayFieldStart("units");
      boolean isSource = values.get(i) == feed.input();
      for (int unit : isSource ? new int[0] : shown(of)) {
        unit(json, detectors, of, i, unit);
      }
      json.writeEndArray();
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private void unit(JsonGenerator json, Detectors detectors, UnitStatistics of, int value, int unit)
      throws IOException {
    json.writeStartObject();
    json.writeNumberField("unit", unit);
    json.writeNumberField("mean", of.mean(unit));
    json.writeNumberField("deviation", of.deviation(unit));
    json.writeNumberField("smallest", of.smallest(unit));
    json.writeNumberField("largest", of.largest(unit));
    json.writeNumberField("active", of.active(unit));
    json.writeArrayFieldStart("top");
    int rank = 0;
    for (UnitStatistics.Top top : of.top(unit)) {
      json.writeStartObject();
      json.writeNumberField("item", item(top.example()));
      json.writeNumberField("position", top.position());
      json.writeNumberField("activation", top.activation());
      if (isImage()) {
        box(json, detectors.patch(value, top), shrunk(top.example()));
      }
      // Of images the patch says most already; of a text nothing but this says which part counts.
      if (rank++ < 3 || !isImage() && numbers(top.example()) <= SHORT) {
        responsible(json, value, unit, top);
      }
      if (detectors.axes(value).time()) {
        json.writeStringField("steps", signed(stepsOf(detectors, value, unit, top.example())));
      }
      json.writeEndObject();
    }
    json.writeEndArray();
    json.writeEndObject();
  }

  private static void box(JsonGenerator json, BitSet[] patch, int by) throws IOException {
    json.writeArrayFieldStart("box");
    for (int axis = 1; axis <= 2; axis++) {
      json.writeNumber(Math.max(0, patch[axis].nextSetBit(0)) / by);
      json.writeNumber((patch[axis].length() + by - 1) / by);
    }
    json.writeEndArray();
  }

  private final Map<Example, float[][]> again = new LinkedHashMap<>();

  /** A unit at each step of an example, which is run once more and remembered. */
  private float[] stepsOf(Detectors detectors, int value, int unit, Example example)
      throws IOException {
    float[][] known = again.get(example);
    if (known == null) {
      List<float[][]> kept = new ArrayList<>();
      detectors.run(ExampleReader.of(List.of(example)), Progress.NONE, (e, all) -> kept.add(all));
      known = kept.get(0);
      for (int i = 0; i < known.length; i++) {
        int most = detectors.axes(i).time() ? MOST_STEPS * unitCounts[i] : 0;
        known[i] = Arrays.copyOf(known[i], Math.min(known[i].length, most));
      }
      again.put(example, known);
    }
    float[] all = known[value];
    int units = unitCounts[value];
    float[] steps = new float[all.length / units];
    for (int t = 0; t < steps.length; t++) {
      steps[t] = all[t * units + unit];
    }
    return steps;
  }

  // ---- what counts ------------------------------------------------------------------------------

  private Optional<Saliency> saliency(String target) {
    return saliencies.computeIfAbsent(
        target,
        name -> {
          if (source == null || source.name().equals(name)) {
            return Optional.empty();
          }
          try {
            return Optional.of(Saliency.of(feed, name, source.name(), device));
          } catch (UnsupportedOperationException | IllegalArgumentException e) {
            // An operator without a gradient: the page goes without.
            return Optional.empty();
          }
        });
  }

  private void responsible(JsonGenerator json, int value, int unit, UnitStatistics.Top top)
      throws IOException {
    Optional<Saliency> saliency = saliency(values.get(value).name());
    if (saliency.isPresent() && numbers(top.example()) <= MOST_SALIENT) {
      float[] shares =
          saliency.get().integratedGradients(top.example(), unit, top.position(), INTEGRATED_STEPS);
      json.writeStringField("counts", signed(places(shares, top.example())));
    }
  }

  private static int numbers(Example example) {
    return example.tokens() != null ? example.tokens().length : example.numbers().length;
  }

  /** The shares of all channels, or all features of a step, together. */
  private float[] places(float[] shares, Example example) {
    Axes axes = Axes.of(source, feed);
    if (axes.positions().length == 0) {
      return shares;
    }
    int places = axes.time() ? feed.steps(example) : 1;
    for (int i = 0; !axes.time() && i < axes.positions().length; i++) {
      places *= (int) example.dims()[i + 1];
    }
    float[] sums = new float[places];
    int channels = shares.length / places;
    for (int i = 0; i < shares.length; i++) {
      sums[axes.time() ? i / channels : i % places] += shares[i];
    }
    return isImage() ? shrink(sums, example) : sums;
  }

  /** By how much an image is shown smaller: no side of more than {@value #MOST_PIXELS} points. */
  private static int shrunk(Example example) {
    long longer = Math.max(example.dims()[1], example.dims()[2]);
    return (int) ((longer + MOST_PIXELS - 1) / MOST_PIXELS);
  }

  /** Planes of an image's size, each point the mean of those that it stands for. */
  private static float[] shrink(float[] planes, Example example) {
    int by = shrunk(example);
    int height = (int) example.dims()[1];
    int width = (int) example.dims()[2];
    if (by <= 1) {
      return planes;
    }
    int rows = (height + by - 1) / by;
    int columns = (width + by - 1) / by;
    int count = planes.length / (height * width);
    float[] small = new float[count * rows * columns];
    int[] of = new int[small.length];
    for (int i = 0; i < planes.length; i++) {
      int plane = i / (height * width);
      int y = i / width % height / by;
      int x = i % width / by;
      int to = (plane * rows + y) * columns + x;
      small[to] += planes[i];
      of[to]++;
    }
    for (int i = 0; i < small.length; i++) {
      small[i] /= of[i];
    }
    return small;
  }

  private void answers(JsonGenerator json) throws IOException {
    json.writeArrayFieldStart("answers");
    if (options.target().isPresent()) {
      String target = options.target().get();
      int at = values.stream().map(Value::name).toList().indexOf(target);
      Optional<Saliency> saliency = saliency(target);
      for (int i = 0; at >= 0 && saliency.isPresent() && i < first.size(); i++) {
        Example example = first.get(i);
        float[] scores = firstActivations.get(i)[at];
        if (scores.length != unitCounts[at] || numbers(example) > MOST_SALIENT) {
          continue;
        }
        int best =
            IntStream.range(0, scores.length)
                .boxed()
                .max(Comparator.comparingDouble(k -> scores[k]))
                .orElse(0);
        json.writeStartObject();
        json.writeNumberField("item", item(example));
        json.writeNumberField("answer", best);
        json.writeNumberField("score", scores[best]);
        Saliency of = saliency.get();
        json.writeStringField("gradient", signed(places(of.gradient(example, best, 0), example)));
        json.writeStringField(
            "integrated",
            signed(places(of.integratedGradients(example, best, 0, INTEGRATED_STEPS), example)));
        json.writeStringField("occlusion", signed(occluded(of, example, best)));
        json.writeEndObject();
      }
    }
    json.writeEndArray();
  }

  private float[] occluded(Saliency of, Example example, int answer) {
    int window = isImage() ? Math.max(1, (int) example.dims()[1] / 7) : 1;
    float[] lost = of.occlusion(example, answer, 0, window, (window + 1) / 2);
    return isImage() ? shrink(lost, example) : lost;
  }

  // ---- over time, and all together --------------------------------------------------------------

  private void steps(JsonGenerator json, Detectors detectors) throws IOException {
    json.writeArrayFieldStart("steps");
    for (int value = 0; value < values.size(); value++) {
      if (!detectors.axes(value).time()) {
        continue;
      }
      int units = unitCounts[value];
      int rows = Math.min(units, MOST_ROWS);
      json.writeStartObject();
      json.writeStringField("name", values.get(value).name());
      json.writeNumberField("units", rows);
      json.writeNumberField("of", units);
      json.writeArrayFieldStart("examples");
      for (int i = 0; i < first.size(); i++) {
        float[] all = firstActivations.get(i)[value];
        int count = Math.min(MOST_STEPS, all.length / units);
        float[] kept = new float[count * rows];
        for (int t = 0; t < count; t++) {
          System.arraycopy(all, t * units, kept, t * rows, rows);
        }
        json.writeStartObject();
        json.writeNumberField("item", item(first.get(i)));
        json.writeNumberField("steps", count);
        json.writeNumberField("scale", largest(kept));
        json.writeStringField("data", signed(kept));
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private void points(JsonGenerator json, Detectors detectors) throws IOException {
    json.writeArrayFieldStart("points");
    for (Example example : sample) {
      json.writeNumber(item(example));
    }
    json.writeEndArray();
    json.writeArrayFieldStart("maps");
    for (int value = 0; value < values.size(); value++) {
      int at = value;
      int size = sampled.get(0)[value].length;
      boolean same = sampled.stream().allMatch(each -> each[at].length == size);
      if (!same || size < 2 || sampled.size() < 3) {
        continue;
      }
      float[][] rows = sampled.stream().map(each -> each[at]).toArray(float[][]::new);
      Projection projection = Projection.of(rows, 2);
      json.writeStartObject();
      json.writeStringField("name", values.get(value).name());
      json.writeBooleanField("mean", detectors.axes(value).time());
      json.writeArrayFieldStart("explained");
      json.writeNumber(projection.explained(0));
      json.writeNumber(projection.explained(1));
      json.writeEndArray();
      json.writeArrayFieldStart("xy");
      for (float[] row : rows) {
        for (float each : projection.apply(row)) {
          json.writeNumber(rounded(each));
        }
      }
      json.writeEndArray();
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private static double rounded(double value) {
    return Double.parseDouble(String.format(java.util.Locale.ROOT, "%.4g", value));
  }

  // ---- examples ---------------------------------------------------------------------------------

  private int item(Example example) {
    return items.computeIfAbsent(example, key -> items.size());
  }

  private void items(JsonGenerator json, int always) throws IOException {
    json.writeArrayFieldStart("items");
    int at = -1;
    for (Example example : items.keySet()) {
      at++;
      json.writeStartObject();
      json.writeStringField("id", example.id());
      if (example.label().isPresent()) {
        json.writeStringField("label", example.label().get());
      }
      if (example.tokens() != null) {
        strings(
            json,
            "tokens",
            Arrays.stream(example.tokens())
                .limit(MOST_STEPS)
                .mapToObj(t -> t < options.symbols().size() ? options.symbols().get(t) : "" + t)
                .toList());
        json.writeStringField("text", example.text());
      } else if (isImage()) {
        int by = shrunk(example);
        json.writeNumberField("height", (example.dims()[1] + by - 1) / by);
        json.writeNumberField("width", (example.dims()[2] + by - 1) / by);
        json.writeNumberField("channels", example.dims()[0]);
        if (at < always || example.numbers().length <= MOST_FEATURES) {
          json.writeStringField("pixels", pixels(shrink(example.numbers(), example)));
        }
      } else {
        signal(json, example);
      }
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  private void signal(JsonGenerator json, Example example) throws IOException {
    int steps = feed.steps(example);
    int size = Math.max(1, example.numbers().length / Math.max(1, steps));
    int count = Math.min(MOST_STEPS, steps);
    json.writeNumberField("features", size);
    json.writeArrayFieldStart("signal");
    for (int t = 0; t < count && size <= 64; t++) {
      double sum = 0;
      for (int i = 0; i < size; i++) {
        sum += example.numbers()[t * size + i];
      }
      json.writeNumber(rounded(sum / size));
    }
    json.writeEndArray();
  }

  /** Numbers between their smallest and largest as bytes. */
  private static String pixels(float[] numbers) {
    float low = Float.POSITIVE_INFINITY;
    float high = Float.NEGATIVE_INFINITY;
    for (float each : numbers) {
      low = Math.min(low, each);
      high = Math.max(high, each);
    }
    byte[] bytes = new byte[numbers.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) Math.round(high > low ? 255 * (numbers[i] - low) / (high - low) : 0);
    }
    return Base64.getEncoder().encodeToString(bytes);
  }

  private static float largest(float[] numbers) {
    float most = 0;
    for (float each : numbers) {
      most = Math.max(most, Math.abs(each));
    }
    return Float.isFinite(most) ? most : 0;
  }

  /** Numbers as signed bytes, the largest magnitude as 127. */
  private static String signed(float[] numbers) {
    float most = largest(numbers);
    byte[] bytes = new byte[numbers.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) (most > 0 ? Math.round(127 * numbers[i] / most) : 0);
    }
    return Base64.getEncoder().encodeToString(bytes);
  }

  private static float[] doubles(int count, java.util.function.IntToDoubleFunction of) {
    float[] all = new float[count];
    for (int i = 0; i < count; i++) {
      all[i] = (float) of.applyAsDouble(i);
    }
    return all;
  }
}
