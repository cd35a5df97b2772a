package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TextCodecTest {
  @TempDir Path folder;

  private static final Vocabulary LETTERS =
      Vocabulary.of(List.of("<pad>", "<unk>", "</s>", "a", "b", "😀", "ö"));

  @Test
  void charactersAreCodePoints() {
    TextCodec codec =
        TextCodec.builder(LETTERS).unknown("<unk>").end("</s>").lowercase(true).build();
    assertArrayEquals(new int[] {3, 5, 1, 4, 6, 2}, codec.encode("A😀🙂bÖ"));
    assertArrayEquals(new int[] {2}, codec.encode(""));
    assertEquals("a😀<unk>b", codec.decode(3, 5, 1, 4, 2));
  }

  @Test
  void wordsStandBetweenAnySpace() {
    Vocabulary words = Vocabulary.of(List.of("<s>", "</s>", "<unk>", "one", "two"));
    TextCodec codec =
        TextCodec.builder(words)
            .tokens(TextCodec.Tokens.WORDS)
            .start("<s>")
            .end("</s>")
            .unknown("<unk>")
            .build();
    assertArrayEquals(new int[] {0, 3, 4, 2, 1}, codec.encode(" one\t\u00a0two  three\u3000"));
    assertArrayEquals(new int[] {0, 1}, codec.encode("  "));
    assertEquals("one two", codec.decode(0, 3, 4, 1));
  }

  @Test
  void aListTakesTheLongestSymbolThatFits() {
    Vocabulary list = Vocabulary.of(List.of("a", "ab", "abcd", "b", "c", "?"));
    TextCodec codec = TextCodec.builder(list).tokens(TextCodec.Tokens.LIST).unknown("?").build();
    assertArrayEquals(new int[] {1, 4, 2, 0, 5, 1}, codec.encode("abcabcdaxab"));
    assertEquals("abcabcda?ab", codec.decode(codec.encode("abcabcdaxab")));
  }

  @Test
  void aSpecialSymbolNeverComesOutOfText() {
    Vocabulary words = Vocabulary.of(List.of("</s>", "<unk>", "a"));
    for (TextCodec.Tokens tokens : List.of(TextCodec.Tokens.WORDS, TextCodec.Tokens.LIST)) {
      TextCodec codec =
          TextCodec.builder(words).tokens(tokens).end("</s>").unknown("<unk>").build();
      int[] ids = codec.encode("a</s>a");
      for (int i = 0; i < ids.length - 1; i++) {
        assertTrue(ids[i] != 0, tokens + " took the end from the text");
      }
    }
  }

  @Test
  void aTokenThatNobodyKnowsIsNamedWithItsPlace() {
    TextCodec codec = TextCodec.builder(Vocabulary.of(List.of("a"))).build();
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, () -> codec.encode("aax"));
    assertEquals(
        "\"x\" at character 3 is not among the 1 symbols of the vocabulary, and it has none for"
            + " unknown ones",
        refused.getMessage());
  }

  @Test
  void aSpecialSymbolMustBeInTheVocabulary() {
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class, () -> TextCodec.builder(LETTERS).end("<s>").build());
    assertTrue(refused.getMessage().contains("end symbol: \"<s>\""), refused.getMessage());
    assertTrue(refused.getMessage().contains("did you mean '</s>'"), refused.getMessage());
  }

  @Test
  void aVocabularyHasEverySymbolOnce() {
    assertThrows(IllegalArgumentException.class, () -> Vocabulary.of(List.of()));
    assertThrows(IllegalArgumentException.class, () -> Vocabulary.of(List.of("a", "")));
    assertThrows(IllegalArgumentException.class, () -> Vocabulary.of(List.of("\ud83d")));
    IllegalArgumentException twice =
        assertThrows(IllegalArgumentException.class, () -> Vocabulary.of(List.of("a", "b", "a")));
    assertEquals("a vocabulary has \"a\" twice, as 0 and as 2", twice.getMessage());
    assertEquals(1, LETTERS.id("<unk>"));
    assertEquals(-1, LETTERS.id("z", -1));
    assertThrows(IllegalArgumentException.class, () -> LETTERS.id("z"));
    assertThrows(IndexOutOfBoundsException.class, () -> LETTERS.symbol(7));
  }

  @Test
  void aVocabularyFileHasOneSymbolOnEachLine() throws IOException {
    Path file = folder.resolve("words.txt");
    Files.writeString(file, "<unk>\n \nein Wort\nä\n");
    assertEquals(List.of("<unk>", " ", "ein Wort", "ä"), Vocabulary.read(file).symbols());
    Files.writeString(file, "a\n\nb\n");
    ModelFormatException refused =
        assertThrows(ModelFormatException.class, () -> Vocabulary.read(file));
    assertEquals(file + ": symbol 1 of a vocabulary is empty", refused.getMessage());
  }
}
