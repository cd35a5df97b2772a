package io.gatun;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The folder of models, conformance cases and data that lies beside the project and is not part of
 * it.
 *
 * <p>It is {@code ../shared} seen from the project's root, or what the system property {@code
 * gatun.shared} says. A test that asks for something that is not there is skipped, and says so.
 */
public final class Shared {
  private Shared() {}

  /**
   * A file or folder below the shared folder.
   *
   * @param relative the path below it, such as {@code models/g2p_en/checkpoint20.npz}
   * @return the path, which exists
   * @throws org.opentest4j.TestAbortedException if it does not exist: the test is skipped
   */
  public static Path path(String relative) {
    Path path = root().resolve(relative).normalize();
    assumeTrue(
        Files.exists(path),
        () -> "skipped: " + path + " is missing (-Dgatun.shared=FOLDER says where it lies)");
    return path;
  }

  /**
   * The shared folder, whether it exists or not.
   *
   * @return its absolute path
   */
  public static Path root() {
    String given = System.getProperty("gatun.shared");
    if (given != null && !given.isBlank()) {
      return Path.of(given).toAbsolutePath().normalize();
    }
    return project().resolve("../shared").normalize();
  }

  /**
   * The root of the project, found upwards from the working directory by its Maven wrapper.
   *
   * @return its absolute path
   */
  public static Path project() {
    Path here = Path.of(System.getProperty("basedir", "")).toAbsolutePath().normalize();
    for (Path folder = here; folder != null; folder = folder.getParent()) {
      if (Files.exists(folder.resolve("mvnw"))) {
        return folder;
      }
    }
    throw new IllegalStateException("no folder with a Maven wrapper above " + here);
  }
}
