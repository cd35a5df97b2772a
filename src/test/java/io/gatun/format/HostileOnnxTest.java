package io.gatun.format;

import static io.gatun.format.OnnxBytes.external;
import static io.gatun.format.OnnxBytes.info;
import static io.gatun.format.OnnxBytes.model;
import static io.gatun.format.OnnxBytes.node;
import static io.gatun.format.OnnxBytes.tensor;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Seeds;
import io.gatun.Shared;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** ONNX files that are damaged or lie: one exception that says what is wrong, and nothing else. */
class HostileOnnxTest {
  @TempDir Path folder;

  private Path write(byte[] bytes) throws IOException {
    return Files.write(folder.resolve("model.onnx"), bytes);
  }

  private ModelFormatException refused(byte[] bytes, String... says) throws IOException {
    Path file = write(bytes);
    ModelFormatException e =
        assertThrows(ModelFormatException.class, () -> OnnxModel.open(file).close());
    for (String part : says) {
      assertTrue(e.getMessage().contains(part), e.getMessage());
    }
    assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
    return e;
  }

  /** Relu of an input, behind whatever the test puts in front. */
  private static OnnxBytes graph(OnnxBytes... initializers) {
    OnnxBytes graph = new OnnxBytes().message(1, node("Relu", "x", "y")).text(2, "g");
    for (OnnxBytes initializer : initializers) {
      graph.message(5, initializer);
    }
    return graph.message(11, info("x", 2, 3)).message(12, info("y", 2, 3));
  }

  private static byte[] published(String name) throws IOException {
    Path zip = Shared.path("conformance/onnx-node-v1.22.0.zip");
    try (ZipFile cases = new ZipFile(zip.toFile());
        InputStream in = cases.getInputStream(cases.getEntry(name + "/model.onnx"))) {
      return in.readAllBytes();
    }
  }

  @Test
  void anOperatorThatIsNewerThanTheFileIsRefused() throws IOException {
    OnnxBytes graph = new OnnxBytes().message(1, node("Gelu", "x", "y")).text(2, "g");
    graph.message(11, info("x", 2, 3)).message(12, info("y", 2, 3));
    refused(model(graph), "Gelu", "version 17 of ONNX has none, expected 20 or later");
  }

  @Test
  void aFileCutShortAtAnyLengthIsRefused() throws IOException {
    for (String name : List.of("test_lstm_with_peepholes", "test_if", "test_scan9_sum")) {
      byte[] whole = published(name);
      for (int length = 0; length < whole.length; length++) {
        refused(Arrays.copyOf(whole, length));
      }
    }
  }

  @Test
  void aFileWithChangedBytesIsReadOrRefusedAndNothingElse() throws IOException {
    Random random = Seeds.random("HostileOnnxTest.changedBytes");
    for (String name : List.of("test_lstm_with_peepholes", "test_if", "test_gru_batchwise")) {
      byte[] whole = published(name);
      for (int round = 0; round < 400; round++) {
        byte[] changed = whole.clone();
        for (int i = 0; i <= random.nextInt(3); i++) {
          changed[random.nextInt(changed.length)] = (byte) random.nextInt(256);
        }
        Path file = write(changed);
        try {
          OnnxModel.open(file).close();
        } catch (ModelFormatException e) {
          assertTrue(e.getMessage().startsWith(file.toString()), e.getMessage());
        }
      }
    }
  }

  @Test
  void noiseIsRefused() throws IOException {
    Random random = Seeds.random("HostileOnnxTest.noise");
    for (int round = 0; round < 500; round++) {
      byte[] noise = new byte[random.nextInt(300)];
      random.nextBytes(noise);
      refused(noise);
    }
  }

  @Test
  void aLengthBeyondItsMessageIsRefused() throws IOException {
    for (long length : new long[] {1, 1L << 31, 1L << 40, Long.MAX_VALUE, -1}) {
      refused(new OnnxBytes().number(1, 8).length(7, length).bytes(), "at byte 2", "bytes");
      refused(model(new OnnxBytes().length(1, length)), "field 1 of the graph");
    }
  }

