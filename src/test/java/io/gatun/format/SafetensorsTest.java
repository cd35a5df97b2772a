package io.gatun.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsTest {
  @TempDir Path folder;

  @Test
  void whatIsWrittenIsReadBack() throws IOException {
    Path file = folder.resolve("all.safetensors");
    try (Arena arena = Arena.ofConfined()) {
      Map<String, Tensor> tensors = Fixtures.everyTypeAndShape(arena);
      Map<String, String> metadata = Map.of("format", "pt", "größe", "\"quoted\"\n");
      Safetensors.write(file, tensors, metadata);
      try (TensorFile read = TensorFile.open(file)) {
        assertEquals(TensorFile.Format.SAFETENSORS, read.format());
        assertEquals(tensors.keySet(), read.names());
        assertEquals(metadata, read.metadata());
        tensors.forEach((name, tensor) -> Fixtures.assertSame(tensor, read.tensor(name), name));
      }
    }
  }

  @Test
  void writtenTensorsLieAlignedInTheMappedFile() throws IOException {
    Path file = folder.resolve("mixed.safetensors");
    try (Arena arena = Arena.ofConfined()) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put("byte", Fixtures.counting(arena, DType.INT8, 3));
      tensors.put("half", Fixtures.counting(arena, DType.BFLOAT16, 5));
      tensors.put("double", Fixtures.counting(arena, DType.FLOAT64, 1));
      tensors.put("float", Fixtures.counting(arena, DType.FLOAT32, 3));
      Safetensors.write(file, tensors, Map.of());
      try (TensorFile read = TensorFile.open(file)) {
        long first = read.tensor("double").segment().address();
        assertEquals(0, first % 64, "the numbers start at a cache line");
        assertEquals(first + 8, read.tensor("float").segment().address());
        assertEquals(first + 20, read.tensor("half").segment().address());
        assertEquals(first + 30, read.tensor("byte").segment().address());
      }
    }
  }

  @Test
  void viewsAreWrittenInTheirOwnOrder() throws IOException {
    Path file = folder.resolve("view.safetensors");
    try (Arena arena = Arena.ofConfined()) {
      Tensor view = Fixtures.counting(arena, DType.FLOAT32, 4, 6).transpose().slice(0, 1, 4);
      Safetensors.write(file, Map.of("view", view), Map.of());
      try (TensorFile read = TensorFile.open(file)) {
        Fixtures.assertSame(view, read.tensor("view"), "view");
      }
    }
  }

  @Test
  void aFileWithoutTensorsIsAFile() throws IOException {
    Path file = folder.resolve("none.safetensors");
    Safetensors.write(file, Map.of(), Map.of());
    try (TensorFile read = TensorFile.open(file)) {
      assertEquals(List.of(), List.copyOf(read.names()));
    }
  }

  @Test
  void aTensorOfAnotherTypeIsRefusedOnlyWhenItIsAskedFor() throws IOException {
    Path file = folder.resolve("foreign.safetensors");
    Files.write(
        file,
        Fixtures.safetensors(
            "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[0,4]},"
                + "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
            8));
    try (TensorFile read = TensorFile.open(file)) {
      assertEquals("float32[1]", read.tensor("b").toString());
      ModelFormatException refused =
          assertThrows(ModelFormatException.class, () -> read.tensor("a"));
      assertTrue(refused.getMessage().contains("'a' has dtype 'F8_E4M3'"), refused.getMessage());
    }
  }

  @Test
  void numbersThatAreNotAlignedAreReadAllTheSame() throws IOException {
    for (int padding = 0; padding < 8; padding++) {
      Path file = folder.resolve("padding" + padding + ".safetensors");
      byte[] bytes =
          Fixtures.safetensors(
              "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"
                  + " ".repeat(padding),
              8);
      bytes[bytes.length - 1] = 0x40; // 2.0
      Files.write(file, bytes);
      try (TensorFile read = TensorFile.open(file)) {
        Tensor tensor = read.tensor("a");
        assertEquals(2f, tensor.getFloat(1));
        assertEquals(0, tensor.segment().address() % 4);
        assertTrue(tensor.isReadOnly());
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "[]|8|does not start with '{'",
        "{\"a\":1}|0|'a' is not an object",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}|4|'a' has no data_offsets",
        "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}|4|'a' has no shape",
        "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}|4|'a' has no dtype",
        "{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}|4|dtype that is not a string",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}|4|shape with -1",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}}|4|shape with 1.5",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[0,4]}}|4|shape with",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}|4|too large",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}|4|4 bytes, expected 64 bits",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}|4|within the 4 bytes",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}|4|data_offsets [4, 0]",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}|4|data_offsets [0, 4, 8]",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}|8|a hole of 4 bytes",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}|8|4 bytes follow",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}|6|overlaps 'a'",
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}|8|Duplicate",
        "{\"__metadata__\":{\"a\":1}}|0|value that is not a string",
        "{\"__metadata__\":[]}|0|not an object of strings",
        "{}x|0|safetensors header",
        "{} {}|0|goes on after its object",
        "{\"a|0|safetensors header",
      })
  void aBrokenHeaderIsRefusedWithItsPlace(String header, int dataBytes, String message)
      throws IOException {
    Path file = folder.resolve("broken.safetensors");
    Files.write(file, Fixtures.safetensors(header, dataBytes));
    ModelFormatException refused =
        assertThrows(ModelFormatException.class, () -> TensorFile.open(file));
    assertTrue(refused.getMessage().startsWith(file + ": at byte "), refused.getMessage());
    assertTrue(refused.getMessage().contains(message), refused.getMessage());
    assertTrue(refused.offset().orElseThrow() >= 8, refused.getMessage());
  }

  @Test
  void anUnknownNameSuggestsTheOneThatWasMeant() throws IOException {
    Path file = Shared.path("models/silero_vad/silero_vad_16k.safetensors");
    try (TensorFile read = TensorFile.open(file)) {
      ModelFormatException refused =
          assertThrows(ModelFormatException.class, () -> read.tensor("lstm_cell.weight_hx"));
      assertTrue(
          refused.getMessage().contains("did you mean 'lstm_cell.weight_hh'"),
          refused.getMessage());
    }
  }

  @Test
  void aFailedWriteLeavesTheOldFileAndNothingElse() throws IOException {
    Path file = folder.resolve("kept.safetensors");
    Files.writeString(file, "old");
    try (Arena arena = Arena.ofConfined()) {
      Tensor tensor = Fixtures.counting(arena, DType.FLOAT32, 3);
      Arena closed = Arena.ofConfined();
      Tensor gone = Fixtures.counting(closed, DType.FLOAT32, 3);
      closed.close();
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      tensors.put("good", tensor);
      tensors.put("gone", gone);
      assertThrows(IllegalStateException.class, () -> Safetensors.write(file, tensors, Map.of()));
      assertThrows(IllegalStateException.class, () -> Npz.write(file, tensors));
      assertThrows(IllegalStateException.class, () -> Npy.write(file, gone));
    }
    assertEquals("old", Files.readString(file));
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(List.of(file), files.toList());
    }
  }

  @Test
  void aFileThatIsUsedIsNotClosed() throws IOException {
    Path file = folder.resolve("leased.safetensors");
    Safetensors.write(file, Map.of(), Map.of());
    TensorFile read = TensorFile.open(file);
    var lease = read.arena().lease("a plan");
    IllegalStateException refused = assertThrows(IllegalStateException.class, read::close);
    assertTrue(refused.getMessage().contains("a plan"), refused.getMessage());
    lease.close();
    read.close();
    assertThrows(IllegalStateException.class, () -> read.tensor("a"));
  }
}
