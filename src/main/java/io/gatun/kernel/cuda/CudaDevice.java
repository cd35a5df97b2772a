package io.gatun.kernel.cuda;

import io.gatun.bindings.Cudart;
import io.gatun.bindings.Cudnn;
import io.gatun.bindings.Driver;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.Device;
import io.gatun.kernel.HostMemory;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedConvolution;
import io.gatun.kernel.PackedEmbedding;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.WeightFormat;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * One GPU. Reals lie in float32; in what {@link Precision} products multiply is the device's.
 * Weights of a smaller {@link WeightFormat} are rounded to it and lie in float32, too.
 *
 * <p>An operation that fails is a {@link CudaException}; memory that is not there is a {@link
 * CudaMemoryException}, after which everything goes on. A device that is lost answers every call
 * with an error and hangs nobody; what it held can be closed.
 *
 * <p>The same operation on the same operands gives the same bits. What comes out for a row may
 * differ in its last bits with the number of rows beside it, since cuBLAS and cuDNN choose how to
 * compute by the sizes.
 *
 * <p>Thread-safe.
 */
public final class CudaDevice implements Device {
  private static final System.Logger LOG = System.getLogger("io.gatun");

  /** The device that is current on a thread, plus 1. */
  private static final ThreadLocal<int[]> CURRENT = ThreadLocal.withInitial(() -> new int[1]);

  private final int index;
  private final Precision precision;
  private final String description;
  private final boolean cudnn;
  private OwnKernels kernels;
  private boolean keptOpen;
  private boolean closed;

  /** What {@link #allocateHost} made: addresses and sizes in bytes. */
  private final ConcurrentSkipListMap<Long, Long> pinned = new ConcurrentSkipListMap<>();

  private final AtomicBoolean complained = new AtomicBoolean();

  /**
   * Opens a device whose libraries are there.
   *
   * @param cudnn whether whole layers are cuDNN's, where it is there
   */
  CudaDevice(int index, Precision precision, boolean cudnn) {
    this.index = index;
    this.precision = precision;
    this.cudnn = cudnn && CudaLibraries.get().cudnn();
    Calls.driver("cuInit", Driver.cuInit(0));
    select();
    description = describe();
  }

