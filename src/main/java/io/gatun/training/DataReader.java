package io.gatun.training;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import io.gatun.format.Json;
import io.gatun.format.ModelFormatException;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Reads the data that a configuration names. The formats:
 *
 * <ul>
 *   <li>{@code class_files}: a text file for each class, a text on each line; {@code path} is a
 *       folder of {@code CLASS.txt}, or {@code files} maps classes to files
 *   <li>{@code labelled}: lines of a text and a label with a {@code separator} (a tab) between;
 *       {@code label} says which comes {@code first} or {@code last} (the default); {@code labels}
 *       may map what is in the file to other names
 *   <li>{@code pairs}: lines of columns with tabs between, {@code source_column} (0) and {@code
 *       target_column} (1); targets of the same source are all right. {@code replace_in_target}
 *       maps parts of targets to what is to stand there instead, such as letters of another script
 *   <li>{@code cmudict}: the pronouncing dictionary: words in lower case, their phonemes; {@code
 *       stress} (true) keeps the marks of stress, {@code alphabetic} (true) leaves out entries with
 *       anything but letters. A word's several pronunciations are all right
 *   <li>{@code digits}: {@code path} is a folder with a file {@code N.json} for each class, {@code
 *       {"data": [...]}}, images one behind the other, each of {@code size} (784) numbers
 *   <li>{@code idx}: {@code images} and {@code labels} in the format of the MNIST database,
 *       uncompressed
 *   <li>{@code sums}: {@code count} sequences of {@code minimum_length} (1) to {@code length}
 *       random numbers from −1 to 1, made from {@code seed} (1); right are their running sums
 * </ul>
 *
 * <p>Text is {@code encoding} (utf-8, or latin-1). Paths are seen from the configuration's folder.
 * Empty lines are left out. Stateless.
 */
final class DataReader {
  private static final String[] FORMATS = {
    "class_files", "labelled", "pairs", "cmudict", "digits", "idx", "sums"
  };

  private final Json data;
  private final Json.Fields fields;
  private final Path folder;
  private final Charset charset;

  private DataReader(Json data, Path folder) {
    this.data = data;
    this.fields = data.fields();
    this.folder = folder;
    String encoding = fields.find("encoding").map(e -> e.oneOf("utf-8", "latin-1")).orElse("utf-8");
    charset = encoding.equals("utf-8") ? StandardCharsets.UTF_8 : StandardCharsets.ISO_8859_1;
  }

  /**
   * Reads all samples, in the order of the files.
   *
   * @param data what the configuration says of them
   * @param folder the folder of the configuration
   * @throws ModelFormatException if the configuration or a file is not what it should be
   */
  static List<Sample> read(Json data, Path folder) throws IOException {
    return new DataReader(data, folder).read();
  }

  private List<Sample> read() throws IOException {
    String format = fields.require("format").oneOf(FORMATS);
    int limit = fields.integer("limit", 1, Integer.MAX_VALUE);
    List<Sample> samples =
        switch (format) {
          case "class_files" -> classFiles();
          case "labelled" -> labelled();
          case "pairs" -> pairs();
          case "cmudict" -> dictionary();
          case "digits" -> digits();
          case "idx" -> idx();
          default -> sums();
        };
    fields.done();
    if (samples.isEmpty()) {
      throw data.error("has no sample at all");
    }
    return samples.size() > limit ? samples.subList(0, limit) : samples;
  }

  // ------------------------------------------------------------------------------- files

  private Path path(Json name) throws IOException {
    Path path = folder.resolve(name.string());
    if (!Files.exists(path)) {
      throw name.error(
          "is "
              + path.normalize()
              + ", but there is no such file or folder; an example's README says where its data are"
              + " from");
    }
    return path;
  }

  private List<Path> files() throws IOException {
    List<Path> paths = new ArrayList<>();
    for (Json each : fields.require("files").items()) {
      paths.add(path(each));
    }
    return paths;
  }

  private List<String> lines(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    try {
      String text = charset.newDecoder().decode(buffer).toString();
      // Other separators, such as U+0085, stand within sentences.
      return List.of(text.split("\r?\n", -1));
    } catch (CharacterCodingException e) {
      long line = 1;
      for (int i = 0; i < buffer.position(); i++) {
        line += bytes[i] == '\n' ? 1 : 0;
      }
      throw ModelFormatException.atLine(
          file.toString(), line, "is no UTF-8 text; \"encoding\": \"latin-1\" may be right", e);
    }
  }

