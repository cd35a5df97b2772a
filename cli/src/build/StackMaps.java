import java.io.IOException;
import java.io.OutputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Collections;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.Opcodes;

/**
 * Gives the classes of a package in a jar the stack maps of Java 6 and later, where they are older.
 * The JVM checks classes without them at each start and takes none of them into an archive (class-data
 * sharing). What the classes do stays the same. The build runs this on the jar of the command, where
 * picocli, compiled for Java 5, took a tenth of a second of each start.
 *
 * <p>Arguments: the jar, which is written anew, and the package, as a path.
 */
public final class StackMaps {
  private static final int OLD = Opcodes.V1_6;
  private static final int MAJOR_VERSION_AT = 7;

  private StackMaps() {}

  public static void main(String[] args) throws IOException {
    Path jar = Path.of(args[0]);
    Path written = jar.resolveSibling(jar.getFileName() + ".tmp");
    try (URLClassLoader classes = new URLClassLoader(new URL[] {jar.toUri().toURL()});
        ZipFile from = new ZipFile(jar.toFile());
        OutputStream file = Files.newOutputStream(written);
        ZipOutputStream to = new ZipOutputStream(file)) {
      for (ZipEntry entry : Collections.list(from.entries())) {
        byte[] bytes = from.getInputStream(entry).readAllBytes();
        String name = entry.getName();
        if (name.startsWith(args[1] + "/")
            && name.endsWith(".class")
            && bytes[MAJOR_VERSION_AT] < OLD) {
          bytes = withStackMaps(bytes, classes);
        }
        ZipEntry copy = new ZipEntry(name);
        copy.setTime(entry.getTime());
        to.putNextEntry(copy);
        to.write(bytes);
        to.closeEntry();
      }
    }
    Files.move(written, jar, StandardCopyOption.REPLACE_EXISTING);
  }

  private static byte[] withStackMaps(byte[] bytes, ClassLoader classes) {
    ClassWriter writer =
        new ClassWriter(ClassWriter.COMPUTE_FRAMES) {
          @Override
          protected ClassLoader getClassLoader() {
            return classes; // where two types meet, what they have in common is looked up
          }
        };
    ClassVisitor raised =
        new ClassVisitor(Opcodes.ASM9, writer) {
          @Override
          public void visit(
              int version,
              int access,
              String name,
              String signature,
              String parent,
              String[] interfaces) {
            super.visit(OLD, access, name, signature, parent, interfaces);
          }
        };
    new ClassReader(bytes).accept(raised, 0);
    return writer.toByteArray();
  }
}
