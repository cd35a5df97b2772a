package io.gatun.sequence;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.gatun.Shared;
import io.gatun.format.Json;
import io.gatun.format.TensorFile;
import io.gatun.graph.Attributes;
import io.gatun.graph.Constant;
import io.gatun.graph.Graph;
import io.gatun.graph.Value;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A trained network somebody else made, with the answers somebody else's computation gave: see
 * SOURCE.md beside it.
 */
class SpellingToPhonemesTest {
  private static final int HIDDEN = 256;

  private record Word(String spelling, int[] letters, String phonemes) {}

  /** PyTorch has the gates r, z, n; the operator z, r, h. */
  private static Constant gates(TensorFile file, String... names) {
    List<Tensor> blocks = new ArrayList<>();
    for (String name : names) {
      Tensor all = file.tensor(name);
      for (int gate : new int[] {1, 0, 2}) {
        blocks.add(all.slice(0, (long) gate * HIDDEN, (gate + 1L) * HIDDEN));
      }
    }
    boolean bias = names.length == 2;
    Shape shape = bias ? Shape.of(1, 6 * HIDDEN) : Shape.of(1, 3 * HIDDEN, HIDDEN);
    return Constant.of(shape, blocks);
  }

  private static List<Value> gru(
      Graph.Builder g, TensorFile file, String part, Value x, Value lengths, Value initial) {
    List<Value> in = new ArrayList<>();
    in.add(x);
    in.add(g.constant("W", gates(file, part + "_w_ih")));
    in.add(g.constant("R", gates(file, part + "_w_hh")));
    in.add(g.constant("B", gates(file, part + "_b_ih", part + "_b_hh")));
    in.add(lengths);
    in.add(initial);
    return g.node(
        "gru", "GRU", Attributes.of("linear_before_reset", 1), in, List.of("sequence", "last"));
  }

  /** With what goes in as here, or as in most files that PyTorch exports. */
  private static EncoderDecoder model(TensorFile file, boolean exported) {
    Graph.Builder e = Graph.builder("encoder");
    Value tokens =
        exported
            ? e.input("tokens", DType.INT64, "batch", "time")
            : e.input("tokens", DType.INT32, "time", "batch");
    Value lengths = e.input("lengths", exported ? DType.INT64 : DType.INT32, "batch");
    if (exported) {
      lengths = e.node("short_lengths", "Cast", Attributes.of("to", "int32"), lengths);
    }
    Value letters =
        e.node(
            "letters",
            "Gather",
            Attributes.NONE,
            e.constant("embedding", file.tensor("enc_emb")),
            tokens);
    e.output(gru(e, file, "enc", timeFirst(e, letters, exported), lengths, null).get(1));

    Graph.Builder d = Graph.builder("decoder");
    Value token =
        exported
            ? d.input("token", DType.INT64, "batch", 1)
            : d.input("token", DType.INT32, "time", "batch");
    Value state = d.input("state", DType.FLOAT32, 1, "batch", HIDDEN);
    Value phoneme =
        d.node(
            "phoneme",
            "Gather",
            Attributes.NONE,
            d.constant("embedding", file.tensor("dec_emb")),
            token);
    Value sequence = gru(d, file, "dec", timeFirst(d, phoneme, exported), null, state).get(0);
    Value hidden = d.node("hidden", "Squeeze", Attributes.of("axes", new long[] {1}), sequence);
    Value product =
        d.node(
            "product",
            "MatMul",
            Attributes.NONE,
            hidden,
            d.constant("fc_w", file.tensor("fc_w").transpose(1, 0)));
    d.output(
        d.node("logits", "Add", Attributes.NONE, product, d.constant("fc_b", file.tensor("fc_b"))));
    EncoderDecoder.Builder model =
        EncoderDecoder.builder(e.build(), d.build())
            .state("state", "last", "last")
            .startToken(2)
            .endTokens(3);
    return (exported ? model.sourceBatchFirst() : model).build();
  }

