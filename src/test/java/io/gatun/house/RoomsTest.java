package io.gatun.house;

import static java.util.stream.Collectors.toCollection;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.house.Jdk21SignaturesTest.LibraryClasses;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/**
 * Each package of the library is a room that knows only certain rooms above it. The table below is
 * the one of {@code docs/architecture.md}; what a class refers to is read from its class file.
 */
class RoomsTest {
  private static final String ROOT = "io.gatun.";

  /**
   * Room to the rooms that it may know. The rooms of {@code kernel} behind the contract are found
   * as services, so nobody names them; files end in {@code format}, so what computes does not name
   * it. What reads files does not name devices: of the kernel room it may know {@link
   * #KNOWN_TO_FILES} alone, the words that a file has for functions, and the numbers that weights
   * are rounded to.
   */
  private static final Map<String, Set<String>> MAY_KNOW =
      Map.ofEntries(
          Map.entry("tensor", Set.of()),
          Map.entry("kernel", Set.of("tensor")),
          Map.entry("kernel.scalar", Set.of("tensor", "kernel")),
          Map.entry("kernel.simd", Set.of("tensor", "kernel", "kernel.scalar")),
          Map.entry("kernel.cuda", Set.of("bindings", "tensor", "kernel", "kernel.scalar")),
          Map.entry("graph", Set.of("tensor", "kernel")),
          Map.entry("layer", Set.of("tensor", "kernel", "graph")),
          Map.entry("format", Set.of("tensor", "kernel", "graph", "layer")),
          Map.entry("sequence", Set.of("tensor", "kernel", "graph", "layer")),
          Map.entry("representation", Set.of("tensor", "kernel", "graph", "layer", "sequence")),
          // Training has files at both ends: configurations and data, checkpoints and models.
          Map.entry(
              "training",
              Set.of("tensor", "kernel", "graph", "layer", "format", "sequence", "representation")),
          Map.entry(
              "batch",
              Set.of("tensor", "kernel", "graph", "layer", "format", "sequence", "representation")),
          Map.entry("table", Set.of("tensor", "format", "batch")),
          Map.entry("job", Set.of("tensor", "format", "representation", "batch", "table")));

  private static final List<String> KNOWN_TO_FILES =
      List.of("io/gatun/kernel/Activation", "io/gatun/kernel/WeightFormat");

  /** These rooms never see a file. */
  private static final Set<String> NO_FILES =
      Set.of("kernel", "kernel.scalar", "kernel.simd", "graph", "layer", "sequence");

  private static final Set<String> FILE_PACKAGES = Set.of("java.nio.file", "java.nio.channels");

  @Test
  void everyClassLivesInARoom() {
    Set<String> strangers = rooms(LibraryClasses.all());
    strangers.removeAll(MAY_KNOW.keySet());
    assertEquals(Set.of(), strangers, "packages that are no rooms of the house");
  }

  @Test
  void aRoomKnowsOnlyTheRoomsAboveIt() {
    List<String> wrong = new ArrayList<>();
    for (ClassReferences type : LibraryClasses.all().values()) {
      wrong.addAll(wrongRooms(type));
    }
    assertTrue(wrong.isEmpty(), () -> String.join("\n", wrong));
  }

  @Test
  void whatReadsFilesNamesNoDevice() {
    List<String> wrong = new ArrayList<>();
    for (ClassReferences type : LibraryClasses.all().values()) {
      for (String used : type.types()) {
        if (room(type.packageName()).equals("format")
            && room(packageOf(used)).startsWith("kernel")
            && KNOWN_TO_FILES.stream()
                .noneMatch(known -> used.equals(known) || used.startsWith(known + "$"))) {
          wrong.add(type.name() + " names " + used);
        }
      }
    }
    assertEquals(List.of(), wrong);
  }

  @Test
  void onlyTheVectorRoomNamesTheIncubatorModule() {
    List<String> wrong = users("jdk.incubator.vector");
    wrong.removeIf(user -> user.startsWith(ROOT + "kernel.simd."));
    assertEquals(List.of(), wrong);
  }

  @Test
  void whatComputesNeverSeesAFile() {
    List<String> wrong = new ArrayList<>();
    for (ClassReferences type : LibraryClasses.all().values()) {
      if (NO_FILES.contains(room(type.packageName()))) {
        for (String used : type.types()) {
          if (FILE_PACKAGES.contains(packageOf(used)) || used.startsWith("java/io/File")) {
            wrong.add(type.name() + " names " + used);
          }
        }
      }
    }
    assertTrue(wrong.isEmpty(), () -> String.join("\n", wrong));
  }

  @Test
  void theLibraryPrintsNothing() {
    List<String> wrong = new ArrayList<>();
    for (ClassReferences type : LibraryClasses.all().values()) {
      for (ClassReferences.Member member : type.used()) {
        if (member.owner().equals("java/lang/System")
            && Set.of("out", "err").contains(member.name())) {
          wrong.add(type.name() + " uses " + member);
        }
        if (member.name().equals("printStackTrace") && member.descriptor().equals("()V")) {
          wrong.add(type.name() + " uses " + member);
        }
      }
    }
    assertTrue(wrong.isEmpty(), () -> String.join("\n", wrong));
  }

  @Test
  void aClassThatLooksDownIsReported() {
    ClassReferences lookingDown =
        new ClassReferences(
            "io/gatun/tensor/Wrong",
            65,
            "java/lang/Object",
            List.of(),
            Set.of("io/gatun/graph/Plan", "io/gatun/tensor/Shape", "java/lang/String"),
            Set.of(),
            Set.of());
    assertEquals(
        List.of("io.gatun.tensor.Wrong names io.gatun.graph.Plan: tensor may know []"),
        wrongRooms(lookingDown));
  }

  private static List<String> wrongRooms(ClassReferences type) {
    String room = room(type.packageName());
    Set<String> allowed = MAY_KNOW.getOrDefault(room, Set.of());
    List<String> wrong = new ArrayList<>();
    for (String used : type.types()) {
      String other = room(packageOf(used));
      if (!other.isEmpty() && !other.equals(room) && !allowed.contains(other)) {
        wrong.add(
            type.name().replace('/', '.')
                + " names "
                + used.replace('/', '.')
                + ": "
                + room
                + " may know "
                + new TreeSet<>(allowed));
      }
    }
    return wrong;
  }

  private static List<String> users(String packageName) {
    List<String> users = new ArrayList<>();
    for (ClassReferences type : LibraryClasses.all().values()) {
      if (type.types().stream().anyMatch(used -> packageOf(used).equals(packageName))) {
        users.add(type.name().replace('/', '.'));
      }
    }
    return users;
  }

  private static Set<String> rooms(Map<String, ClassReferences> classes) {
    return classes.values().stream()
        .map(type -> room(type.packageName()))
        .collect(toCollection(TreeSet::new));
  }

  /** The room of a package, empty for packages that are not the library's. */
  private static String room(String packageName) {
    return packageName.startsWith(ROOT) ? packageName.substring(ROOT.length()) : "";
  }

  private static String packageOf(String internalName) {
    int end = internalName.lastIndexOf('/');
    return end < 0 ? "" : internalName.substring(0, end).replace('/', '.');
  }
}
