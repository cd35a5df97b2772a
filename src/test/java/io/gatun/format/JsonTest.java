package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
  @TempDir Path folder;

  private static final String MODEL =
      """
      {
        "name": "test",
        "encoder": {
          "layers": [
            {"size": 3, "rate": 0.5},
            {
              "hidden": "abc",
              "flag": true,
              "nothing": null
            }
          ]
        }
      }
      """;

  private static void assertRefused(String message, Executable action) {
    ModelFormatException refused = assertThrows(ModelFormatException.class, action);
    assertEquals(message, refused.getMessage());
  }

  @Test
  void anErrorSaysWhereTheValueIs() {
    Json model = Json.parse("model.json", MODEL);
    Json layer = model.members().get("encoder").members().get("layers").items().get(1);
    assertEquals("encoder.layers[1]", layer.path());
    assertRefused(
        "model.json: line 7: encoder.layers[1].hidden is \"abc\", expected an integer",
        () -> layer.fields().require("hidden").integer(1));
    assertRefused(
        "model.json: line 8: encoder.layers[1].flag is true, expected a string",
        () -> layer.fields().string("flag"));
    assertRefused(
        "model.json: line 6: encoder.layers[1] is an object, expected a list", layer::items);
  }

  @Test
  void aMistypedKeyIsFoundAndTheRightOneSuggested() {
    Json model = Json.parse("model.json", "{\"hiden\": 3, \"name\": \"x\"}");
    Json.Fields fields = model.fields();
    assertEquals(7, fields.integer("hidden", 1, 7));
    assertEquals("x", fields.string("name"));
    assertRefused(
        "model.json: line 1: hiden is not known here; did you mean 'hidden'?", fields::done);
    assertRefused(
        "model.json: line 1: the model has no \"hidden\"; did you mean 'hiden'?",
        () -> model.fields().require("hidden"));
  }

  @Test
  void nullCountsAsMissing() {
    Json.Fields fields = Json.parse("t", "{\"a\": null}").fields();
    assertFalse(fields.has("a"));
    assertTrue(fields.isNull("a"));
    assertFalse(fields.isNull("b"));
    fields.done();
  }

  @Test
  void integersAreExactAndWithinTheirRange() {
    List<Json> items =
        Json.parse("t", "[3, 3.0, 3e2, -1, 3.5, 1e999, 9223372036854775807]").items();
    assertEquals(3, items.get(0).integer(0));
    assertEquals(3, items.get(1).integer(0));
    assertEquals(300, items.get(2).integer(0));
    assertRefused(
        "t: line 1: [3] is -1, expected an integer of at least 0", () -> items.get(3).integer(0));
    assertRefused("t: line 1: [4] is 3.5, expected an integer", () -> items.get(4).integer(0));
    assertRefused("t: line 1: [5] is 1e999, expected an integer", () -> items.get(5).integer(0));
    assertRefused(
        "t: line 1: [5] is 1e999, expected a number that a double can hold",
        () -> items.get(5).number());
    assertEquals(Long.MAX_VALUE, items.get(6).integer(0, Long.MAX_VALUE));
    assertRefused(
        "t: line 1: [0] is 3, expected an integer from 4 to 5", () -> items.get(0).integer(4, 5));
  }

  @Test
  void oneOfListsWhatThereIs() {
    Json value = Json.parse("t", "[\"wrods\"]").items().get(0);
    assertRefused(
        "t: line 1: [0] is \"wrods\", expected one of characters, words; did you mean 'words'?",
        () -> value.oneOf("characters", "words"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,\"a\":2}",
        "{'a':1}",
        "[NaN]",
        "[01]",
        "nul",
        "[1] 2",
        "\"a",
        "[\"\n\"]",
        "{\"a\" 1}",
        "// comment\n1",
        "[1e]",
        "\u0000",
        "[\"\\ud8\"]"
      })
  void whatIsNoJsonIsRefusedWithItsLine(String text) {
    ModelFormatException refused =
        assertThrows(ModelFormatException.class, () -> Json.parse("model.json", text));
    assertTrue(refused.getMessage().startsWith("model.json: "), refused.getMessage());
  }

  @Test
  void aTextCutAnywhereIsRefused() {
    String text = MODEL.strip();
    for (int length = 0; length < text.length(); length++) {
      String cut = text.substring(0, length);
      assertThrows(ModelFormatException.class, () -> Json.parse("t", cut), cut);
    }
  }

  @Test
  void depthAndLengthsAreBounded() {
    assertEquals(1, Json.parse("t", "[".repeat(99) + "]".repeat(99)).items().size());
    for (String text :
        List.of(
            "[".repeat(101) + "]".repeat(101),
            "{\"a\":".repeat(100_000),
            "[" + "1".repeat(101) + "]",
            "{\"" + "k".repeat(2000) + "\":1}",
            "[\"" + "s".repeat(2 << 20) + "\"]")) {
      assertThrows(ModelFormatException.class, () -> Json.parse("t", text));
    }
  }

  @Test
  void aFileIsUtf8AndMayHaveAByteOrderMark() throws IOException {
    Path file = folder.resolve("model.json");
    Files.writeString(file, "\ufeff[\"größe\"]");
    assertEquals(List.of("größe"), Json.read(file).strings());
    Files.write(file, "[\"größe\"]".getBytes(StandardCharsets.ISO_8859_1));
    ModelFormatException refused = assertThrows(ModelFormatException.class, () -> Json.read(file));
    assertEquals(file + ": at byte 4: is no UTF-8 text here", refused.getMessage());
  }
}
