package io.gatun.format;

import io.gatun.graph.Names;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * An opened file of named tensors: safetensors, npz, or npy (one tensor, named as the file without
 * its extension). Which of them it is, the first bytes say.
 *
 * <p>The file is mapped read-only and the numbers are used where they lie, so that opening is quick
 * and several processes share one copy in memory. Copied into the same arena are only: compressed
 * members of npz, numbers in big-endian order, and numbers that are not aligned to their own size.
 * Directory, names, offsets and lengths are checked when the file is opened, a member's npy header
 * and checksum when its tensor is asked for first.
 *
 * <p><b>Ownership.</b> The file owns the memory of all its tensors, in one {@link #arena()}: they
 * live until it is closed. A plan that keeps such tensors holds a lease of the arena, and {@link
 * #close()} refuses while one is out.
 *
 * <p><b>The file must not change while it is open.</b> Replacing it by renaming another over it is
 * safe. Where it is cut short, opening it and reading a member of npz end in a {@link
 * ModelFormatException}; reading a number of a mapped tensor that is gone fails with an {@link
 * InternalError} at best.
 *
 * <p><b>Thread safety.</b> All methods may be called from any thread. The tensors are read-only.
 */
public final class TensorFile implements NamedTensors, AutoCloseable {
  /** The file formats. */
  public enum Format {
    /** The safetensors format. */
    SAFETENSORS("safetensors"),
    /** One numpy array. */
    NPY("npy"),
    /** A zip file of numpy arrays. */
    NPZ("npz"),
    /** HDF5, as Keras 2 writes models and weights; read where jHDF is there. */
    HDF5("Keras HDF5"),
    /** A zip file of a model and its weights, as Keras 3 writes it; read where jHDF is there. */
    KERAS("Keras"),
    /** A state dictionary of PyTorch in its zip format. */
    PYTORCH("PyTorch");

    private final String label;

    Format(String label) {
      this.label = label;
    }

    /** Returns the name people call it by, which is also the usual extension. */
    public String label() {
      return label;
    }
  }

  /** How an HDF5 file begins. */
  static final String HDF5_SIGNATURE = "\u0089HDF\r\n\u001a\n";

  private final MappedFile file;
  private final Format format;
  private final Map<String, Supplier<Tensor>> sources;
  private final Map<String, String> metadata;
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  TensorFile(
      MappedFile file,
      Format format,
      Map<String, Supplier<Tensor>> sources,
      Map<String, String> metadata) {
    this.file = file;
    this.format = format;
    this.sources = sources;
    this.metadata = metadata;
  }

  /**
   * Opens a file.
   *
   * @param path the file
   * @return the open file; the caller closes it
   * @throws IOException if the file does not exist or cannot be read
   * @throws ModelFormatException if it is none of the formats, or damaged
   */
  public static TensorFile open(Path path) throws IOException {
    MappedFile file = MappedFile.open(path);
    boolean opened = false;
    try {
      TensorFile tensors = guarded(file, () -> read(file));
      opened = true;
      return tensors;
    } finally {
      if (!opened) {
        file.close();
      }
    }
  }

  private static TensorFile read(MappedFile file) {
    return switch (format(file)) {
      case SAFETENSORS -> {
        Safetensors.Header header = Safetensors.readHeader(file);
        yield new TensorFile(
            file,
            Format.SAFETENSORS,
            sources(header.tensors(), entry -> Safetensors.tensor(file, entry)),
            header.metadata());
      }
      case NPZ -> readZip(file);
      case HDF5 -> of(file, Format.HDF5, KerasFile.readHdf5(file, Optional.empty()));
      case NPY -> {
        Tensor array = Npy.read(file);
        yield new TensorFile(file, Format.NPY, Map.of(stem(file.path()), () -> array), Map.of());
      }
      default -> throw new AssertionError("told by what is in a zip file");
    };
  }

  private static TensorFile readZip(MappedFile file) {
    Map<String, ZipDirectory.Member> members = ZipDirectory.read(file);
    if (KerasFile.isKeras(members)) {
      return of(file, Format.KERAS, KerasFile.readZip(file, members));
    }
    Optional<String> pickle = TorchFile.pickle(members);
    if (pickle.isPresent()) {
      Map<String, Supplier<Tensor>> tensors = TorchFile.read(file, members, pickle.get());
      return new TensorFile(file, Format.PYTORCH, tensors, Map.of());
    }
    return new TensorFile(
        file, Format.NPZ, sources(Npz.arrays(file), member -> Npz.read(file, member)), Map.of());
  }

  /** The weights of a Keras file as a file of tensors. */
  static TensorFile of(MappedFile file, Format format, KerasFile keras) {
    return new TensorFile(
        file,
        format,
        sources(keras.paths(), keras.hdf()::tensor),
        keras.version() == null ? Map.of() : Map.of("keras_version", keras.version()));
  }

  private static <T> Map<String, Supplier<Tensor>> sources(
      Map<String, T> entries, Function<T, Tensor> reader) {
    Map<String, Supplier<Tensor>> sources = new LinkedHashMap<>();
    entries.forEach((name, entry) -> sources.put(name, () -> reader.apply(entry)));
    return sources;
  }

  private static Format format(MappedFile file) {
    byte[] start = file.bytes(0, (int) Math.min(16, file.size()), "start of the file");
    String text = new String(start, StandardCharsets.ISO_8859_1);
    String extension = extension(file.path());
    if (NpyHeader.isMagic(start) || extension.equals("npy")) {
      return Format.NPY;
    }
    if (text.startsWith("PK\3\4") || text.startsWith("PK\5\6") || extension.equals("npz")) {
      return Format.NPZ;
    }
    if (text.startsWith(HDF5_SIGNATURE)) {
      return Format.HDF5;
    }
    if (extension.equals("safetensors") || (text.length() > 8 && text.charAt(8) == '{')) {
      return Format.SAFETENSORS;
    }
    throw file.error(
        0,
        foreign(text, extension)
            + ", expected safetensors, npz, npy, Keras or PyTorch's zip format as a file of"
            + " tensors");
  }

  /** Names what else people have, so that they know what to convert. */
  private static String foreign(String start, String extension) {
    if (start.isEmpty()) {
      return "the file is empty";
    }
    if (start.startsWith("\u0080") && start.length() > 1 && start.charAt(1) <= 5) {
      return "this is a Python pickle outside of a zip file, as PyTorch before 1.6 wrote it, which"
          + " is a program and never run; torch.save or safetensors of today write what can be read";
    }
    return extension.isEmpty()
        ? "unknown kind of file"
        : "unknown kind of file (." + extension + ")";
  }

  private static String extension(Path path) {
    String name = String.valueOf(path.getFileName());
    return name.substring(name.lastIndexOf('.') + 1).toLowerCase(Locale.ROOT);
  }

  private static String stem(Path path) {
    String name = String.valueOf(path.getFileName());
    return name.toLowerCase(Locale.ROOT).endsWith(".npy")
        ? name.substring(0, name.length() - ".npy".length())
        : name;
  }

  /** Returns the file as it was opened. */
  public Path path() {
    return file.path();
  }

  /** Returns which format the file has. */
  public Format format() {
    return format;
  }

  /** Returns the arena that owns the memory of all tensors of this file. */
  public SharedArena arena() {
    return file.arena();
  }

  /** Returns the size of the file in bytes. */
  public long byteSize() {
    return file.size();
  }

  /** Returns the names of the tensors in the order of the file; unmodifiable. */
  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(sources.keySet());
  }

  /** Returns what safetensors keeps under {@code __metadata__}; empty for the other formats. */
  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(metadata);
  }

  /**
   * Returns a tensor; the same one each time.
   *
   * @param name one of {@link #names()}
   * @return the tensor, read-only, alive until this file is closed
   * @throws ModelFormatException if there is none of this name (the message suggests similar ones),
   *     it is of a type that this library has not, or it is damaged
   * @throws IllegalStateException if this file is closed
   */
  @Override
  public Tensor tensor(String name) {
    if (!file.arena().scope().isAlive()) {
      throw new IllegalStateException(this + " is closed");
    }
    Supplier<Tensor> source = sources.get(name);
    if (source == null) {
      throw ModelFormatException.in(
          file.path(),
          "has no tensor "
              + Json.quoted(name)
              + Names.didYouMean(name, sources.keySet())
              + (!sources.isEmpty() && sources.size() <= 30
                  ? " (it has " + String.join(", ", names()) + ")"
                  : ""));
    }
    synchronized (tensors) {
      Tensor tensor = tensors.get(name);
      if (tensor == null) {
        tensor = guarded(file, source);
        tensors.put(name, tensor);
      }
      return tensor;
    }
  }

  /**
   * Unmaps the file and frees what was copied; every access to its tensors fails from now on.
   *
   * @throws IllegalStateException if somebody holds a lease of the arena, or it is closed already
   */
  @Override
  public void close() {
    file.close();
  }

  /** Returns the path, as error messages show it. */
  @Override
  public String toString() {
    return file.path().toString();
  }

  /** Turns the JVM's answer to a mapping that lost its file into the library's. */
  static <T> T guarded(MappedFile file, Supplier<T> work) {
    try {
      return work.get();
    } catch (InternalError e) {
      throw ModelFormatException.in(
          file.path().toString(), "was cut short or cannot be read while it was mapped", e);
    }
  }
}