  private static Value timeFirst(Graph.Builder g, Value x, boolean exported) {
    return exported
        ? g.node("turned", "Transpose", Attributes.of("perm", new long[] {1, 0, 2}), x)
        : x;
  }

  private static List<Word> words() throws IOException {
    Json vocabulary = Json.read(Shared.path("models/g2p_en/vocabulary.json"));
    List<String> letters = vocabulary.fields().require("graphemes").strings();
    List<Word> words = new ArrayList<>();
    for (Json each : Json.read(Shared.path("models/g2p_en/expected.json")).items()) {
      Json.Fields fields = each.fields();
      String spelling = fields.string("word");
      int[] ids = new int[spelling.length() + 1];
      for (int i = 0; i < spelling.length(); i++) {
        int id = letters.indexOf(spelling.substring(i, i + 1));
        ids[i] = id < 0 ? 1 : id;
      }
      ids[spelling.length()] = 2;
      words.add(new Word(spelling, ids, String.join(" ", fields.require("phonemes").strings())));
    }
    return words;
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void everyWordGetsTheAnswerOfItsReference(boolean exported) throws IOException {
    List<String> phonemes =
        Json.read(Shared.path("models/g2p_en/vocabulary.json"))
            .fields()
            .require("phonemes")
            .strings();
    List<Word> words = words();
    assertEquals(517, words.size());
    GenerationOptions options = GenerationOptions.builder().maxLength(20).build();
    try (TensorFile file = TensorFile.open(Shared.path("models/g2p_en/checkpoint20.npz"));
        EncoderDecoder model = model(file, exported);
        Workers workers = new Workers(2);
        Generator generator = model.newGenerator(workers)) {
      List<String> wrong = new ArrayList<>();
      for (int from = 0; from < words.size(); from += 64) {
        List<Word> part = words.subList(from, Math.min(from + 64, words.size()));
        List<Sentence> batch = new ArrayList<>();
        for (Word word : part) {
          batch.add(new Sentence(batch.size(), word.letters()));
        }
        List<List<Hypothesis>> made = generator.generate(batch, options);
        for (int i = 0; i < part.size(); i++) {
          List<String> said = new ArrayList<>();
          for (int token : made.get(i).get(0).tokens()) {
            said.add(phonemes.get(token));
          }
          if (!String.join(" ", said).equals(part.get(i).phonemes())) {
            wrong.add(part.get(i) + ": " + said);
          }
        }
      }
      assertEquals(List.of(), wrong);
    }
  }

  @Test
  void aWordAloneGetsTheBitsItGetsInABatch() throws IOException {
    List<Sentence> batch = new ArrayList<>();
    List<int[]> sources = new ArrayList<>();
    for (Word word : words().subList(0, 24)) {
      batch.add(new Sentence(batch.size(), word.letters()));
      sources.add(word.letters());
    }
    GenerationOptions options =
        GenerationOptions.builder()
            .beamWidth(3)
            .nBest(2)
            .maxLength(20)
            .lengthPenalty(LengthPenalty.gnmt(0.6))
            .logProbabilities(true)
            .build();
    try (TensorFile file = TensorFile.open(Shared.path("models/g2p_en/checkpoint20.npz"));
        EncoderDecoder model = model(file, false);
        Generator generator = model.newGenerator()) {
      List<List<Hypothesis>> together = generator.generate(batch, options);
      List<int[]> targets = new ArrayList<>();
      for (Sentence sentence : batch) {
        int place = targets.size();
        List<Hypothesis> alone = generator.generate(List.of(sentence), options).get(0);
        IndependenceTest.assertSame(together.get(place), alone, sentence.toString());
        targets.add(alone.get(0).tokens());
      }
      List<Score> scores = generator.score(sources, targets);
      for (int i = 0; i < batch.size(); i++) {
        assertEquals(
            together.get(i).get(0).logProbability(), scores.get(i).logProbability(), "word " + i);
      }
    }
  }
}
