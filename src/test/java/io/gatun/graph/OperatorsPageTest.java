package io.gatun.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.gatun.Shared;
import io.gatun.format.OnnxModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/**
 * {@code docs/operators.md} is written from the code. {@code -Dgatun.write=true} writes it anew.
 */
class OperatorsPageTest {
  /** Operators that ONNX does not have. */
  private static final Set<String> OWN =
      Set.of("Affine", "Assume", "CrossEntropy", "MaskedSoftmax", "ScaledTanh");

  @Test
  void thePageOfOperatorsIsWhatTheCodeHas() throws IOException {
    Path page = Shared.project().resolve("docs/operators.md");
    String text = text();
    if (Boolean.getBoolean("gatun.write")) {
      Files.writeString(page, text);
    }
    assertEquals(
        text,
        Files.readString(page),
        "docs/operators.md is old; run this test with -Dgatun.write=true");
  }

  private static String text() {
    StringBuilder page = new StringBuilder();
    page.append("# Operators\n\n");
    page.append("<!-- Written by OperatorsPageTest from the code: change it there. -->\n\n");
    page.append(
        """
        What an ONNX file may consist of. Every operator has the meaning of ONNX' operator of the same
        name in its newest version; a file of an older version, from %d on, is rewritten when it is
        read. Read are versions %d to %d of ONNX' own operators (domain `ai.onnx`), functions of the
        model, and the nodes within If, Loop and Scan. Everything else is refused when the file is
        opened, by an exception that names file, node and operator.

        Types of numbers: %s. All floating-point types are computed in the device's type, float32, and
        rounded when they are handed out. Not read are strings, sequences, optional and sparse values,
        complex numbers, and floats and integers of 8 bits and less beside int8 and uint8.

        Inputs that decide the sizes of outputs (shapes, axes, pads), and weights that are packed, need
        not be constants; where they are computed or given, they are worked out before the network is
        laid out, and the layout holds for as long as they stay what they are.

        An operator's versions are those in which ONNX defined it anew, and each holds until the next:
        with `7, 14` a file of version 13 means the definition of version 7. A file older than the
        first cannot have the operator, and is refused.

        | operator | versions | what it does not have |
        |---|---|---|
        """
            .formatted(
                OnnxModel.FIRST_OPSET, OnnxModel.FIRST_OPSET, OnnxModel.LAST_OPSET, types()));
    for (Operator operator : Operators.all().values()) {
      if (!OWN.contains(operator.type())) {
        row(page, operator.type(), operator.limits());
      }
    }
    for (String rewritten : List.of("Constant", "Mean", "Scatter", "Sum", "Upsample")) {
      if (!Operators.all().containsKey(rewritten)) {
        row(page, rewritten, "");
      }
    }
    page.append("\nBeyond ONNX, for networks that are built here: ");
    Set<String> own = new TreeSet<>(OWN);
    own.retainAll(Operators.all().keySet());
    page.append(String.join(", ", own)).append(".\n");
    return page.toString();
  }

  private static void row(StringBuilder page, String operator, String limits) {
    List<Integer> versions = OnnxModel.versions(operator);
    assertFalse(versions.isEmpty(), operator + " is in no version of ONNX");
    String listed = versions.stream().map(String::valueOf).collect(Collectors.joining(", "));
    page.append("| ").append(operator).append(" | ").append(listed);
    page.append(" | ").append(limits).append(" |\n");
  }

  private static String types() {
    StringBuilder types = new StringBuilder();
    for (io.gatun.tensor.DType type : io.gatun.tensor.DType.values()) {
      types.append(types.isEmpty() ? "" : ", ").append(type.label());
    }
    return types.toString();
  }
}