  private List<Sample> classFiles() throws IOException {
    Map<String, Path> classes = new LinkedHashMap<>();
    Optional<Json> stated = fields.find("files");
    if (stated.isPresent()) {
      for (Map.Entry<String, Json> each : stated.get().members().entrySet()) {
        classes.put(each.getKey(), path(each.getValue()));
      }
    } else {
      Json name = fields.require("path");
      try (Stream<Path> all = Files.list(path(name))) {
        all.filter(file -> file.toString().endsWith(".txt"))
            .sorted()
            .forEach(file -> classes.put(file.getFileName().toString().replace(".txt", ""), file));
      }
    }
    List<Sample> samples = new ArrayList<>();
    for (Map.Entry<String, Path> each : classes.entrySet()) {
      int before = samples.size();
      for (String line : lines(each.getValue())) {
        if (!line.isBlank()) {
          samples.add(Sample.of(line.strip(), List.of(each.getKey())));
        }
      }
      if (samples.size() == before) {
        throw data.error("has no example of class " + each.getKey() + ": " + each.getValue());
      }
    }
    return samples;
  }

  private List<Sample> labelled() throws IOException {
    String separator = fields.string("separator", "\t");
    boolean first =
        fields.find("label").map(l -> l.oneOf("first", "last").equals("first")).orElse(false);
    Map<String, String> names = new LinkedHashMap<>();
    fields
        .find("labels")
        .ifPresent(map -> map.members().forEach((key, name) -> names.put(key, name.string())));
    Set<String> seen = new LinkedHashSet<>();
    List<Sample> samples = new ArrayList<>();
    for (Path file : files()) {
      long number = 0;
      for (String line : lines(file)) {
        number++;
        if (line.isBlank()) {
          continue;
        }
        int cut = first ? line.indexOf(separator) : line.lastIndexOf(separator);
        if (cut < 0) {
          throw ModelFormatException.atLine(
              file.toString(), number, "has no separator between text and label", null);
        }
        String before = line.substring(0, cut).strip();
        String after = line.substring(cut + separator.length()).strip();
        String label = first ? before : after;
        if (!names.isEmpty() && !names.containsKey(label)) {
          throw ModelFormatException.atLine(
              file.toString(), number, "has the label " + label + ", expected " + names, null);
        }
        seen.add(label);
        samples.add(Sample.of(first ? after : before, List.of(names.getOrDefault(label, label))));
      }
    }
    for (String label : names.keySet()) {
      if (!seen.contains(label)) {
        throw fields.require("labels").error("names " + label + ", of which there is no example");
      }
    }
    return samples;
  }

  private List<Sample> pairs() throws IOException {
    int source = fields.integer("source_column", 0, 0);
    int target = fields.integer("target_column", 0, 1);
    Map<String, String> replaced = new LinkedHashMap<>();
    fields
        .find("replace_in_target")
        .ifPresent(map -> map.members().forEach((key, to) -> replaced.put(key, to.string())));
    int longest = replaced.keySet().stream().mapToInt(String::length).max().orElse(0);
    Map<String, Set<String>> targets = new LinkedHashMap<>();
    for (Path file : files()) {
      long number = 0;
      for (String line : lines(file)) {
        number++;
        if (line.isBlank()) {
          continue;
        }
        String[] columns = line.split("\t", -1);
        if (columns.length <= Math.max(source, target)) {
          throw ModelFormatException.atLine(
              file.toString(),
              number,
              "has " + columns.length + " columns, expected " + (Math.max(source, target) + 1),
              null);
        }
        targets
            .computeIfAbsent(columns[source].strip(), key -> new LinkedHashSet<>())
            .add(replaced(columns[target].strip(), replaced, longest));
      }
    }
    return grouped(targets);
  }

  /** A text with parts of it replaced, from left to right, the longest that fits first. */
  private static String replaced(String text, Map<String, String> parts, int longest) {
    StringBuilder result = new StringBuilder();
    for (int at = 0; at < text.length(); ) {
      int length = Math.min(longest, text.length() - at);
      while (length > 0 && !parts.containsKey(text.substring(at, at + length))) {
        length--;
      }
      int end = at + Math.max(1, length);
      String part = text.substring(at, end);
      result.append(parts.getOrDefault(part, part));
      at = end;
    }
    return result.toString();
  }

  private static List<Sample> grouped(Map<String, Set<String>> targets) {
    List<Sample> samples = new ArrayList<>();
    targets.forEach((text, right) -> samples.add(Sample.of(text, List.copyOf(right))));
    return samples;
  }

