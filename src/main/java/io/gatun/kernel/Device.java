package io.gatun.kernel;

import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Something that computes: the CPU through plain loops or the Vector API, or a GPU. It owns memory,
 * packs weights into the form its kernels want, and opens {@link Kernels}, each an order of work.
 *
 * <p>Real numbers live on a device in one type, {@link #real()}: float32, or float64 on the device
 * that is the reference for all others. Integers and booleans keep their type.
 *
 * <p>Devices, buffers and packed weights may be used by any number of threads; a {@link Kernels}
 * belongs to one at a time.
 */
public interface Device extends AutoCloseable {

  /** A short name: {@code simd}, {@code scalar}, {@code cuda:0}. */
  String name();

  /** One line for people: what computes, and how wide. */
  String description();

  /** The type real numbers have in this device's memory. */
  DType real();

  /**
   * The type in which values of a storage type lie in this device's memory: {@link #real()} for
   * every floating-point type, the type itself otherwise.
   */
  default DType stored(DType type) {
    return type.isFloat() ? real() : type;
  }

  /** New memory, zeroed and aligned to 64 bytes. The caller closes it. */
  Buffer allocate(long bytes);

  /**
   * Host memory as a buffer of this device, without a copy; {@code null} where the device cannot
   * reach it (heap segments; a GPU without mapped memory). The caller keeps the memory alive for as
   * long as kernels may use it.
   */
  Buffer wrap(MemorySegment memory);

  /**
   * Memory of the host, zeroed and aligned to 64 bytes, that this device copies from and to by
   * itself: page-locked for a GPU, ordinary memory where the host computes. Tensors of it go over
   * without a copy on the way, and {@link Kernels#upload} does not wait for large ones: their
   * content must stay as it is until {@link Kernels#synchronize}, or something was downloaded.
   * Page-locked memory is taken from all programs of the machine; it is for buffers that are used
   * again and again. Any thread may use it; the caller closes it.
   */
  default HostMemory allocateHost(long bytes) {
    if (bytes < 0) {
      throw new IllegalArgumentException(
          name() + ": " + bytes + " bytes asked for, expected 0 or more");
    }
    Arena arena = Arena.ofShared();
    return new HostMemory(arena.allocate(bytes, 64), arena::close);
  }

  /**
   * A tensor that does not change, in the {@linkplain #stored stored} type, contiguous in row-major
   * order. It is used in place where type and layout allow and its memory is leased from a {@link
   * io.gatun.tensor.SharedArena} or never freed; otherwise it is copied. The caller closes the
   * buffer.
   */
  Buffer constant(Tensor tensor, String name);

  /**
   * Packs the right-hand side of a matrix product, and a bias that is added to every row.
   *
   * @param matrix {@code [inner, columns]}, any strides, any floating-point type
   * @param bias {@code [columns]}, or {@code null}
   * @param format of the matrix; the bias stays as it is
   * @throws IllegalArgumentException if the format cannot hold the matrix
   */
  PackedMatrix pack(Tensor matrix, Tensor bias, WeightFormat format);

  /** The same in {@link WeightFormat#FLOAT32}. */
  default PackedMatrix pack(Tensor matrix, Tensor bias) {
    return pack(matrix, bias, WeightFormat.FLOAT32);
  }

  /**
   * Packs the weights of one direction of one recurrent layer.
   *
   * @param format of the matrices: input and recurrent weights and the projection; whatever has one
   *     number for a unit stays as it is
   * @throws IllegalArgumentException if the format cannot hold the weights
   */
  PackedRecurrent pack(RecurrentSpec spec, RecurrentWeights weights, WeightFormat format);

  /** The same in {@link WeightFormat#FLOAT32}. */
  default PackedRecurrent pack(RecurrentSpec spec, RecurrentWeights weights) {
    return pack(spec, weights, WeightFormat.FLOAT32);
  }

  /**
   * Packs both directions of one recurrent layer, for {@link Kernels#recurrent(PackedRecurrent,
   * RecurrentCall, PackedRecurrent, RecurrentCall)}. A device that has both at once packs them
   * together; here each is packed by itself.
   *
   * @param specs of the forward direction, and of the backward one
   * @param weights likewise
   * @return likewise; each is closed by itself, and used only while both are open
   * @throws IllegalArgumentException if the format cannot hold the weights
   */
  default List<PackedRecurrent> pack(
      List<RecurrentSpec> specs, List<RecurrentWeights> weights, WeightFormat format) {
    PackedRecurrent forward = pack(specs.get(0), weights.get(0), format);
    try {
      return List.of(forward, pack(specs.get(1), weights.get(1), format));
    } catch (RuntimeException | Error e) {
      forward.close();
      throw e;
    }
  }

  /**
   * Packs a table whose rows a recurrent layer takes as its input.
   *
   * @param layer a layer of this device; it must live as long
   * @param table {@code [rows, input]}, any strides, any floating-point type
   * @throws io.gatun.tensor.ShapeException if the layer's input has another size
   */
  PackedEmbedding pack(PackedRecurrent layer, Tensor table);

  /**
   * Packs the weights of a convolution, in float32: they are few, and used often.
   *
   * @param weights {@code [outputChannels, inputChannels / groups, kernel...]}
   * @param bias {@code [outputChannels]}, or {@code null}
   */
  PackedConvolution pack(ConvolutionSpec spec, Tensor weights, Tensor bias);

  /**
   * A new order of work. On the CPU its operations use the workers given, on the calling thread
   * alone with {@link Workers#none()}.
   */
  Kernels open(Workers workers);

  /** Gives back what the device itself holds; its buffers have their own owners. */
  @Override
  void close();
}
