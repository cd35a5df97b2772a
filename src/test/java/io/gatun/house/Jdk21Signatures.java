package io.gatun.house;

import io.gatun.house.ClassReferences.Member;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;

/**
 * The public and protected signatures of JDK 21, and what a set of classes calls that is not among
 * them.
 *
 * <p>A later JDK keeps them in {@code lib/ct.sym}, a zip of class files without code. The first
 * folder of an entry's path says which releases it stands for, a character each: {@code 9} is 9,
 * {@code A} is 10, {@code L} is 21. On JDK 21 itself the running image is read instead.
 */
public final class Jdk21Signatures implements AutoCloseable {
  private static final char RELEASE_21 = 'L';

  /** Class files that are neither ours nor the JDK's; their own callers see to them. */
  private static final List<String> LIBRARIES =
      List.of(
          "com/fasterxml/jackson/",
          "io/jhdf/",
          "io/gatun/bindings/",
          "picocli/",
          "org/openjdk/jmh/",
          "com/google/errorprone/");

  /** Their methods take any descriptor: the call site's is not the declaration's. */
  private static final Set<String> SIGNATURE_POLYMORPHIC =
      Set.of("java/lang/invoke/MethodHandle", "java/lang/invoke/VarHandle");

  private interface Source extends AutoCloseable {
    /** The class file, or {@code null}. */
    byte[] read(String internalName) throws IOException;

    @Override
    void close() throws IOException;
  }

  private final Source source;
  private final Map<String, Optional<ClassReferences>> known = new HashMap<>();

  private Jdk21Signatures(Source source) {
    this.source = source;
  }

