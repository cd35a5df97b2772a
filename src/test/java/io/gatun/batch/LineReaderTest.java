package io.gatun.batch;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** Lines come out as they were written, whatever ends them and however they arrive. */
class LineReaderTest {
  private static List<String> lines(InputStream in, int maxLineBytes) throws IOException {
    LineReader reader = new LineReader("test", in, OptionalLong.empty(), maxLineBytes);
    List<String> lines = new ArrayList<>();
    InputRecord<String> record;
    while ((record = reader.next(() -> {})) != null) {
      assertEquals(lines.size() + 1, record.number());
      lines.add(record.problem() == null ? record.value() : "! " + record.problem());
    }
    return lines;
  }

  private static List<String> lines(String text) throws IOException {
    return lines(new ByteArrayInputStream(text.getBytes(UTF_8)), 100);
  }

  private static List<String> linesOfBytes(String latin1, int maxLineBytes) throws IOException {
    return lines(new ByteArrayInputStream(latin1.getBytes(ISO_8859_1)), maxLineBytes);
  }

  @Test
  void theLastLineMayEndWithoutALineFeed() throws IOException {
    assertEquals(List.of("a", "b"), lines("a\nb\n"));
    assertEquals(List.of("a", "b"), lines("a\nb"));
    assertEquals(List.of(), lines(""));
    assertEquals(List.of(""), lines("\n"));
    assertEquals(List.of("", "", "x", ""), lines("\n\nx\n\n"));
  }

  @Test
  void aCarriageReturnBeforeTheLineFeedBelongsToTheEndOfTheLine() throws IOException {
    assertEquals(List.of("a", "", "b"), lines("a\r\n\r\nb\r\n"));
    assertEquals(List.of("a\rb", "c\r"), lines("a\rb\nc\r\r\n"));
    assertEquals(List.of("a", "b"), lines("a\r\nb\r"));
  }

  @Test
  void aByteOrderMarkIsLeftOutAtTheStartAlone() throws IOException {
    assertEquals(List.of("a", "\ufeffb"), lines("\ufeffa\n\ufeffb\n"));
  }

  @Test
  void whatIsNoUtf8IsReportedWithItsByteAndTheRestGoesOn() throws IOException {
    assertEquals(
        List.of("ok", "! no UTF-8: byte 3 is 0xff", "ok", "! no UTF-8: byte 2 is 0xc3"),
        linesOfBytes("ok\nab\u00ff\nok\nx\u00c3", 100));
    // A surrogate, an overlong zero, and beyond the last code point.
    assertEquals(
        List.of(
            "! no UTF-8: byte 1 is 0xed",
            "! no UTF-8: byte 1 is 0xc0",
            "! no UTF-8: byte 1 is 0xf5"),
        linesOfBytes("\u00ed\u00a0\u0080\n\u00c0\u0080\n\u00f5\u0080\u0080\u0080\n", 100));
  }

  @Test
  void aLineOverTheBoundIsReportedWithItsLengthAndTheRestGoesOn() throws IOException {
    String tooLong = "x".repeat(200_000);
    assertEquals(
        List.of("12345", "! 6 bytes, expected at most 5", "12345", "1234"),
        linesOfBytes("12345\n123456\n12345\r\n1234", 5));
    assertEquals(
        List.of("a", "! 200000 bytes, expected at most 100", "b"), lines("a\n" + tooLong + "\nb"));
    assertEquals(List.of("! 200000 bytes, expected at most 100"), lines(tooLong));
  }

  @Test
  void linesAreTheSameWhenTheBytesComeInSmallPieces() throws IOException {
    String text = "first\r\n\u00e4\u00f6\u00fc \ud83d\ude00\n\nlast \u4e2d\u6587";
    for (int piece = 1; piece < 8; piece++) {
      int bytes = piece;
      InputStream slow =
          new ByteArrayInputStream(text.getBytes(UTF_8)) {
            @Override
            public synchronized int read(byte[] into, int from, int length) {
              return super.read(into, from, Math.min(length, bytes));
            }
          };
      assertEquals(
          List.of("first", "\u00e4\u00f6\u00fc \ud83d\ude00", "", "last \u4e2d\u6587"),
          lines(slow, 100),
          "pieces of " + piece);
    }
  }

  @Test
  void theEndOffsetsAreThoseOfTheBytes() throws IOException {
    LineReader reader =
        new LineReader("test", new ByteArrayInputStream("\u00e4b\r\n\nxyz".getBytes(UTF_8)));
    List<Long> offsets = new ArrayList<>();
    InputRecord<String> record;
    while ((record = reader.next(() -> {})) != null) {
      offsets.add(record.endOffset());
    }
    assertEquals(List.of(5L, 6L, 9L), offsets);
  }

  @Test
  void theReaderSaysWhenItIsGoingToWait() throws IOException {
    int[] waits = {0};
    LineReader reader = new LineReader("test", new ByteArrayInputStream("a\nb\n".getBytes(UTF_8)));
    reader.next(() -> waits[0]++);
    reader.next(() -> waits[0]++);
    assertEquals(0, waits[0], "two lines were there");
    reader.next(() -> waits[0]++);
    assertEquals(1, waits[0]);
  }

  @Test
  void pairsNeedEquallyManyLines() throws IOException {
    LinePairReader even = pairs("a\nb\n", "1\n2\n");
    assertEquals(new LinePairReader.Pair("a", "1"), even.next(() -> {}).value());
    assertEquals(new LinePairReader.Pair("b", "2"), even.next(() -> {}).value());
    assertEquals(null, even.next(() -> {}));

    LinePairReader uneven = pairs("a\n", "1\n2\n");
    uneven.next(() -> {});
    IOException thrown = assertThrows(IOException.class, () -> uneven.next(() -> {}));
    assertTrue(thrown.getMessage().startsWith("left ends after line 1, but right goes on"));
  }

  private static LinePairReader pairs(String left, String right) {
    return new LinePairReader(
        new LineReader("left", new ByteArrayInputStream(left.getBytes(UTF_8))),
        new LineReader("right", new ByteArrayInputStream(right.getBytes(UTF_8))));
  }
}