  @Test
  void whatIsNewerOrOlderThanWhatIsKnownIsRefusedByVersion() throws IOException {
    OnnxBytes opset = new OnnxBytes().number(2, 99);
    refused(
        new OnnxBytes().number(1, 8).message(7, graph()).message(8, opset).bytes(),
        "version 99",
        "7 to");
    refused(new OnnxBytes().number(1, 8).message(7, graph()).bytes(), "names no version");
    refused(new OnnxBytes().number(1, 99).message(7, graph()).bytes(), "IR version 99");
    refused(new OnnxBytes().number(1, 8).bytes(), "no graph");
    refused(new byte[0], "no graph");
  }

  @Test
  void sizesThatCannotBeCountedAreRefused() throws IOException {
    refused(model(graph(tensor("w", 1, Long.MAX_VALUE, Long.MAX_VALUE))), "'w'", "too large");
    refused(model(graph(tensor("w", 1, 1L << 40))), "'w'", "0 numbers");
    refused(model(graph(tensor("w", 1, -1))), "'w'", "negative");
    refused(model(graph(tensor("w", 1, 2).raw(9, new byte[7]))), "7 bytes, expected 8");
    refused(model(graph(tensor("w", 1, 0).raw(9, new byte[4]))), "4 bytes, expected 0");
    refused(model(graph(tensor("w", 1, 1).raw(4, new byte[3]))), "3 bytes, expected a multiple");
    refused(model(graph(tensor("w", 7, 1).raw(4, new byte[4]))), "field 4, expected 7");
    refused(model(graph(tensor("w", 8, 1).raw(6, (byte) 'a'))), "string", "not read");
    refused(model(graph(tensor("w", 99, 1).raw(9, new byte[4]))), "unknown type 99");
  }

  @Test
  void anInputOfAbsurdSizesIsNoReasonToAllocateAnything() throws IOException {
    OnnxBytes graph =
        new OnnxBytes()
            .message(1, node("Relu", "x", "y"))
            .message(11, info("x", 1L << 60, 1L << 60))
            .message(12, info("y"));
    try (OnnxModel model = OnnxModel.open(write(model(graph)))) {
      assertEquals(2, model.graph().value("y").rank());
    }
  }

  @Test
  void aCycleIsAValueThatIsNotThereYet() throws IOException {
    OnnxBytes graph =
        new OnnxBytes()
            .message(1, node("Add", "x b", "a"))
            .message(1, node("Relu", "a", "b"))
            .message(11, info("x", 2))
            .message(12, info("b", 2));
    refused(model(graph), "node 'a' (Add)", "'b'", "computed before");
    refused(
        model(new OnnxBytes().message(1, node("Relu", "y", "y")).message(12, info("y", 1))), "'y'");
  }

  @Test
  void namesThatAreTakenAreRefused() throws IOException {
    refused(
        model(
            new OnnxBytes()
                .message(1, node("Relu", "x", "x"))
                .message(11, info("x", 2))
                .message(12, info("x", 2))),
        "two values are called 'x'");
    refused(
        model(graph(tensor("w", 1, 0).raw(9), tensor("w", 1, 0).raw(9))),
        "two values are called 'w'");
  }

  @Test
  void operatorsAndDomainsThatAreNotThereAreRefusedByNodeAndName() throws IOException {
    OnnxBytes unknown =
        new OnnxBytes()
            .message(1, node("Relux", "x", "y").text(3, "first"))
            .message(11, info("x", 2))
            .message(12, info("y", 2));
    refused(model(unknown), "node 'first' (Relux)", "Relu");
    OnnxBytes foreign =
        new OnnxBytes()
            .message(1, node("Relu", "x", "y").text(7, "com.example"))
            .message(11, info("x", 2))
            .message(12, info("y", 2));
    refused(model(foreign), "node 'y' (com.example.Relu)", "domain 'com.example'");
  }

