package io.gatun.jmh.peer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.gatun.jmh.Limits;
import io.gatun.kernel.Devices;
import io.gatun.kernel.WeightFormat;
import java.io.IOException;
import java.io.Writer;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.function.Supplier;

/**
 * Gatun beside what people would use instead, in one process, in one run: what the machine does at
 * most, the matrix product, eighteen recurrent layers with one thread and with two, the same beside
 * a busy process, smaller weights, ragged batches. Prints tables, and writes them with the raw
 * times and a picture.
 *
 * <pre>
 * Comparison [--quick] [--only=limits,product,layers,busy,formats,ragged] [--threads=1,2] [--rounds=7]
 *            [--cells=LSTM,GRU,RNN] [--shapes=50x1x256,…] [--peers=Gatun,oneDNN,…]
 *            [--out=jmh/results/NAME] [--page=docs/performance.md]
 * </pre>
 *
 * <p>{@code --out} writes {@code NAME.md}, {@code NAME.json} and {@code NAME.svg}; {@code --page}
 * puts the tables between the two marks in that page.
 */
public final class Comparison {
  private static final String BEGIN = "<!-- figures of jmh/run -->";
  private static final String END = "<!-- end of figures -->";
  private static final List<String> SECTIONS =
      List.of("limits", "product", "layers", "busy", "formats", "ragged");
  private static final int[] ROWS = {32, 64, 128, 256, 512};
  private static final int[] INNER = {256, 512, 1024};
  private static final int COLUMNS = 1024;
  private static final int KIBI = 1024;
  private static final int[] WORKING_SETS = {
    16 * KIBI, 512 * KIBI, 8 * KIBI * KIBI, 256 * KIBI * KIBI
  };
  private static final String[] LEVELS = {"L1, 16 KB", "L2, 512 KB", "L3, 8 MB", "memory, 256 MB"};
  private static final int QUICK_SHAPES = 4;
  private static final List<String> BUSY_SHAPES = List.of("50x1x1024", "50x32x256", "50x64x512");
  private static final int RAGGED_BATCH = 64;
  private static final int RAGGED_SHORTEST = 5;
  private static final int RAGGED_LONGEST = 100;
  private static final long SEED = 42;
  private static final long LAYER_NANOS = 12_000_000_000L;
  private static final long PRODUCT_NANOS = 1_500_000_000L;

  /** What was measured at one problem. */
  private record Measured(
      String section, String problem, String group, int threads, double operations, Rounds rounds) {

    String ours() {
      return rounds.names().get(0);
    }

    double rate(String name) {
      return Limits.rate(operations, rounds.median(name));
    }
  }

  private final Map<String, String> options = new LinkedHashMap<>();
  private final StringBuilder text = new StringBuilder();
  private final List<Measured> all = new ArrayList<>();
  private final Map<Integer, Double> peaks = new LinkedHashMap<>();
  private final Map<String, Double> bandwidths = new LinkedHashMap<>();
  private final boolean quick;

  private Comparison(String... args) {
    for (String arg : args) {
      String[] parts = arg.split("=", 2);
      if (!parts[0].startsWith("--")) {
        throw new IllegalArgumentException(arg + ": expected --NAME or --NAME=VALUE");
      }
      options.put(parts[0].substring(2), parts.length > 1 ? parts[1] : "");
    }
    quick = options.containsKey("quick");
  }

  /** Runs it; the options are said above. */
  public static void main(String[] args) throws IOException, InterruptedException {
    Comparison comparison = new Comparison(args);
    comparison.run();
    comparison.write();
  }

  private List<String> list(String option, List<String> otherwise) {
    return options.containsKey(option)
        ? Arrays.asList(options.get(option).split(",", -1))
        : otherwise;
  }

  private int[] threads() {
    return list("threads", List.of("1", "2")).stream().mapToInt(Integer::parseInt).toArray();
  }

  private int rounds(int otherwise) {
    return Integer.parseInt(options.getOrDefault("rounds", quick ? "3" : "" + otherwise));
  }

