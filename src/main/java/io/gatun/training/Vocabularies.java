package io.gatun.training;

import io.gatun.format.Json;
import io.gatun.format.TextCodec;
import io.gatun.format.Vocabulary;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Makes vocabularies from the samples that are learnt from: the special symbols, then the tokens,
 * the most frequent first and of equally frequent ones in the order of their characters.
 */
final class Vocabularies {
  static final String PAD = "<pad>";
  static final String UNKNOWN = "<unk>";
  static final String START = "<s>";
  static final String END = "</s>";

  private Vocabularies() {}

  /**
   * A codec for texts.
   *
   * @param config {@code tokens}, {@code lowercase}, {@code separator}, {@code minimum_count} (1),
   *     {@code most} (no limit; of a list, which is found by {@link Pieces}, it must be there and
   *     counts the special symbols too), {@code end} (whether a symbol stands behind each text), or
   *     {@code vocabulary} with the symbols themselves
   * @param texts those to count in
   * @param pair whether the codec is an encoder–decoder's; then texts end with a symbol
   * @param target whether it is the target's; then they begin with one
   */
  static TextCodec codec(Json config, List<String> texts, boolean pair, boolean target) {
    Json.Fields fields = config.fields();
    TextCodec.Tokens kind = TextCodec.Tokens.CHARACTERS;
    String name = fields.require("tokens").oneOf(names());
    for (TextCodec.Tokens each : TextCodec.Tokens.values()) {
      kind = each.label().equals(name) ? each : kind;
    }
    boolean lowercase = fields.bool("lowercase", false);
    String separator = fields.string("separator", null);
    int minimum = fields.integer("minimum_count", 1, 1);
    int most = fields.integer("most", 1, Integer.MAX_VALUE);
    boolean end = fields.bool("end", pair) || target;
    Set<String> symbols = new LinkedHashSet<>(List.of(PAD, UNKNOWN));
    if (target) {
      symbols.add(START);
    }
    if (end) {
      symbols.add(END);
    }
    if (fields.has("vocabulary")) {
      symbols.addAll(fields.require("vocabulary").strings());
    } else {
      symbols.addAll(
          kind == TextCodec.Tokens.LIST
              ? pieces(fields, texts, lowercase, minimum, most - symbols.size())
              : frequent(texts, kind, lowercase, minimum, most));
    }
    fields.done();
    TextCodec.Builder builder =
        TextCodec.builder(Vocabulary.of(symbols))
            .tokens(kind)
            .lowercase(lowercase)
            .separator(separator)
            .pad(PAD)
            .unknown(UNKNOWN);
    if (target) {
      builder.start(START);
    }
    if (end) {
      builder.end(END);
    }
    return builder.build();
  }

  private static String[] names() {
    List<String> names = new ArrayList<>();
    for (TextCodec.Tokens each : TextCodec.Tokens.values()) {
      names.add(each.label());
    }
    return names.toArray(new String[0]);
  }

  private static List<String> pieces(
      Json.Fields fields, List<String> texts, boolean lowercase, int minimum, int most) {
    if (!fields.has("most")) {
      throw fields.object().error("has tokens of a list, but does not say how many: \"most\"");
    }
    return Pieces.of(
        lowercase ? texts.stream().map(text -> text.toLowerCase(Locale.ROOT)).toList() : texts,
        minimum,
        most);
  }

  private static List<String> frequent(
      List<String> texts, TextCodec.Tokens kind, boolean lowercase, int minimum, int most) {
    Map<String, Integer> counts = new LinkedHashMap<>();
    for (String text : texts) {
      String prepared = lowercase ? text.toLowerCase(Locale.ROOT) : text;
      for (String token : tokens(prepared, kind)) {
        counts.merge(token, 1, Integer::sum);
      }
    }
    return counts.entrySet().stream()
        .filter(each -> each.getValue() >= minimum)
        .sorted(
            Comparator.comparingInt((Map.Entry<String, Integer> each) -> -each.getValue())
                .thenComparing(Map.Entry::getKey))
        .limit(most)
        .map(Map.Entry::getKey)
        .toList();
  }

  private static List<String> tokens(String text, TextCodec.Tokens kind) {
    if (kind == TextCodec.Tokens.WORDS) {
      return text.isBlank() ? List.of() : List.of(text.strip().split("\\s+"));
    }
    return text.codePoints().mapToObj(Character::toString).toList();
  }

  /** The labels of samples, in the order of their characters. */
  static Vocabulary labels(List<Sample> samples) {
    Set<String> labels = new TreeSet<>();
    samples.forEach(sample -> labels.addAll(sample.targets()));
    return Vocabulary.of(labels);
  }
}