  private String describe() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment ordinal = arena.allocate(ValueLayout.JAVA_INT);
      Calls.driver("cuDeviceGet", Driver.cuDeviceGet(ordinal, index));
      MemorySegment label = arena.allocate(256, 1);
      Calls.driver(
          "cuDeviceGetName",
          Driver.cuDeviceGetName(label, 256, ordinal.get(ValueLayout.JAVA_INT, 0)));
      int major = attribute(arena, Cudart.cudaDevAttrComputeCapabilityMajor);
      int minor = attribute(arena, Cudart.cudaDevAttrComputeCapabilityMinor);
      MemorySegment memory = arena.allocate(2L * Long.BYTES, Long.BYTES);
      Calls.cuda(
          "cudaMemGetInfo", Cudart.cudaMemGetInfo(memory, memory.asSlice(Long.BYTES, Long.BYTES)));
      return Calls.text(label)
          + ", compute capability "
          + major
          + "."
          + minor
          + ", "
          + (memory.get(ValueLayout.JAVA_LONG, Long.BYTES) >> 20)
          + " MiB, products in "
          + precision.label()
          + ", "
          + (cudnn ? "cuDNN " + Cudnn.cudnnGetVersion() : "no cuDNN");
    }
  }

  private int attribute(Arena arena, int attribute) {
    MemorySegment value = arena.allocate(ValueLayout.JAVA_INT);
    Calls.cuda("cudaDeviceGetAttribute", Cudart.cudaDeviceGetAttribute(value, attribute, index));
    return value.get(ValueLayout.JAVA_INT, 0);
  }

  /** Makes this device the one that the calling thread's calls are about. */
  void makeCurrent() {
    if (CURRENT.get()[0] != index + 1) {
      select();
    }
  }

  private void select() {
    Calls.cuda("cudaSetDevice", Cudart.cudaSetDevice(index));
    CURRENT.get()[0] = index + 1;
  }

  /** The kernels of our own; the driver compiles them when they are first wanted. */
  synchronized OwnKernels kernels() {
    if (closed) {
      throw new IllegalStateException(name() + " is closed");
    }
    if (kernels == null) {
      kernels = new OwnKernels();
    }
    return kernels;
  }

  /** Makes closing do nothing, for a device that is everybody's. */
  synchronized void keepOpen() {
    keptOpen = true;
  }

  Precision precision() {
    return precision;
  }

  /** Whether whole recurrent layers are cuDNN's. */
  boolean hasCudnn() {
    return cudnn;
  }

  @Override
  public String name() {
    return CudaProvider.NAME
        + ":"
        + index
        + (precision == Precision.FLOAT32 ? "" : ":" + precision.label());
  }

  @Override
  public String description() {
    return description;
  }

  @Override
  public DType real() {
    return DType.FLOAT32;
  }

  // ---- memory ---------------------------------------------------------------------------------

  /** New memory with anything in it. */
  CudaBuffer take(long bytes) {
    makeCurrent();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(ValueLayout.ADDRESS);
      int code = Cudart.cudaMalloc(pointer, Math.max(bytes, 1));
      if (code == Cudart.cudaErrorMemoryAllocation) {
        throw outOfMemory(arena, code, bytes);
      }
      Calls.cuda("cudaMalloc", code);
      return new CudaBuffer(this, pointer.get(ValueLayout.ADDRESS, 0).address(), bytes);
    }
  }

  private CudaException outOfMemory(Arena arena, int code, long bytes) {
    String codeName = Calls.text(Cudart.cudaGetErrorName(code));
    Cudart.cudaGetLastError();
    MemorySegment memory = arena.allocate(2L * Long.BYTES, Long.BYTES);
    int asked = Cudart.cudaMemGetInfo(memory, memory.asSlice(Long.BYTES, Long.BYTES));
    return new CudaMemoryException(
        "cudaMalloc",
        code,
        codeName,
        name(),
        bytes,
        asked == 0 ? memory.get(ValueLayout.JAVA_LONG, 0) : -1,
        asked == 0 ? memory.get(ValueLayout.JAVA_LONG, Long.BYTES) : -1);
  }

  void free(long address) {
    if (usable()) {
      released("cudaFree", Cudart.cudaFree(MemorySegment.ofAddress(address)));
    }
  }

  /** Whether the device can be made current to give things back: not if it is lost. */
  boolean usable() {
    try {
      makeCurrent();
      return true;
    } catch (CudaException e) {
      complain(e);
      return false;
    }
  }

  /**
   * What giving something back gave. Where that fails the device is lost, and there is nothing more
   * to be done: who closes things after an error wants to hear of that one.
   */
  void released(String function, int code) {
    if (code != 0) {
      complain(Calls.cudaError(function, code));
    }
  }

  void complain(CudaException e) {
    if (complained.compareAndSet(false, true)) {
      LOG.log(Level.WARNING, name() + " does not take back what it lent: " + e.getMessage());
    }
  }

  @Override
  public Buffer allocate(long bytes) {
    if (bytes < 0) {
      throw new IllegalArgumentException(
          name() + ": " + bytes + " bytes asked for, expected 0 or more");
    }
    CudaBuffer buffer = take(bytes);
    try (Setup setup = new Setup(this)) {
      setup.zero(buffer);
      return buffer;
    } catch (RuntimeException | Error e) {
      buffer.close();
      throw e;
    }
  }

  @Override
  public HostMemory allocateHost(long bytes) {
    if (bytes < 0) {
      throw new IllegalArgumentException(
          name() + ": " + bytes + " bytes asked for, expected 0 or more");
    }
    PinnedMemory memory = new PinnedMemory(this, Math.max(bytes, 1));
    MemorySegment segment = memory.segment().asSlice(0, bytes).fill((byte) 0);
    pinned.put(segment.address(), bytes);
    return new HostMemory(
        segment,
        () -> {
          if (usable()) {
            released("cudaDeviceSynchronize", Cudart.cudaDeviceSynchronize());
          }
          pinned.remove(segment.address());
          memory.close();
        });
  }

  /** Whether all of some host memory is page-locked by {@link #allocateHost}. */
  boolean isPinned(MemorySegment memory) {
    Map.Entry<Long, Long> below = pinned.floorEntry(memory.address());
    return below != null
        && memory.address() + memory.byteSize() <= below.getKey() + below.getValue();
  }

  /** Nothing is wrapped: a kernel that reads the host's memory waits for every line of it. */
  @Override
  public Buffer wrap(MemorySegment memory) {
    return null;
  }

  @Override
  public Buffer constant(Tensor tensor, String name) {
    tensor.checkAccess();
    DType type = stored(tensor.dtype());
    long bytes = tensor.elements() * type.bytes();
    try (Arena arena = Arena.ofConfined()) {
      Tensor plain = tensor;
      if (type != tensor.dtype() || !isPlain(tensor)) {
        plain = Tensor.allocate(arena, type, tensor.shape().dims()).copyFrom(tensor);
      }
      return upload(plain.segment(), bytes);
    }
  }

  /** Whether a tensor's memory can be copied from and to as it lies. */
  static boolean isPlain(Tensor tensor) {
    return tensor.isContiguous() && tensor.segment().isNative();
  }

  /** New memory with what is in native memory of the host. */
  CudaBuffer upload(MemorySegment source, long bytes) {
    CudaBuffer buffer = take(bytes);
    try (Setup setup = new Setup(this)) {
      setup.upload(source, buffer, bytes);
      return buffer;
    } catch (RuntimeException | Error e) {
      buffer.close();
      throw e;
    }
  }

  // ---- weights --------------------------------------------------------------------------------

  @Override
  public PackedMatrix pack(Tensor matrix, Tensor bias, WeightFormat format) {
    return CudaMatrix.pack(this, matrix, bias, format);
  }

  @Override
  public PackedRecurrent pack(RecurrentSpec spec, RecurrentWeights weights, WeightFormat format) {
    return CudaRecurrent.pack(this, spec, weights, format);
  }

  @Override
  public List<PackedRecurrent> pack(
      List<RecurrentSpec> specs, List<RecurrentWeights> weights, WeightFormat format) {
    List<PackedRecurrent> both = CudaRecurrent.packBoth(this, specs, weights, format);
    return both != null ? both : Device.super.pack(specs, weights, format);
  }

  @Override
  public PackedEmbedding pack(PackedRecurrent layer, Tensor table) {
    return CudaEmbedding.pack(this, layer, table);
  }

  @Override
  public PackedConvolution pack(ConvolutionSpec spec, Tensor weights, Tensor bias) {
    return CudaConvolution.pack(this, spec, weights, bias);
  }

  @Override
  public Kernels open(Workers workers) {
    return new CudaKernels(this);
  }

  @Override
  public synchronized void close() {
    if (closed || keptOpen) {
      return;
    }
    closed = true;
    if (kernels != null && usable()) {
      int code = Driver.cuModuleUnload(kernels.module());
      if (code != 0) {
        complain(Calls.driverError("cuModuleUnload", code, ""));
      }
    }
  }

  @Override
  public String toString() {
    return name();
  }
}
