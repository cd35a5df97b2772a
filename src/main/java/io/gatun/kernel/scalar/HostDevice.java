package io.gatun.kernel.scalar;

import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.HostBuffer;
import io.gatun.tensor.DType;
import io.gatun.tensor.Segments;
import io.gatun.tensor.SharedArena;
import io.gatun.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * What every device that computes on the CPU has in common: its memory is the computer's own, in
 * {@link HostBuffer}s. What is left to each is the packing of weights and the kernels.
 *
 * <p>Thread-safe.
 */
public abstract class HostDevice implements Device {
  private final String name;
  private final DType real;

  /**
   * For the devices.
   *
   * @param name the device's short name
   * @param real float32 or float64
   * @throws IllegalArgumentException for another type
   */
  protected HostDevice(String name, DType real) {
    if (real != DType.FLOAT32 && real != DType.FLOAT64) {
      throw new IllegalArgumentException(
          name + ": reals are " + real.label() + ", expected float32 or float64");
    }
    this.name = name;
    this.real = real;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public DType real() {
    return real;
  }

  @Override
  public Buffer allocate(long bytes) {
    if (bytes < 0) {
      throw new IllegalArgumentException(
          name + ": " + bytes + " bytes asked for, expected 0 or more");
    }
    return HostBuffer.allocate(bytes);
  }

  @Override
  public Buffer wrap(MemorySegment memory) {
    return memory.isNative() ? HostBuffer.wrap(memory) : null;
  }

  @Override
  public Buffer constant(Tensor tensor, String name) {
    tensor.checkAccess();
    DType type = stored(tensor.dtype());
    if (type == tensor.dtype() && tensor.isContiguous()) {
      MemorySegment memory = tensor.segment();
      if (memory.address() % Math.min(Float.BYTES, type.bytes()) == 0) {
        Optional<SharedArena> owner = SharedArena.ownerOf(memory);
        if (owner.isPresent()) {
          return HostBuffer.lease(memory, owner.get(), name);
        }
        if (Segments.staysAlive(memory)) {
          return HostBuffer.wrap(memory);
        }
      }
    }
    HostBuffer buffer = HostBuffer.allocate(tensor.elements() * type.bytes());
    try {
      Tensor.wrap(buffer.segment(), type, tensor.shape().dims()).copyFrom(tensor);
      return buffer;
    } catch (RuntimeException | Error e) {
      buffer.close();
      throw e;
    }
  }

  @Override
  public void close() {}

  @Override
  public String toString() {
    return name;
  }
}
