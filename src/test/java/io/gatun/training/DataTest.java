package io.gatun.training;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.format.Json;
import io.gatun.format.ModelFormatException;
import io.gatun.format.TextCodec;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files become samples, samples become parts and vocabularies. */
class DataTest {
  @TempDir Path folder;

  private List<Sample> read(String json) throws IOException {
    return DataReader.read(Json.parse("train.json", json), folder);
  }

  private void file(String name, String text) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    Files.write(file, text.getBytes(StandardCharsets.UTF_8));
  }

  private String refused(String json) {
    return assertThrows(ModelFormatException.class, () -> read(json)).getMessage();
  }

  @Test
  void aFolderHasAFileForEachClass() throws IOException {
    file("names/Czech.txt", "Abl\n\nAdsit\r\n");
    file("names/Irish.txt", "Adam\n");
    List<Sample> samples = read("{\"format\": \"class_files\", \"path\": \"names\"}");
    assertEquals(
        List.of(
            Sample.of("Abl", List.of("Czech")),
            Sample.of("Adsit", List.of("Czech")),
            Sample.of("Adam", List.of("Irish"))),
        samples);
    file("names/Greek.txt", "\n");
    assertTrue(
        refused("{\"format\": \"class_files\", \"path\": \"names\"}")
            .contains("has no example of class Greek"));
  }

  @Test
  void linesHaveATextAndALabel() throws IOException {
    file("a.txt", "Bad film.  \t0\nGood\tfilm.\t1\n");
    assertEquals(
        List.of(Sample.of("Bad film.", List.of("no")), Sample.of("Good\tfilm.", List.of("yes"))),
        read(
            "{\"format\": \"labelled\", \"files\": [\"a.txt\"], \"labels\": {\"0\": \"no\", \"1\":"
                + " \"yes\"}}"));
    assertTrue(
        refused(
                "{\"format\": \"labelled\", \"files\": [\"a.txt\"], \"labels\": {\"0\": \"a\","
                    + " \"1\": \"b\", \"2\": \"c\"}}")
            .contains("names 2, of which there is no example"));
  }

  @Test
  void allTargetsOfASourceAreOneSample() throws IOException {
    file("p.tsv", "Go.\tИди.\tx\nHi.\tЗдраво.\ty\nGo.\tКрени.\tz\n");
    assertEquals(
        List.of(Sample.of("Go.", List.of("Иди.", "Крени.")), Sample.of("Hi.", List.of("Здраво."))),
        read("{\"format\": \"pairs\", \"files\": [\"p.tsv\"]}"));
    file("q.tsv", "Go.\tИди.\nHi.\n");
    assertTrue(
        refused("{\"format\": \"pairs\", \"files\": [\"q.tsv\"]}")
            .contains("line 2: has 1 column"));
  }

  @Test
  void theDictionaryLosesItsStressWhereThatIsAskedFor() throws IOException {
    file(
        "cmu", ";;; comment\nACTS  AE1 K T S\nACTS(1)  AE1 K S\n'BOUT  B AW1 T\nA  AH0\nA(1)  EY1");
    assertEquals(
        List.of(
            Sample.of("acts", List.of("AE K T S", "AE K S")), Sample.of("a", List.of("AH", "EY"))),
        read("{\"format\": \"cmudict\", \"files\": [\"cmu\"], \"stress\": false}"));
    assertEquals(
        "AE1 K T S",
        read("{\"format\": \"cmudict\", \"files\": [\"cmu\"]}").get(0).targets().get(0));
  }

  @Test
  void imagesAreReadFromJsonAndIdx() throws IOException {
    file("d/0.json", "{\"data\": [0, 0.5, 1, 0.25]}");
    file("d/1.json", "{\"data\": [1, 1]}");
    List<Sample> samples = read("{\"format\": \"digits\", \"path\": \"d\", \"size\": 2}");
    assertEquals(3, samples.size());
    assertArrayEquals(new float[] {1, 0.25f}, samples.get(1).numbers());
    assertEquals(List.of("1"), samples.get(2).targets());
    Files.write(
        folder.resolve("i"),
        new byte[] {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, (byte) 255, 51, 0});
    Files.write(folder.resolve("l"), new byte[] {0, 0, 8, 1, 0, 0, 0, 2, 7, 3});
    List<Sample> idx = read("{\"format\": \"idx\", \"images\": \"i\", \"labels\": \"l\"}");
    assertArrayEquals(new float[] {0.2f, 0}, idx.get(1).numbers());
    assertEquals(List.of("7"), idx.get(0).targets());
  }

  @Test
  void sumsAreRunningSums() throws IOException {
    for (Sample sample : read("{\"format\": \"sums\", \"count\": 50, \"length\": 9}")) {
      double sum = 0;
      for (int t = 0; t < sample.numbers().length; t++) {
        sum += sample.numbers()[t];
        assertEquals(sum, sample.values()[t], 1e-6);
      }
    }
  }

  @Test
  void whatIsWrongIsSaidWithFileAndLine() throws IOException {
    assertTrue(refused("{\"format\": \"pair\", \"files\": []}").contains("did you mean 'pairs'"));
    assertTrue(
        refused("{\"format\": \"pairs\", \"files\": [\"none.tsv\"]}")
            .contains("there is no such file"));
    assertTrue(refused("{\"format\": \"sums\", \"counts\": 3}").contains("did you mean 'count'"));
    Files.write(folder.resolve("latin"), new byte[] {'a', '\t', '1', '\n', (byte) 0xe9, '\t', '0'});
    assertTrue(
        refused("{\"format\": \"labelled\", \"files\": [\"latin\"]}")
            .contains("line 2: is no UTF"));
  }

  @Test
  void theSplitKeepsEachClassesShareAndNoSampleTwice() throws IOException {
    Path names = Shared.path("data/names");
    List<Sample> samples =
        DataReader.read(
            Json.parse("x", "{\"format\": \"class_files\", \"path\": \"" + names + "\"}"), folder);
    assertEquals(20_074, samples.size());
    Split split = Split.of(samples, 0.1, 0.1, 1, true);
    assertEquals(
        samples.size(), split.train().size() + split.validation().size() + split.test().size());
    Set<Sample> identities = java.util.Collections.newSetFromMap(new java.util.IdentityHashMap<>());
    identities.addAll(split.train());
    identities.addAll(split.validation());
    identities.addAll(split.test());
    assertEquals(samples.size(), identities.size());
    Set<String> classes = new HashSet<>();
    split.test().forEach(sample -> classes.addAll(sample.targets()));
    assertEquals(18, classes.size());
    long russian = split.test().stream().filter(s -> s.targets().get(0).equals("Russian")).count();
    long all = samples.stream().filter(s -> s.targets().get(0).equals("Russian")).count();
    assertEquals(Math.round(all * 0.1), russian);
    assertEquals(split, Split.of(samples, 0.1, 0.1, 1, true));
  }

  @Test
  void vocabulariesAreInTheOrderOfFrequency() {
    Json config =
        Json.parse("x", "{\"tokens\": \"words\", \"lowercase\": true, \"minimum_count\": 2}");
    TextCodec codec = Vocabularies.codec(config, List.of("b a A c", "a b", " d "), false, false);
    assertEquals(List.of("<pad>", "<unk>", "a", "b"), codec.vocabulary().symbols());
    assertArrayEquals(new int[] {3, 1}, codec.encode("b d"));
    TextCodec target =
        Vocabularies.codec(
            Json.parse("x", "{\"tokens\": \"characters\"}"), List.of("ab"), true, true);
    assertArrayEquals(new int[] {2, 4, 5, 3}, target.encode("ab"));
  }
}