  private List<Sample> dictionary() throws IOException {
    boolean stress = fields.bool("stress", true);
    boolean alphabetic = fields.bool("alphabetic", true);
    Map<String, Set<String>> targets = new LinkedHashMap<>();
    for (Path file : files()) {
      long number = 0;
      for (String line : lines(file)) {
        number++;
        if (line.startsWith(";;;") || line.isBlank()) {
          continue;
        }
        String[] parts = line.strip().split("\\s+", 2);
        if (parts.length < 2) {
          throw ModelFormatException.atLine(
              file.toString(), number, "has a word without phonemes", null);
        }
        String word = parts[0].replaceFirst("\\(\\d+\\)$", "");
        if (alphabetic && !word.matches("[A-Z]+")) {
          continue;
        }
        String phonemes = parts[1].strip().replaceAll("\\s+", " ");
        targets
            .computeIfAbsent(word.toLowerCase(java.util.Locale.ROOT), key -> new LinkedHashSet<>())
            .add(stress ? phonemes : phonemes.replaceAll("\\d", ""));
      }
    }
    return grouped(targets);
  }

  private List<Sample> digits() throws IOException {
    int size = fields.integer("size", 1, 784);
    Map<String, Path> files = new TreeMap<>();
    try (Stream<Path> all = Files.list(path(fields.require("path")))) {
      all.filter(file -> file.toString().endsWith(".json"))
          .forEach(file -> files.put(file.getFileName().toString().replace(".json", ""), file));
    }
    List<Sample> samples = new ArrayList<>();
    for (Map.Entry<String, Path> each : files.entrySet()) {
      List<float[]> images = images(each.getValue(), size);
      if (images.isEmpty()) {
        throw data.error("has no example of class " + each.getKey() + ": " + each.getValue());
      }
      images.forEach(image -> samples.add(Sample.of(image, each.getKey())));
    }
    return samples;
  }

  private static List<float[]> images(Path file, int size) throws IOException {
    List<float[]> images = new ArrayList<>();
    float[] image = new float[size];
    int at = 0;
    try (JsonParser parser = new JsonFactory().createParser(file.toFile())) {
      for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
        if (token.isNumeric()) {
          image[at++] = parser.getFloatValue();
          if (at == size) {
            images.add(image);
            image = new float[size];
            at = 0;
          }
        }
      }
    } catch (JsonProcessingException e) {
      throw ModelFormatException.in(file.toString(), "is no JSON: " + e.getOriginalMessage(), e);
    }
    if (at != 0) {
      throw ModelFormatException.in(
          file.toString(), "does not have a multiple of " + size + " numbers", null);
    }
    return images;
  }

  private List<Sample> idx() throws IOException {
    Path images = path(fields.require("images"));
    Path labels = path(fields.require("labels"));
    List<Sample> samples = new ArrayList<>();
    try (DataInputStream pixels =
            new DataInputStream(new BufferedInputStream(Files.newInputStream(images)));
        DataInputStream marks =
            new DataInputStream(new BufferedInputStream(Files.newInputStream(labels)))) {
      if (pixels.readInt() != 0x803) {
        throw ModelFormatException.in(images.toString(), "is no IDX file of images", null);
      }
      if (marks.readInt() != 0x801) {
        throw ModelFormatException.in(labels.toString(), "is no IDX file of labels", null);
      }
      int count = pixels.readInt();
      if (marks.readInt() != count) {
        throw ModelFormatException.in(
            labels.toString(), "has not as many labels as there are images", null);
      }
      long size = (long) pixels.readInt() * pixels.readInt();
      if (count < 0 || size < 1 || size > 1 << 24) {
        throw ModelFormatException.in(images.toString(), "has images of " + size + " bytes", null);
      }
      for (int i = 0; i < count; i++) {
        float[] image = new float[(int) size];
        for (int k = 0; k < size; k++) {
          image[k] = pixels.readUnsignedByte() / 255f;
        }
        samples.add(Sample.of(image, String.valueOf(marks.readUnsignedByte())));
      }
    } catch (EOFException e) {
      throw ModelFormatException.in(images.toString(), "ends too early, or its labels do", e);
    }
    return samples;
  }

  private List<Sample> sums() {
    int count = fields.integer("count", 1, 1000);
    int shortest = fields.integer("minimum_length", 1, 1);
    int longest = fields.integer("length", shortest, Math.max(10, shortest));
    Random random = new Random(fields.integer("seed", 0, 1));
    List<Sample> samples = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int length = shortest + random.nextInt(longest - shortest + 1);
      float[] numbers = new float[length];
      float[] sums = new float[length];
      double sum = 0;
      for (int t = 0; t < length; t++) {
        numbers[t] = 2 * random.nextFloat() - 1;
        sum += numbers[t];
        sums[t] = (float) sum;
      }
      samples.add(Sample.of(numbers, sums));
    }
    return samples;
  }
}
