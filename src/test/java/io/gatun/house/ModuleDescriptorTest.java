package io.gatun.house;

import static java.util.stream.Collectors.toCollection;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.house.Jdk21SignaturesTest.LibraryClasses;
import java.io.IOException;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleDescriptor.Requires.Modifier;
import java.lang.module.ModuleFinder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The tests run on the class path; users may put the library on the module path. */
class ModuleDescriptorTest {
  /** Found as services, never by name. */
  private static final Set<String> NOT_EXPORTED = Set.of("io.gatun.kernel.simd");

  /** May be exported: the plain kernels are also the reference that others test against. */
  private static final Set<String> EITHER = Set.of("io.gatun.kernel.scalar");

  private final ModuleDescriptor module =
      ModuleFinder.of(LibraryClasses.FOLDER).find("io.gatun").orElseThrow().descriptor();

  @Test
  void theIncubatorModuleIsNeededOnlyToCompile() {
    var incubator =
        module.requires().stream()
            .filter(needed -> needed.name().equals("jdk.incubator.vector"))
            .findFirst()
            .orElseThrow();
    assertTrue(incubator.modifiers().contains(Modifier.STATIC));
  }

  @Test
  void everyRoomThatHasTypesIsExported() {
    Set<String> rooms = new TreeSet<>();
    for (ClassReferences type : LibraryClasses.all().values()) {
      if (!type.name().endsWith("/package-info")) {
        rooms.add(type.packageName());
      }
    }
    rooms.removeAll(NOT_EXPORTED);
    Set<String> exported =
        module.exports().stream()
            .filter(export -> !export.isQualified())
            .map(ModuleDescriptor.Exports::source)
            .collect(toCollection(TreeSet::new));
    rooms.removeAll(EITHER);
    exported.removeAll(EITHER);
    assertEquals(rooms, exported);
  }

  @Test
  void theModulePathAndTheClassPathProvideTheSame() throws IOException {
    Map<String, Set<String>> provided = new TreeMap<>();
    module
        .provides()
        .forEach(each -> provided.put(each.service(), new TreeSet<>(each.providers())));
    Map<String, Set<String>> listed = new TreeMap<>();
    Path services = LibraryClasses.FOLDER.resolve("META-INF/services");
    if (Files.isDirectory(services)) {
      try (var files = Files.list(services)) {
        for (Path file : files.toList()) {
          Set<String> names =
              Files.readAllLines(file).stream()
                  .map(line -> line.replaceFirst("#.*", "").trim())
                  .filter(line -> !line.isEmpty())
                  .collect(toCollection(TreeSet::new));
          listed.put(file.getFileName().toString(), names);
        }
      }
    }
    assertEquals(provided, listed);
  }
}