  @Test
  void graphsWithinGraphsEndSomewhere() throws IOException {
    OnnxBytes leaf = new OnnxBytes().message(1, node("Relu", "x", "y")).message(12, info("y", 2));
    OnnxBytes other = new OnnxBytes().text(1, "else_branch").message(6, leaf).number(20, 5);
    OnnxBytes inner = leaf;
    for (int i = 0; i < 40; i++) {
      OnnxBytes then = new OnnxBytes().text(1, "then_branch").message(6, inner).number(20, 5);
      inner =
          new OnnxBytes()
              .message(1, node("If", "c", "y" + i, then, other))
              .message(12, info("y" + i, 2));
    }
    OnnxBytes graph = inner.message(11, info("x", 2));
    refused(model(graph.message(11, info("c"))), "deeper than");
  }

  @Test
  void functionsThatCallThemselvesAreRefused() throws IOException {
    OnnxBytes function =
        new OnnxBytes()
            .text(1, "Twice")
            .text(4, "a")
            .text(5, "b")
            .message(7, node("Twice", "a", "b").text(7, "own"))
            .text(10, "own");
    OnnxBytes graph =
        new OnnxBytes()
            .message(1, node("Twice", "x", "y").text(7, "own"))
            .message(11, info("x", 2))
            .message(12, info("y", 2));
    refused(model(graph, function), "functions that call functions");
  }

  @Test
  void aFunctionIsPutInThePlaceOfItsCall() throws IOException {
    OnnxBytes function =
        new OnnxBytes()
            .text(1, "Twice")
            .text(4, "a")
            .text(5, "b")
            .message(7, node("Add", "a a", "sum"))
            .message(7, node("Relu", "sum", "b"))
            .text(10, "own");
    OnnxBytes graph =
        new OnnxBytes()
            .message(1, node("Twice", "x", "y").text(7, "own").text(3, "f"))
            .message(11, info("x", 2))
            .message(12, info("y", 2));
    try (OnnxModel model = OnnxModel.open(write(model(graph, function)))) {
      assertTrue(model.graph().values().containsKey("f/sum"), model.graph().values().toString());
      assertEquals("y", model.graph().outputs().get(0).name());
    }
  }

  @Test
  void externalDataIsUsedWhereItLiesAndNowhereElse() throws IOException {
    byte[] data = new byte[32];
    data[8 + 3] = 0x40;
    Files.write(folder.resolve("weights.bin"), data);
    try (OnnxModel model =
        OnnxModel.open(write(model(graph(external("weights.bin", "8", "8", 2)))))) {
      float[] weights = new float[] {2, 0};
      assertArrayEquals(
          weights, model.graph().value("w").constant().view().orElseThrow().toFloats());
    }
    refused(model(graph(external("weights.bin", "28", "8", 2))), "bytes 28 to 36", "has 32");
    refused(
        model(graph(external("weights.bin", Long.toString(Long.MAX_VALUE), null, 2))), "has 32");
    refused(model(graph(external("weights.bin", "-4", "8", 2))), "offset '-4'");
    refused(model(graph(external("weights.bin", "many", "8", 2))), "offset 'many'");
    refused(model(graph(external("weights.bin", "0", "12", 2))), "12 bytes", "expected 8");
    refused(model(graph(external("none.bin", "0", "8", 2))), "'none.bin'", "missing");
    refused(model(graph(external("", "0", "8", 2))), "without a location");
  }

  @Test
  void externalDataOutsideTheFolderIsRefused() throws IOException {
    Path inside = Files.createDirectories(folder.resolve("inside"));
    Files.write(folder.resolve("secret.bin"), new byte[64]);
    Files.createSymbolicLink(inside.resolve("link.bin"), folder.resolve("secret.bin"));
    for (String location :
        List.of(
            "../secret.bin",
            "a/../../secret.bin",
            folder.resolve("secret.bin").toString(),
            ".",
            "link.bin",
            "..\\secret.bin")) {
      Path file = inside.resolve("model.onnx");
      Files.write(file, model(graph(external(location, null, null, 2))));
      ModelFormatException e =
          assertThrows(ModelFormatException.class, () -> OnnxModel.open(file).close());
      assertTrue(e.getMessage().contains("outside the model's folder"), e.getMessage());
    }
  }
}
