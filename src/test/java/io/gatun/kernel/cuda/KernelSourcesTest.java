package io.gatun.kernel.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.tensor.DType;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The compiled kernels that the library carries are those of the sources. */
class KernelSourcesTest {
  private static final Path SOURCES = Path.of("../native-bindings/kernels");
  private static final String RESOURCE = "/io/gatun/kernel/cuda/kernels.ptx";

  private static List<Path> sources(String suffix) throws IOException {
    try (Stream<Path> files = Files.list(SOURCES)) {
      return files.filter(file -> file.toString().endsWith(suffix)).sorted().toList();
    }
  }

  private static String compiled() throws IOException {
    try (InputStream resource = KernelSourcesTest.class.getResourceAsStream(RESOURCE)) {
      assertNotNull(resource, RESOURCE + " is missing; native-bindings/kernels/build makes it");
      return new String(resource.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  private static Set<String> names(Pattern pattern, String text) {
    TreeSet<String> names = new TreeSet<>();
    Matcher matcher = pattern.matcher(text);
    while (matcher.find()) {
      names.add(matcher.group(1));
    }
    return names;
  }

  @Test
  void theCompiledKernelsWereMadeFromTheSourcesAsTheyAre()
      throws IOException, NoSuchAlgorithmException {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    for (String suffix : new String[] {".cu", ".h"}) {
      for (Path source : sources(suffix)) {
        digest.update(Files.readAllBytes(source));
      }
    }
    String sum = HexFormat.of().formatHex(digest.digest());
    String first = compiled().lines().findFirst().orElseThrow();
    assertTrue(
        first.endsWith(" " + sum + "."),
        () -> first + " The sources have " + sum + "; native-bindings/kernels/build compiles them");
  }

  @Test
  void theCodesOfTypesAreThoseOfTheLibrary() throws IOException {
    String header = Files.readString(SOURCES.resolve("kernel.h"));
    Matcher matcher = Pattern.compile("^  ([A-Z0-9]+) = (\\d+)", Pattern.MULTILINE).matcher(header);
    int codes = 0;
    while (matcher.find()) {
      int code = Integer.parseInt(matcher.group(2));
      assertEquals(DType.valueOf(matcher.group(1)).ordinal(), code, matcher.group(1));
      codes++;
    }
    // All but the types that no device stores.
    assertEquals(DType.values().length - 3, codes);
  }

  @Test
  void everyKernelOfTheSourcesIsCompiledForOldDriversToo() throws IOException {
    String ptx = compiled();
    TreeSet<String> declared = new TreeSet<>();
    Pattern kernel = Pattern.compile("^(?:KERNEL|FILL|COPY|BINARY)\\((\\w+)", Pattern.MULTILINE);
    for (Path source : sources(".cu")) {
      declared.addAll(names(kernel, Files.readString(source)));
    }
    Pattern entry = Pattern.compile("^\\.visible \\.entry (\\w+)\\(", Pattern.MULTILINE);
    assertEquals(declared, names(entry, ptx));
    assertTrue(ptx.contains("\n.version 7.0\n.target sm_75\n.address_size 64\n"), "the target");
  }
}