  /**
   * The signatures, or nothing when this Java does not have them (it is older than 21, or no JDK).
   *
   * @return the signatures, to be closed by the caller
   */
  public static Optional<Jdk21Signatures> open() {
    try {
      if (Runtime.version().feature() == 21) {
        return Optional.of(new Jdk21Signatures(runningImage()));
      }
      Path symbols = Path.of(System.getProperty("java.home"), "lib", "ct.sym");
      if (!Files.exists(symbols)) {
        return Optional.empty();
      }
      return Optional.of(new Jdk21Signatures(symbolFile(symbols)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * What the classes below a folder refer to that JDK 21 does not have.
   *
   * @param folder where class files lie, such as {@code target/classes}
   * @param others folders of classes that these may inherit from
   * @return one line for each reference, empty when all is well
   */
  public List<String> missing(Path folder, Path... others) {
    Map<String, ClassReferences> ours = new HashMap<>();
    for (Path other : others) {
      ours.putAll(ClassReferences.readAll(other));
    }
    Map<String, ClassReferences> checked = ClassReferences.readAll(folder);
    ours.putAll(checked);
    List<String> missing = new ArrayList<>();
    for (ClassReferences user : checked.values()) {
      missing.addAll(missing(user, ours));
    }
    return missing;
  }

  /** What one class refers to that JDK 21 does not have. */
  List<String> missing(ClassReferences user, Map<String, ClassReferences> ours) {
    List<String> missing = new ArrayList<>();
    String who = user.name().replace('/', '.');
    for (String type : user.types()) {
      if (!ours.containsKey(type) && !ofLibrary(type) && jdkClass(type).isEmpty()) {
        missing.add(who + " names " + type.replace('/', '.') + ", which JDK 21 does not have");
      }
    }
    for (Member member : user.used()) {
      if (!exists(member, ours)) {
        missing.add(who + " uses " + member + ", which JDK 21 does not have");
      }
    }
    return missing;
  }

  /** Whether JDK 21 has the class. */
  boolean has(String internalName) {
    return jdkClass(internalName).isPresent();
  }

  private boolean exists(Member member, Map<String, ClassReferences> ours) {
    // An array has the methods of an object, and clone with its own type.
    String owner = member.owner().startsWith("[") ? "java/lang/Object" : member.owner();
    if (SIGNATURE_POLYMORPHIC.contains(owner)
        && jdkClass(owner).orElseThrow().declared().stream()
            .filter(method -> method.descriptor().startsWith("([Ljava/lang/Object;)"))
            .anyMatch(method -> method.name().equals(member.name()))) {
      return true;
    }
    return declares(owner, member, ours, new HashSet<>());
  }

  /** Looks a member up as a JVM does: in the class, its superclasses and all its interfaces. */
  private boolean declares(
      String type, Member member, Map<String, ClassReferences> ours, Set<String> seen) {
    if (!seen.add(type)) {
      return false;
    }
    if (ofLibrary(type)) {
      return true;
    }
    Optional<ClassReferences> found =
        ours.containsKey(type) ? Optional.of(ours.get(type)) : jdkClass(type);
    if (found.isEmpty()) {
      return false;
    }
    ClassReferences in = found.get();
    if (in.declared().contains(new Member(type, member.name(), member.descriptor()))) {
      return true;
    }
    if (member.name().equals("<init>")) {
      return false; // a constructor is not inherited
    }
    for (String above : in.interfaces()) {
      if (declares(above, member, ours, seen)) {
        return true;
      }
    }
    // An interface has the methods of Object too, and its class file names it as superclass.
    return in.superName() != null && declares(in.superName(), member, ours, seen);
  }

  private static boolean ofLibrary(String type) {
    return LIBRARIES.stream().anyMatch(type::startsWith);
  }

  private Optional<ClassReferences> jdkClass(String internalName) {
    return known.computeIfAbsent(
        internalName,
        name -> {
          try {
            return Optional.ofNullable(source.read(name)).map(ClassReferences::read);
          } catch (IOException e) {
            throw new UncheckedIOException("reading the signature of " + name, e);
          }
        });
  }

  private static Source symbolFile(Path symbols) throws IOException {
    ZipFile zip = new ZipFile(symbols.toFile());
    Map<String, ZipEntry> entries = new HashMap<>();
    zip.stream()
        .filter(entry -> entry.getName().endsWith(".sig"))
        .forEach(
            entry -> {
              // releases / module / package and class .sig
              String[] parts = entry.getName().split("/", 3);
              if (parts.length == 3 && parts[0].indexOf(RELEASE_21) >= 0) {
                entries.put(parts[2].substring(0, parts[2].length() - ".sig".length()), entry);
              }
            });
    return new Source() {
      @Override
      public byte[] read(String internalName) throws IOException {
        ZipEntry entry = entries.get(internalName);
        if (entry == null) {
          return null;
        }
        try (InputStream in = zip.getInputStream(entry)) {
          return in.readAllBytes();
        }
      }

      @Override
      public void close() throws IOException {
        zip.close();
      }
    };
  }

  private static Source runningImage() throws IOException {
    FileSystem image = FileSystems.getFileSystem(URI.create("jrt:/"));
    Map<String, Path> modules = new HashMap<>();
    try (Stream<Path> packages = Files.list(image.getPath("/packages"))) {
      for (Path named : packages.toList()) {
        try (Stream<Path> links = Files.list(named)) {
          for (Path link : links.toList()) {
            Path folder =
                image
                    .getPath("/modules", link.getFileName().toString())
                    .resolve(named.getFileName().toString().replace('.', '/'));
            if (Files.isDirectory(folder)) {
              modules.merge(
                  named.getFileName().toString().replace('.', '/'),
                  folder,
                  (one, two) -> hasClasses(one) ? one : two);
            }
          }
        }
      }
    }
    return new Source() {
      @Override
      public byte[] read(String internalName) throws IOException {
        int end = internalName.lastIndexOf('/');
        Path folder = modules.get(internalName.substring(0, Math.max(end, 0)));
        Path file =
            folder == null ? null : folder.resolve(internalName.substring(end + 1) + ".class");
        return file == null || !Files.exists(file) ? null : Files.readAllBytes(file);
      }

      @Override
      public void close() {
        // the image belongs to the JVM
      }
    };
  }

  private static boolean hasClasses(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return files.anyMatch(file -> file.toString().endsWith(".class"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    try {
      source.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
