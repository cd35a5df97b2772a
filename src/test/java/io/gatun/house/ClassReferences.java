package io.gatun.house;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.objectweb.asm.AnnotationVisitor;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.FieldVisitor;
import org.objectweb.asm.MethodVisitor;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.RecordComponentVisitor;
import org.objectweb.asm.Type;
import org.objectweb.asm.signature.SignatureReader;
import org.objectweb.asm.signature.SignatureVisitor;

/**
 * What a compiled class refers to: the types and the members in its constant pool, and the types in
 * the signatures and annotations of its members.
 *
 * @param name internal name of the class, such as {@code io/gatun/tensor/Shape}
 * @param majorVersion version of the class file; 65 is Java 21
 * @param superName internal name of the superclass, {@code null} for {@code java/lang/Object}
 * @param interfaces internal names of the direct interfaces
 * @param types internal names of all types referred to
 * @param used fields and methods referred to
 * @param declared fields and methods declared here
 */
record ClassReferences(
    String name,
    int majorVersion,
    String superName,
    List<String> interfaces,
    Set<String> types,
    Set<Member> used,
    Set<Member> declared) {

  /** A field or a method: the class it is looked up in, its name, its descriptor. */
  record Member(String owner, String name, String descriptor) {
    boolean isMethod() {
      return descriptor.startsWith("(");
    }

    @Override
    public String toString() {
      return owner.replace('/', '.') + (isMethod() ? "." + name + descriptor : "." + name);
    }
  }

  private static final int CLASS = 7;
  private static final int FIELD = 9;
  private static final int METHOD = 10;
  private static final int INTERFACE_METHOD = 11;
  private static final int NAME_AND_TYPE = 12;
  private static final int METHOD_TYPE = 16;

  /** The package of the class, with dots. */
  String packageName() {
    int end = name.lastIndexOf('/');
    return end < 0 ? "" : name.substring(0, end).replace('/', '.');
  }

  static ClassReferences read(byte[] classFile) {
    ClassReader reader = new ClassReader(classFile);
    Set<String> types = new TreeSet<>();
    Set<Member> used = new LinkedHashSet<>();
    Set<Member> declared = new LinkedHashSet<>();
    char[] buffer = new char[reader.getMaxStringLength()];
    for (int i = 1; i < reader.getItemCount(); i++) {
      int offset = reader.getItem(i);
      if (offset == 0) {
        continue; // the second half of a long or double
      }
      switch (reader.readByte(offset - 1)) {
        case CLASS -> addType(types, Type.getObjectType(reader.readUTF8(offset, buffer)));
        case NAME_AND_TYPE -> addDescriptor(types, reader.readUTF8(offset + 2, buffer));
        case METHOD_TYPE -> addDescriptor(types, reader.readUTF8(offset, buffer));
        case FIELD, METHOD, INTERFACE_METHOD -> {
          int nameAndType = reader.getItem(reader.readUnsignedShort(offset + 2));
          used.add(
              new Member(
                  reader.readClass(offset, buffer),
                  reader.readUTF8(nameAndType, buffer),
                  reader.readUTF8(nameAndType + 2, buffer)));
        }
        default -> {
          // numbers, strings and what is reached through the others
        }
      }
    }
    reader.accept(
        new Signatures(reader.getClassName(), types, declared),
        ClassReader.SKIP_CODE | ClassReader.SKIP_DEBUG | ClassReader.SKIP_FRAMES);
    return new ClassReferences(
        reader.getClassName(),
        reader.readShort(6),
        reader.getSuperName(),
        List.of(reader.getInterfaces()),
        types,
        used,
        declared);
  }

  /** Every class file below a folder, by internal name, without module descriptors. */
  static TreeMap<String, ClassReferences> readAll(Path folder) {
    TreeMap<String, ClassReferences> classes = new TreeMap<>();
    List<Path> files = new ArrayList<>();
    try (Stream<Path> found = Files.walk(folder)) {
      found
          .filter(file -> file.toString().endsWith(".class"))
          .filter(file -> !file.endsWith("module-info.class"))
          .forEach(files::add);
      for (Path file : files) {
        ClassReferences read = read(Files.readAllBytes(file));
        classes.put(read.name(), read);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("reading the classes in " + folder, e);
    }
    return classes;
  }

  private static void addDescriptor(Set<String> types, String descriptor) {
    Type type = Type.getType(descriptor);
    if (type.getSort() == Type.METHOD) {
      addType(types, type.getReturnType());
      for (Type argument : type.getArgumentTypes()) {
        addType(types, argument);
      }
    } else {
      addType(types, type);
    }
  }

  private static void addType(Set<String> types, Type type) {
    Type element = type.getSort() == Type.ARRAY ? type.getElementType() : type;
    if (element.getSort() == Type.OBJECT) {
      types.add(element.getInternalName());
    }
  }

  /** Collects what stands outside the constant pool's own references. */
  private static final class Signatures extends ClassVisitor {
    private final String owner;
    private final Set<String> types;
    private final Set<Member> declared;

    Signatures(String owner, Set<String> types, Set<Member> declared) {
      super(Opcodes.ASM9);
      this.owner = owner;
      this.types = types;
      this.declared = declared;
    }

    private void addSignature(String signature) {
      if (signature != null) {
        new SignatureReader(signature)
            .accept(
                new SignatureVisitor(Opcodes.ASM9) {
                  @Override
                  public void visitClassType(String name) {
                    types.add(name);
                  }
                });
      }
    }

    private AnnotationVisitor addAnnotation(String descriptor) {
      addDescriptor(types, descriptor);
      return null;
    }

    @Override
    public void visit(
        int version, int access, String name, String signature, String base, String[] interfaces) {
      addSignature(signature);
    }

    @Override
    public AnnotationVisitor visitAnnotation(String descriptor, boolean visible) {
      return addAnnotation(descriptor);
    }

    @Override
    public RecordComponentVisitor visitRecordComponent(
        String name, String descriptor, String signature) {
      addSignature(signature);
      return null;
    }

    @Override
    public FieldVisitor visitField(
        int access, String name, String descriptor, String signature, Object value) {
      declared.add(new Member(owner, name, descriptor));
      addDescriptor(types, descriptor);
      addSignature(signature);
      return new FieldVisitor(Opcodes.ASM9) {
        @Override
        public AnnotationVisitor visitAnnotation(String annotation, boolean visible) {
          return addAnnotation(annotation);
        }
      };
    }

    @Override
    public MethodVisitor visitMethod(
        int access, String name, String descriptor, String signature, String[] exceptions) {
      declared.add(new Member(owner, name, descriptor));
      addDescriptor(types, descriptor);
      addSignature(signature);
      return new MethodVisitor(Opcodes.ASM9) {
        @Override
        public AnnotationVisitor visitAnnotation(String annotation, boolean visible) {
          return addAnnotation(annotation);
        }
      };
    }
  }
}