  private void run() throws IOException, InterruptedException {
    List<String> only = list("only", SECTIONS);
    machine();
    for (String section : only) {
      long begin = System.nanoTime();
      switch (section) {
        case "limits" -> limits();
        case "product" -> product();
        case "layers" -> layers();
        case "busy" -> busy();
        case "formats" -> formats();
        case "ragged" -> ragged();
        default -> throw new IllegalArgumentException(section + " is none of " + SECTIONS);
      }
      System.err.printf(
          Locale.ROOT, "(%s took %.0f s)%n", section, (System.nanoTime() - begin) / 1e9);
    }
  }

  // ---- who takes part -------------------------------------------------------------------------

  private <P> List<Supplier<Peer<P>>> chosen(List<Supplier<Peer<P>>> makers) {
    List<String> names = list("peers", List.of());
    if (names.isEmpty()) {
      return makers;
    }
    List<Supplier<Peer<P>>> kept = new ArrayList<>(makers);
    kept.removeIf(
        maker -> {
          try (Peer<P> peer = maker.get()) {
            return !names.contains(peer.name());
          }
        });
    return kept;
  }

  private static boolean there(String what, Runnable load) {
    try {
      load.run();
      return true;
    } catch (UnsupportedOperationException e) {
      System.err.println("without " + what + ": " + e.getMessage());
      return false;
    }
  }

  private List<Supplier<Peer<LayerProblem>>> layerPeers() {
    List<Supplier<Peer<LayerProblem>>> makers = new ArrayList<>();
    makers.add(GatunLayer::new);
    makers.add(OnnxRuntimeLayer::new);
    if (there("oneDNN", OneDnn::get)) {
      makers.add(OneDnnLayer::new);
    }
    return chosen(makers);
  }

  private List<Supplier<Peer<ProductProblem>>> productPeers() {
    List<Supplier<Peer<ProductProblem>>> makers = new ArrayList<>();
    makers.add(GatunProduct::new);
    if (there("oneDNN", OneDnn::get)) {
      makers.add(OneDnnProduct::new);
    }
    if (there("MKL", MklProduct::load)) {
      makers.add(MklProduct::new);
    }
    return chosen(makers);
  }

  // ---- sections -------------------------------------------------------------------------------

  private void machine() {
    List<String> peers = new ArrayList<>();
    peers.add("ONNX Runtime " + ai.onnxruntime.OrtEnvironment.getEnvironment().getVersion());
    if (there("oneDNN", OneDnn::get)) {
      peers.add("oneDNN " + OneDnn.get().version() + " (GNU OpenMP)");
    }
    if (there("MKL", MklProduct::load)) {
      peers.add(MklProduct.version().replaceAll(".*Version ([^ ]*).*", "MKL $1") + " (GNU OpenMP)");
    }
    print(
        "%s: %s, %d processors; %s %s; %s.%n",
        LocalDate.now(ZoneOffset.UTC),
        processor(),
        Runtime.getRuntime().availableProcessors(),
        System.getProperty("java.vm.name"),
        System.getProperty("java.vm.version"),
        Devices.open(Peer.PROCESSOR).description());
    print("Flags of the JVM: `%s`.%n", String.join(" ", flags()));
    print("Beside it: %s.%n%n", String.join(", ", peers));
  }

  private static List<String> flags() {
    return ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
        .filter(flag -> flag.startsWith("-XX") || flag.startsWith("-X") || flag.contains("modules"))
        .toList();
  }

  private static String processor() {
    Path info = Path.of("/proc/cpuinfo");
    if (Files.isReadable(info)) {
      try (var lines = Files.lines(info)) {
        return lines
            .filter(line -> line.startsWith("model name"))
            .findFirst()
            .map(line -> line.substring(line.indexOf(':') + 1).strip())
            .orElse(System.getProperty("os.arch"));
      } catch (IOException e) {
        System.err.println(info + ": " + e.getMessage());
      }
    }
    return System.getProperty("os.arch");
  }

