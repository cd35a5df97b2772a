package io.gatun.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.gatun.Shared;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** What the launcher makes of its surroundings, before any command runs. */
@Timeout(120)
@EnabledOnOs(OS.LINUX)
class LauncherTest {
  @TempDir Path folder;

  /** Stands where the command does: says what it was given. */
  public static final class Stub {
    private Stub() {}

    /** Prints the property or whether the file exists that is named, or what standard input has. */
    public static void main(String[] arguments) throws IOException {
      if (arguments.length > 0 && arguments[0].startsWith("gatun.")) {
        System.out.println(System.getProperty(arguments[0]));
        return;
      }
      if (arguments.length > 0) {
        System.out.println(Files.exists(Path.of(arguments[0])));
        return;
      }
      try {
        System.out.println(System.in.read());
      } catch (IOException e) {
        System.out.println(e.getMessage());
      }
    }
  }

  @BeforeEach
  void putTheStubWhereTheCommandIs() throws IOException {
    Path launcher = folder.resolve("gatun");
    Files.copy(Shared.project().resolve("gatun"), launcher);
    assertTrue(launcher.toFile().setExecutable(true));
    Files.createDirectories(folder.resolve("cli/target"));
    Manifest manifest = new Manifest();
    Attributes attributes = manifest.getMainAttributes();
    attributes.put(Attributes.Name.MANIFEST_VERSION, "1.0");
    attributes.put(Attributes.Name.MAIN_CLASS, Stub.class.getName());
    attributes.put(
        Attributes.Name.CLASS_PATH,
        Stub.class.getProtectionDomain().getCodeSource().getLocation().toString());
    try (OutputStream file = Files.newOutputStream(folder.resolve("cli/target/gatun.jar"))) {
      new JarOutputStream(file, manifest).close();
    }
  }

  /** Runs a line of the shell in the folder; returns what it printed, errors too. */
  private String shell(String line) throws Exception {
    ProcessBuilder builder =
        new ProcessBuilder("bash", "-c", line).directory(folder.toFile()).redirectErrorStream(true);
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    Process process = builder.start();
    process.getOutputStream().close();
    String printed = new String(process.getInputStream().readAllBytes(), UTF_8).strip();
    assertEquals(0, process.waitFor(), printed);
    return printed;
  }

  @Test
  void namesOfFilesAreUtf8WhereNoLocaleIsSet() throws Exception {
    for (String variable : List.of("LC_ALL", "LC_CTYPE", "LANG")) {
      String set = "unset LC_ALL LC_CTYPE LANG; export " + variable + "=C; ";
      assertEquals("true", shell(set + ": >'wörter ツ'; ./gatun 'wörter ツ'"), variable);
    }
    assertEquals("true", shell("unset LC_ALL LC_CTYPE LANG; : >ä; ./gatun ä"));
  }

  @Test
  void aClosedStandardInputIsNotTheNextFileThatIsOpened() throws Exception {
    assertEquals("Bad file descriptor", shell("./gatun <&-"));
    assertEquals("-1", shell("./gatun </dev/null"));
    assertEquals("120", shell("echo x | ./gatun"));
  }

  @Test
  void anArchiveOfClassesThatCannotBeMadeOrReadDoesNoHarm() throws Exception {
    String archives =
        "cd cli/target; for a in *.jsa; do [[ -s $a ]] && echo full || echo empty; done";
    assertEquals("120", shell("echo x | ./gatun"));
    assertEquals("empty", shell(archives));
    for (String content : new String[] {"echo garbage", "head -c 9999999 /dev/zero"}) {
      String write = "for a in cli/target/*.jsa; do " + content + " >$a; done; ";
      assertEquals("120", shell(write + "echo x | ./gatun"), content);
    }
    assertEquals("120", shell("rm cli/target/*.jsa; chmod a-w cli/target; echo x | ./gatun"));
    assertEquals("120", shell("chmod u+w cli/target; echo x | ./gatun"));
  }

  @Test
  void theHeapIsPacedWhereTheLauncherChoosesTheCollector() throws Exception {
    assertEquals("true", shell("./gatun gatun.heap.paced"));
    assertEquals("null", shell("GATUN_JAVA_OPTS=-XX:+UseParallelGC ./gatun gatun.heap.paced"));
  }
}
