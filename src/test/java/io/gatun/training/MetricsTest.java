package io.gatun.training;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.Seeds;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Metrics against what others compute. Values of BLEU and chrF are those of sacreBLEU 2.6.0 ({@code
 * BLEU().corpus_score}, {@code CHRF().corpus_score}, {@code Tokenizer13a}), those of F1 of
 * scikit-learn ({@code f1_score}).
 */
class MetricsTest {
  private static final List<String> ANSWERS =
      List.of("The dog bit the man.", "It wasn't surprising.", "The man had just bitten him.");
  private static final List<List<String>> REFERENCES =
      List.of(
          List.of("The dog bit the man.", "The dog had bit the man."),
          List.of("It was not unexpected.", "No one was surprised."),
          List.of("The man bit him first.", "The man had bitten the dog."));
  private static final List<String> SERBIAN =
      List.of(
          "Том је отишао кући, али је касно.", "Не знам.", "Имам 3,5 кг јабука (црвених) - и 2.");
  private static final List<List<String>> SERBIAN_REFERENCES =
      List.of(
          List.of("Том је отишао кући али касно."),
          List.of("Ја не знам ништа."),
          List.of("Имам 3.5 кг црвених јабука; и 2-3 крушке."));

  private static Bleu bleu(List<String> answers, List<List<String>> references) {
    Bleu bleu = new Bleu();
    for (int i = 0; i < answers.size(); i++) {
      bleu.add(answers.get(i), references.get(i));
    }
    return bleu;
  }

  private static Chrf chrf(List<String> answers, List<List<String>> references) {
    Chrf chrf = new Chrf();
    for (int i = 0; i < answers.size(); i++) {
      chrf.add(answers.get(i), references.get(i));
    }
    return chrf;
  }

  private static List<List<String>> firstOnly(List<List<String>> references) {
    return references.stream().map(each -> each.subList(0, 1)).toList();
  }

  @Test
  void bleuIsThatOfSacreBleu() {
    Bleu two = bleu(ANSWERS, REFERENCES);
    assertEquals(48.530827009929865, two.score(), 1e-10);
    assertEquals("nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp", two.signature());
    assertEquals(45.06750632106114, bleu(ANSWERS, firstOnly(REFERENCES)).score(), 1e-10);
    assertEquals(19.00623804790254, bleu(SERBIAN, SERBIAN_REFERENCES).score(), 1e-10);
    assertEquals(
        46.30777161991026,
        bleu(List.of("the cat sat on"), List.of(List.of("the cat sat in there"))).score(),
        1e-10);
    assertEquals(0, bleu(List.of("a"), List.of(List.of("a"))).score());
    assertEquals(0, bleu(List.of("x y z"), List.of(List.of("a b c"))).score());
  }

  @Test
  void chrfIsThatOfSacreBleu() {
    Chrf two = chrf(ANSWERS, REFERENCES);
    assertEquals(59.72751782684763, two.score(), 1e-10);
    assertEquals("nrefs:2|case:mixed|eff:yes|nc:6|nw:0|space:no", two.signature());
    assertEquals(50.043063606582294, chrf(ANSWERS, firstOnly(REFERENCES)).score(), 1e-10);
    assertEquals(49.74064768877147, chrf(SERBIAN, SERBIAN_REFERENCES).score(), 1e-10);
    assertEquals(63.636363636363626, chrf(List.of("ab"), List.of(List.of("abc"))).score(), 1e-10);
    assertEquals(0, chrf(List.of(""), List.of(List.of("abc"))).score());
  }

  @Test
  void tokensAreThoseOfMteval13a() {
    assertEquals(
        "Hello , world ! It's 3,5 and 2.5 - ok ? 1990 - 1991 \" quoted \" ( x ) a / b & c-d . 5 x ."
            + " y , z",
        String.join(
            " ",
            Bleu.tokens(
                "Hello, world! It's 3,5 and 2.5 - ok? 1990-1991 \"quoted\" (x) a/b &amp; c-d .5 x."
                    + " y,z")));
    assertEquals(
        "“Да” , рече ; 5 % & # 1 @ x { a } ~ [ b ] ^ _ `",
        String.join(" ", Bleu.tokens("“Да”, рече; 5% & #1 @x <skipped> {a}~ [b]^_`")));
    assertEquals(
        "a . b , c 1 . a a . 1 1,000.00 .",
        String.join(" ", Bleu.tokens("a.b,c 1.a a.1 1,000.00.")));
  }

  @Test
  void f1IsThatOfScikitLearn() {
    int[] expected = {0, 0, 1, 1, 2, 2, 2, 3, 0, 1};
    int[] predicted = {0, 1, 1, 1, 2, 0, 2, 2, 0, 2};
    Confusion confusion = new Confusion(List.of("a", "b", "c", "d"));
    for (int i = 0; i < expected.length; i++) {
      confusion.add(expected[i], predicted[i]);
    }
    assertEquals(0.6, confusion.accuracy(), 1e-12);
    assertEquals(0.6, confusion.microF1(), 1e-12);
    assertEquals(0.47619047619047616, confusion.macroF1(), 1e-12);
    assertEquals(0.57142857142857142, confusion.f1(2), 1e-12);
    assertEquals(0, confusion.f1(3));
    assertEquals(2.0 / 3, confusion.recall(1), 1e-12);
    assertEquals(0.5, confusion.precision(2), 1e-12);
    assertEquals(10, confusion.total());
  }

  private static List<Integer> characters(String text) {
    return text.chars().boxed().toList();
  }

  @Test
  void editDistancesAreTheKnownOnes() {
    assertEquals(3, EditDistance.between(characters("kitten"), characters("sitting")));
    assertEquals(3, EditDistance.between(characters("saturday"), characters("sunday")));
    assertEquals(5, EditDistance.between(characters("intention"), characters("execution")));
    assertEquals(4, EditDistance.between(List.of(), characters("four")));
  }

  @Test
  void anEditDistanceIsAMetric() {
    Random random = Seeds.random("edit distance");
    for (int round = 0; round < 200; round++) {
      List<List<Integer>> three = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        three.add(random.ints(random.nextInt(9), 0, 3).boxed().toList());
      }
      int ab = EditDistance.between(three.get(0), three.get(1));
      int bc = EditDistance.between(three.get(1), three.get(2));
      int ac = EditDistance.between(three.get(0), three.get(2));
      assertEquals(ab, EditDistance.between(three.get(1), three.get(0)));
      assertEquals(ab == 0, three.get(0).equals(three.get(1)));
      assertEquals(true, ac <= ab + bc);
    }
  }

  @Test
  void theNearestReferenceCounts() {
    EditDistance rates = new EditDistance();
    rates.add(List.of("T", "AH"), List.of(List.of("T", "OW", "M"), List.of("T", "AA")));
    rates.add(List.of("K"), List.of(List.of("K")));
    assertEquals(1.0 / 3, rates.tokenErrorRate(), 1e-12);
    assertEquals(0.5, rates.sequenceErrorRate(), 1e-12);
  }
}
