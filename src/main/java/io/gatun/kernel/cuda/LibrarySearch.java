package io.gatun.kernel.cuda;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.net.URL;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Looks for one library where it may be, in this order: the folders of the system property {@value
 * #PROPERTY}, {@code CUDA_HOME} and {@code CUDA_PATH}, wherever the system's loader looks, the
 * folders where CUDA is usually installed, and the redistributables of bytedeco on the class path.
 */
final class LibrarySearch {
  /** Folders to look in before anywhere else, separated like a path. */
  static final String PROPERTY = "gatun.cuda.path";

  private static final String[] VARIABLES = {"CUDA_HOME", "CUDA_PATH"};
  private static final String ARCHITECTURE =
      System.getProperty("os.arch").equals("aarch64") ? "aarch64" : "x86_64";
  private static final String RESOURCES = "org/bytedeco/cuda/linux-" + folderName() + "/";

  /** What a library needs beside it, which its maker does not always tell the loader. */
  private static final Map<String, List<String>> COMPANIONS =
      Map.of(
          "libcublas.so.13", List.of("libcublasLt.so.13"),
          "libcublas.so.12", List.of("libcublasLt.so.12"),
          "libcudnn.so.9",
              List.of(
                  "libcudnn_graph.so.9",
                  "libcudnn_ops.so.9",
                  "libcudnn_heuristic.so.9",
                  "libcudnn_engines_runtime_compiled.so.9",
                  "libcudnn_engines_precompiled.so.9",
                  "libcudnn_cnn.so.9",
                  "libcudnn_adv.so.9"),
          "libcudnn.so.8",
              List.of(
                  "libcudnn_ops_infer.so.8",
                  "libcudnn_ops_train.so.8",
                  "libcudnn_cnn_infer.so.8",
                  "libcudnn_cnn_train.so.8",
                  "libcudnn_adv_infer.so.8",
                  "libcudnn_adv_train.so.8"));

  /** A library that was found: where, and its functions. */
  record Found(String where, SymbolLookup functions) {}

  private final List<String> problems = new ArrayList<>();

  /** What was wrong with what was found. */
  List<String> problems() {
    return problems;
  }

  /** For people: everywhere that is looked. */
  static String places() {
    List<String> places = new ArrayList<>();
    places.add(setting("-D" + PROPERTY, System.getProperty(PROPERTY)));
    for (String variable : VARIABLES) {
      places.add(setting(variable, System.getenv(variable)));
    }
    places.add("the system's library path");
    places.addAll(usualFolders());
    places.add(RESOURCES + " on the class path");
    return String.join(", ", places);
  }

  private static String setting(String name, String value) {
    return value == null ? name + " (not set)" : name + "=" + value;
  }

  /**
   * Looks for a library.
   *
   * @param soname its file's name, with the major version
   * @param functions what it must have
   * @return {@code null} if it is nowhere
   */
  Found find(String soname, List<String> functions) {
    String given = System.getProperty(PROPERTY);
    if (given != null) {
      for (String folder : given.split(File.pathSeparator)) {
        Found found = inFolder(folder, soname, functions);
        if (found != null) {
          return found;
        }
      }
    }
    for (String variable : VARIABLES) {
      String home = System.getenv(variable);
      if (home != null) {
        for (String folder : List.of("lib64", "lib", "targets/" + ARCHITECTURE + "-linux/lib")) {
          Found found = inFolder(home + "/" + folder, soname, functions);
          if (found != null) {
            return found;
          }
        }
      }
    }
    Found found = open(soname, soname, functions);
    if (found != null) {
      return found;
    }
    for (String folder : usualFolders()) {
      found = inFolder(folder, soname, functions);
      if (found != null) {
        return found;
      }
    }
    return onClassPath(soname, functions);
  }

  private static List<String> usualFolders() {
    String triplet = "/usr/lib/" + ARCHITECTURE + "-linux-gnu";
    return List.of(
        "/usr/local/cuda/lib64",
        "/usr/local/cuda-13/lib64",
        "/usr/local/cuda-12/lib64",
        "/opt/cuda/lib64",
        triplet,
        "/usr/lib64",
        "/usr/lib/wsl/lib");
  }

  private Found inFolder(String folder, String soname, List<String> functions) {
    Path file = Path.of(folder, soname);
    if (!Files.exists(file)) {
      return null;
    }
    for (String companion : COMPANIONS.getOrDefault(soname, List.of())) {
      Path beside = file.resolveSibling(companion);
      if (Files.exists(beside)) {
        open(beside.toString(), companion, List.of());
      }
    }
    return open(file.toString(), soname, functions);
  }

  @SuppressWarnings("restricted")
  private Found open(String path, String soname, List<String> functions) {
    SymbolLookup lookup;
    try {
      lookup = SymbolLookup.libraryLookup(path, Arena.global());
    } catch (IllegalArgumentException e) {
      if (path.contains("/")) {
        problems.add(
            path + " is there but cannot be loaded; 'ldd " + path + "' says what it lacks");
      }
      return null;
    }
    List<String> lacking =
        functions.stream().filter(function -> lookup.find(function).isEmpty()).toList();
    String where = path.contains("/") ? path : mapped(soname);
    if (!lacking.isEmpty()) {
      problems.add(where + " is too old: it has no " + String.join(", ", lacking));
      return null;
    }
    return new Found(where, lookup);
  }

  /** The file that the loader took for a name; the name itself where nobody says. */
  private static String mapped(String soname) {
    String stem = soname.substring(0, soname.indexOf(".so"));
    try (var lines = Files.lines(Path.of("/proc/self/maps"))) {
      return lines
          .filter(line -> line.contains("/" + stem + ".so"))
          .map(line -> line.substring(line.indexOf('/')))
          .findFirst()
          .orElse(soname);
    } catch (IOException | UncheckedIOException e) {
      return soname;
    }
  }

  private Found onClassPath(String soname, List<String> functions) {
    ClassLoader loader = LibrarySearch.class.getClassLoader();
    if (loader.getResource(RESOURCES + soname) == null) {
      return null;
    }
    String user = System.getProperty("user.name");
    Path folder = Path.of(System.getProperty("java.io.tmpdir"), "gatun-cuda-" + user);
    try {
      own(folder);
      for (String companion : COMPANIONS.getOrDefault(soname, List.of())) {
        unpack(loader.getResource(RESOURCES + companion), folder.resolve(companion));
      }
      unpack(loader.getResource(RESOURCES + soname), folder.resolve(soname));
    } catch (IOException e) {
      problems.add(soname + " cannot be unpacked to " + folder + ": " + e.getMessage());
      return null;
    }
    return inFolder(folder.toString(), soname, functions);
  }

  /**
   * Makes a folder that nobody else can write into, or sees that it is one: what lies there is
   * loaded.
   */
  private static void own(Path folder) throws IOException {
    var onlyOurs =
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
    try {
      Files.createDirectory(folder, onlyOurs);
    } catch (FileAlreadyExistsException e) {
      var found =
          Files.readAttributes(folder, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
      Path ours = Files.createTempFile("gatun", null);
      try {
        if (!found.isDirectory()
            || !found.owner().equals(Files.getOwner(ours))
            || found.permissions().contains(PosixFilePermission.GROUP_WRITE)
            || found.permissions().contains(PosixFilePermission.OTHERS_WRITE)) {
          throw new IOException("it is not a folder that only this user can write into");
        }
      } finally {
        Files.delete(ours);
      }
    }
  }

  /** Unpacks a resource, if it is there and not unpacked yet: the file has its size. */
  private static void unpack(URL resource, Path file) throws IOException {
    if (resource == null) {
      return;
    }
    var connection = resource.openConnection();
    long size = connection.getContentLengthLong();
    try (InputStream in = connection.getInputStream()) {
      if (Files.exists(file) && Files.size(file) == size) {
        return;
      }
      Path part = Files.createTempFile(file.getParent(), file.getFileName().toString(), ".part");
      try {
        Files.copy(in, part, StandardCopyOption.REPLACE_EXISTING);
        Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(part);
      }
    }
  }

  private static String folderName() {
    return ARCHITECTURE.equals("aarch64") ? "arm64" : ARCHITECTURE;
  }
}