  private double peak(int threads) {
    return peaks.computeIfAbsent(threads, Limits::peak);
  }

  private void limits() {
    print("### What the machine does at most%n%n");
    int[] threads = threads();
    StringBuilder head = new StringBuilder("| |");
    StringBuilder line = new StringBuilder("|---|");
    for (int count : threads) {
      head.append(count == 1 ? " 1 thread |" : " " + count + " threads |");
      line.append("---|");
    }
    print("%s%n%s%n| float32 multiply–adds, GFLOP/s |", head, line);
    for (int count : threads) {
      print(" %.0f |", peak(count));
    }
    for (int level = 0; level < WORKING_SETS.length; level++) {
      print("%n| reads from %s, GB/s |", LEVELS[level]);
      for (int count : threads) {
        double rate = Limits.bandwidth(WORKING_SETS[level], count);
        bandwidths.put(LEVELS[level] + ", threads " + count, rate);
        print(" %.0f |", rate);
      }
    }
    print("%n%n");
  }

  private void product() throws InterruptedException {
    print("### Matrix product, right-hand side packed beforehand, %d columns%n%n", COLUMNS);
    List<Supplier<Peer<ProductProblem>>> peers = productPeers();
    int[] rowCounts = quick ? new int[] {32, 128, 512} : ROWS;
    for (int threads : threads()) {
      boolean first = true;
      Map<String, Double> logarithms = new LinkedHashMap<>();
      int count = 0;
      for (int inner : INNER) {
        for (int rows : rowCounts) {
          ProductProblem problem = ProductProblem.random(rows, inner, COLUMNS);
          Measured measured =
              new Measured(
                  "product",
                  rows + " × " + inner,
                  "product",
                  threads,
                  problem.operations(),
                  Rounds.of(
                      peers, problem, threads, Reference.of(problem), rounds(9), PRODUCT_NANOS));
          all.add(measured);
          List<String> names = measured.rounds.names();
          if (first) {
            print("GFLOP/s with %d thread(s), peak %.0f:%n%n", threads, peak(threads));
            print("| rows × inner | %s | of peak |", String.join(" | ", names));
            names.stream().skip(1).forEach(name -> print(" Gatun ÷ %s |", name));
            print("%n|---|%s---|%n", "---|".repeat(2 * names.size() - 1));
            first = false;
          }
          print("| %s |", measured.problem);
          names.forEach(name -> print(" %.1f |", measured.rate(name)));
          print(" %.0f %% |", 100 * measured.rate(measured.ours()) / peak(threads));
          for (String name : names.subList(1, names.size())) {
            double ratio = measured.rounds.ratio(name);
            logarithms.merge(name, Math.log(ratio), Double::sum);
            print(" %.2f |", ratio);
          }
          print("%n");
          count++;
        }
      }
      int total = count;
      print("| geometric mean |%s |", " |".repeat(logarithms.size() + 1));
      logarithms.values().forEach(sum -> print(" **%.3f** |", Math.exp(sum / total)));
      print("%n%n");
    }
  }

  private void layers() throws InterruptedException {
    print("### One layer over whole sequences, float32%n%n");
    List<Supplier<Peer<LayerProblem>>> peers = layerPeers();
    List<String> shapes =
        list("shapes", quick ? LayerProblem.SHAPES.subList(0, QUICK_SHAPES) : LayerProblem.SHAPES);
    Map<String, Measured> byName = new LinkedHashMap<>();
    List<String> cells = list("cells", LayerProblem.CELLS);
    for (String cell : cells) {
      for (String shape : shapes) {
        LayerProblem problem = LayerProblem.random(cell, shape);
        Rounds.Check check = Reference.of(problem);
        for (int threads : threads()) {
          Measured measured =
              new Measured(
                  "layers",
                  shape.replace("x", " × "),
                  cell,
                  threads,
                  problem.operations(),
                  Rounds.of(peers, problem, threads, check, rounds(7), LAYER_NANOS));
          all.add(measured);
          byName.put(cell + shape + threads, measured);
          System.err.println(
              problem + ", threads " + threads + ": " + line(measured, measured.rounds.names()));
        }
      }
    }
    for (int threads : threads()) {
      layerTable(cells, shapes, threads, byName);
    }
  }

