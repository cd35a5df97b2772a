package io.gatun.house;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.gatun.Shared;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;
import java.text.ListFormat;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The library runs on JDK 21 although a later one compiles it. */
class Jdk21SignaturesTest {
  private static Jdk21Signatures jdk21;

  @BeforeAll
  static void open() {
    var signatures = Jdk21Signatures.open();
    assumeTrue(
        signatures.isPresent(),
        "skipped: this Java has no lib/ct.sym and is not version 21 itself");
    jdk21 = signatures.get();
  }

  @AfterAll
  static void close() {
    if (jdk21 != null) {
      jdk21.close();
    }
  }

  @Test
  void theLibraryCallsNothingThatJdk21DoesNotHave() {
    List<String> missing = jdk21.missing(LibraryClasses.FOLDER);
    assertTrue(missing.isEmpty(), () -> String.join("\n", missing));
  }

  @Test
  void theGeneratedBindingsCallNothingThatJdk21DoesNotHave() {
    List<String> missing =
        jdk21.missing(Shared.project().resolve("native-bindings/target/classes"));
    assertTrue(missing.isEmpty(), () -> String.join("\n", missing));
  }

  @Test
  void everyClassOfTheLibraryIsOfVersion21() {
    for (ClassReferences type : LibraryClasses.all().values()) {
      assertEquals(65, type.majorVersion(), type.name());
    }
  }

  @Test
  void theModulesThatMatterAreKnown() {
    for (String type :
        List.of(
            "java/lang/Object",
            "java/lang/foreign/Arena",
            "java/lang/foreign/MemorySegment",
            "jdk/incubator/vector/FloatVector",
            "java/util/logging/Logger")) {
      assertTrue(jdk21.has(type), type);
    }
    assertFalse(jdk21.has("java/text/ListFormat"), "it came with 22");
  }

  @Test
  void aCallOfWhatJdk21HasIsNotReported() throws IOException {
    assertEquals(List.of(), missing(FitsJdk21.class));
  }

  @Test
  void aCallOfSomethingNewerIsReported() throws IOException {
    List<String> missing = missing(NeedsLater.class);
    for (String expected :
        List.of(
            "names java.text.ListFormat,",
            "uses java.text.ListFormat.getInstance()",
            "uses java.lang.foreign.Arena.allocateFrom(Ljava/lang/String;)",
            "uses java.lang.foreign.MemorySegment.getString(J)")) {
      assertTrue(missing.stream().anyMatch(line -> line.contains(expected)), missing::toString);
    }
  }

  private static List<String> missing(Class<?> type) throws IOException {
    ClassReferences read = read(type);
    ClassReferences outer = read(Jdk21SignaturesTest.class);
    return jdk21.missing(read, Map.of(read.name(), read, outer.name(), outer));
  }

  private static ClassReferences read(Class<?> type) throws IOException {
    String file = type.getName().replace('.', '/') + ".class";
    try (InputStream in = type.getClassLoader().getResourceAsStream(file)) {
      return ClassReferences.read(in.readAllBytes());
    }
  }

  /** Inherited, overloaded, polymorphic, an array's, an interface's: all there in 21. */
  static final class FitsJdk21 extends ArrayList<String> {
    private static final long serialVersionUID = 1;

    static Object calls(Arena arena, MethodHandle handle) throws Throwable {
      FitsJdk21 list = new FitsJdk21();
      list.add("inherited by a class of ours");
      StringBuilder text = new StringBuilder("a").append(1).append('c');
      text.setLength(0); // of a superclass that is not public
      MemorySegment segment = arena.allocate(64, 64);
      segment.set(ValueLayout.JAVA_FLOAT, 0, 1f);
      VarHandle array = MethodHandles.arrayElementVarHandle(int[].class);
      int[] numbers = new int[8].clone();
      array.setVolatile(numbers, 1, 2);
      FloatVector vector =
          FloatVector.fromMemorySegment(
              FloatVector.SPECIES_128, segment, 0, java.nio.ByteOrder.nativeOrder());
      CharSequence interfaceOnly = text;
      return Arrays.asList(
          list.hashCode() + interfaceOnly.hashCode(),
          (int) handle.invokeExact(3, "x"),
          vector.reduceLanes(VectorOperators.ADD),
          Thread.State.valueOf("NEW"));
    }
  }

  /** Never run: only its class file is looked at. */
  static final class NeedsLater {
    private NeedsLater() {}

    static String calls(Arena arena) {
      return ListFormat.getInstance() + arena.allocateFrom("text").getString(0);
    }
  }

  /** Where the classes of the library lie. */
  static final class LibraryClasses {
    static final Path FOLDER = Shared.project().resolve("src/target/classes");

    private LibraryClasses() {}

    static Map<String, ClassReferences> all() {
      Map<String, ClassReferences> classes = ClassReferences.readAll(FOLDER);
      assertFalse(classes.isEmpty(), "no classes in " + FOLDER);
      return classes;
    }
  }
}