  private static String line(Measured measured, List<String> names) {
    StringBuilder line = new StringBuilder();
    for (String name : names) {
      line.append(String.format(Locale.ROOT, " %s %.3f ms", name, measured.rounds.median(name)));
    }
    return line + String.format(Locale.ROOT, "; %.2f", measured.rounds.ratioToFastest());
  }

  private void layerTable(
      List<String> cells, List<String> shapes, int threads, Map<String, Measured> byName) {
    Measured any = byName.get(cells.get(0) + shapes.get(0) + threads);
    List<String> names = any.rounds.names();
    boolean speedUp = threads > 1 && byName.containsKey(cells.get(0) + shapes.get(0) + 1);
    print(
        "Milliseconds with %d thread(s); time × batch × hidden, input as wide as hidden:%n%n",
        threads);
    print("| cell | shape | %s | of peak | fastest other ÷ Gatun |", String.join(" | ", names));
    print(speedUp ? " one thread ÷ %d |" : "", threads);
    print("%n|---|---|%s---|---|%s%n", "---|".repeat(names.size()), speedUp ? "---|" : "");
    double total = 0;
    List<String> means = new ArrayList<>();
    for (String cell : cells) {
      double sum = 0;
      for (String shape : shapes) {
        Measured measured = byName.get(cell + shape + threads);
        print("| %s | %s |", cell, measured.problem);
        names.forEach(name -> print(" %.3f |", measured.rounds.median(name)));
        double ratio = measured.rounds.ratioToFastest();
        print(" %.0f %% |", 100 * measured.rate(measured.ours()) / peak(threads));
        print(" %.2f |", ratio);
        if (speedUp) {
          Rounds one = byName.get(cell + shape + 1).rounds;
          print(" %.2f |", one.median(measured.ours()) / measured.rounds.median(measured.ours()));
        }
        print("%n");
        sum += Math.log(ratio);
      }
      means.add(String.format(Locale.ROOT, "%s %.3f", cell, Math.exp(sum / shapes.size())));
      total += sum;
    }
    print(
        "%nGeometric means of fastest other ÷ Gatun: %s, **all %.3f**.%n",
        String.join(", ", means), Math.exp(total / (shapes.size() * cells.size())));
    long most =
        byName.values().stream()
            .filter(measured -> measured.threads == threads)
            .mapToLong(measured -> measured.rounds.allocated(measured.ours()))
            .max()
            .orElse(0);
    print("Bytes that Gatun allocates on the heap in a run, the most of all: %d.%n%n", most);
  }

  private void busy() throws IOException, InterruptedException {
    int processors = Runtime.getRuntime().availableProcessors();
    print(
        "### Beside a process that keeps a processor busy: LSTM, as many threads as processors%n%n"
            + "The fair share of %d threads beside one more on %d processors is %.0f %%.%n%n",
        processors, processors, 100.0 * processors / (processors + 1));
    List<Supplier<Peer<LayerProblem>>> peers = layerPeers();
    boolean first = true;
    for (String shape : list("shapes", BUSY_SHAPES)) {
      LayerProblem problem = LayerProblem.random("LSTM", shape);
      Rounds.Check check = Reference.of(problem);
      Rounds alone = Rounds.of(peers, problem, processors, check, rounds(7), LAYER_NANOS / 3);
      Process other = new ProcessBuilder("sh", "-c", "while :; do :; done").start();
      Rounds beside;
      try {
        beside = Rounds.of(peers, problem, processors, check, rounds(7), LAYER_NANOS / 2);
      } finally {
        other.destroy();
        other.waitFor();
      }
      List<String> names = beside.names();
      if (first) {
        print("| shape | %s, ms |", String.join(", ms | ", names));
        names.forEach(name -> print(" %s keeps |", name));
        print("%n|---|%s%n", "---|".repeat(2 * names.size()));
        first = false;
      }
      String named = shape.replace("x", " × ");
      all.add(new Measured("busy", named, "LSTM", processors, problem.operations(), beside));
      print("| %s |", named);
      names.forEach(name -> print(" %.3f |", beside.median(name)));
      names.forEach(name -> print(" %.0f %% |", 100 * alone.median(name) / beside.median(name)));
      print("%n");
    }
    print("%n");
  }

  private void formats() throws InterruptedException {
    for (String cell : list("cells", List.of("LSTM"))) {
      for (String shape : list("shapes", List.of("50x1x1024"))) {
        formats(LayerProblem.random(cell, shape), shape.replace("x", " × "));
      }
    }
  }

  private void formats(LayerProblem problem, String shape) throws InterruptedException {
    print("### Smaller weights: %s, 1 thread%n%n", problem);
    double[] expected = Reference.outputs(problem);
    Map<String, Double> differences = new LinkedHashMap<>();
    List<Supplier<Peer<LayerProblem>>> peers = new ArrayList<>();
    peers.add(GatunLayer::new);
    peers.add(() -> new GatunLayer(WeightFormat.BFLOAT16));
    peers.add(() -> new GatunLayer(WeightFormat.INT8));
    List<Supplier<Peer<LayerProblem>>> others = layerPeers();
    peers.addAll(others.subList(1, others.size()));
    Rounds rounds =
        Rounds.of(
            peers,
            problem,
            1,
            (who, output) -> {
              double most = 0;
              for (int i = 0; i < output.length; i++) {
                most = Math.max(most, Math.abs(output[i] - expected[i]));
              }
              differences.put(who.substring(0, who.indexOf(':')), most);
            },
            rounds(9),
            LAYER_NANOS);
    all.add(new Measured("formats", shape, problem.cell(), 1, problem.operations(), rounds));
    double fastest =
        rounds.names().stream()
            .filter(name -> !name.startsWith("Gatun"))
            .mapToDouble(rounds::ratio)
            .min()
            .orElse(Double.NaN);
    print("| | ms | fastest other ÷ this | largest difference from float64 |%n|---|---|---|---|%n");
    for (String name : rounds.names()) {
      print(
          "| %s | %.3f | %.2f | %.1e |%n",
          name, rounds.median(name), fastest / rounds.ratio(name), differences.get(name));
    }
    print("%n");
  }

  private void ragged() throws InterruptedException {
    print(
        "### Ragged batch: %d sequences of %d to %d steps%n%n",
        RAGGED_BATCH, RAGGED_SHORTEST, RAGGED_LONGEST);
    Random random = new Random(SEED);
    int[] lengths = random.ints(RAGGED_BATCH, RAGGED_SHORTEST, RAGGED_LONGEST + 1).toArray();
    lengths[0] = RAGGED_LONGEST;
    List<Supplier<Peer<LayerProblem>>> peers = layerPeers();
    boolean first = true;
    for (String cell : quick ? List.of("LSTM", "GRU") : LayerProblem.CELLS) {
      for (int hidden : quick ? new int[] {256} : new int[] {256, 512}) {
        LayerProblem problem =
            LayerProblem.random(cell, RAGGED_LONGEST, RAGGED_BATCH, hidden, lengths);
        Rounds.Check check = Reference.of(problem);
        for (int threads : threads()) {
          Rounds rounds = Rounds.of(peers, problem, threads, check, rounds(7), LAYER_NANOS / 3);
          all.add(
              new Measured(
                  "ragged", "hidden " + hidden, cell, threads, problem.operations(), rounds));
          List<String> names = rounds.names();
          if (first) {
            print("| cell | hidden | threads | %s, ms |", String.join(", ms | ", names));
            names.stream().skip(1).forEach(name -> print(" %s ÷ Gatun |", name));
            print("%n|---|---|---|%s%n", "---|".repeat(2 * names.size() - 1));
            first = false;
          }
          print("| %s | %d | %d |", cell, hidden, threads);
          names.forEach(name -> print(" %.3f |", rounds.median(name)));
          names.stream().skip(1).forEach(name -> print(" %.2f |", rounds.ratio(name)));
          print("%n");
        }
      }
    }
    print(
        "%noneDNN's layers know no lengths: it computes all sequences to the longest one's end.%n%n");
  }

  // ---- what is written ------------------------------------------------------------------------

  @SuppressWarnings("AnnotateFormatMethod")
  private void print(String format, Object... values) {
    String part = String.format(Locale.ROOT, format, values);
    System.out.print(part);
    text.append(part);
  }

  private void write() throws IOException {
    if (options.containsKey("out")) {
      Path target = Path.of(options.get("out")).toAbsolutePath();
      Files.createDirectories(target.getParent());
      String name = target.getFileName().toString();
      Files.writeString(target.resolveSibling(name + ".md"), text);
      try (Writer out = Files.newBufferedWriter(target.resolveSibling(name + ".json"))) {
        json(out);
      }
      Chart chart = new Chart();
      for (Measured measured : all) {
        if (measured.section.equals("layers")) {
          chart.bar(
              measured.group, measured.problem, measured.threads, measured.rounds.ratioToFastest());
        }
      }
      Files.writeString(target.resolveSibling(name + ".svg"), chart.svg());
    }
    if (options.containsKey("page")) {
      Path page = Path.of(options.get("page"));
      String old = Files.readString(page);
      int begin = old.indexOf(BEGIN);
      int end = old.indexOf(END);
      if (begin < 0 || end < begin) {
        throw new IOException(page + " has no lines " + BEGIN + " and " + END);
      }
      String picture = "";
      if (options.containsKey("out")) {
        Path out = Path.of(options.get("out") + ".svg").toAbsolutePath();
        Path from = page.toAbsolutePath().getParent();
        picture = "![Layers beside the fastest other](" + from.relativize(out) + ")\n\n";
      }
      Files.writeString(
          page,
          old.substring(0, begin + BEGIN.length()) + "\n\n" + text + picture + old.substring(end));
    }
  }

  private void json(Writer out) throws IOException {
    try (JsonGenerator json = new JsonFactory().createGenerator(out)) {
      json.useDefaultPrettyPrinter();
      json.writeStartObject();
      json.writeStringField("date", LocalDate.now(ZoneOffset.UTC).toString());
      json.writeStringField("processor", processor());
      json.writeNumberField("processors", Runtime.getRuntime().availableProcessors());
      json.writeStringField("java", System.getProperty("java.vm.version"));
      json.writeStringField("device", Devices.open(Peer.PROCESSOR).description());
      json.writeObjectFieldStart("peakGigaflops");
      for (Map.Entry<Integer, Double> peak : peaks.entrySet()) {
        json.writeNumberField(peak.getKey().toString(), peak.getValue());
      }
      json.writeEndObject();
      json.writeObjectFieldStart("readGigabytes");
      for (Map.Entry<String, Double> rate : bandwidths.entrySet()) {
        json.writeNumberField(rate.getKey(), rate.getValue());
      }
      json.writeEndObject();
      json.writeArrayFieldStart("measured");
      for (Measured measured : all) {
        json.writeStartObject();
        json.writeStringField("section", measured.section);
        json.writeStringField("group", measured.group);
        json.writeStringField("problem", measured.problem);
        json.writeNumberField("threads", measured.threads);
        json.writeNumberField("operations", measured.operations);
        for (String name : measured.rounds.names()) {
          json.writeObjectFieldStart(name);
          json.writeNumberField("heapBytes", measured.rounds.allocated(name));
          json.writeFieldName("millis");
          double[] millis = measured.rounds.millis(name);
          json.writeArray(millis, 0, millis.length);
          json.writeEndObject();
        }
        json.writeEndObject();
      }
      json.writeEndArray();
      json.writeEndObject();
    }
  }
}
