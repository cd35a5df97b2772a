package io.gatun.jmh.peer;

import io.gatun.kernel.Activation;
import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedMatrix;
import io.gatun.kernel.Region;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;

/** The product of the kernels here, on the device that the library chooses. */
public final class GatunProduct implements Peer<ProductProblem> {
  private final Arena arena = Arena.ofConfined();
  private ProductProblem problem;
  private Workers workers;
  private Kernels kernels;
  private PackedMatrix packed;
  private Buffer a;
  private Buffer c;
  private Region left;
  private Region result;

  @Override
  public String name() {
    return "Gatun";
  }

  @Override
  public void prepare(ProductProblem given, int threads) {
    problem = given;
    Device device = Devices.open(Peer.PROCESSOR);
    workers = new Workers(threads);
    kernels = device.open(workers);
    packed = device.pack(Tensor.ofFloats(arena, given.b(), given.inner(), given.columns()), null);
    a = device.allocate((long) given.rows() * given.inner() * device.real().bytes());
    left = new Region(a);
    kernels.upload(Tensor.ofFloats(arena, given.a(), given.rows(), given.inner()), left);
    c = device.allocate((long) given.rows() * given.columns() * device.real().bytes());
    result = new Region(c);
  }

  @Override
  public void run() {
    kernels.multiply(
        left,
        problem.inner(),
        problem.rows(),
        packed,
        Activation.IDENTITY,
        result,
        problem.columns());
  }

  @Override
  public float[] output() {
    try (Arena scratch = Arena.ofConfined()) {
      Tensor copy = Tensor.allocate(scratch, DType.FLOAT32, problem.rows(), problem.columns());
      kernels.download(result, copy);
      kernels.synchronize();
      return copy.toFloats();
    }
  }

  @Override
  public void close() {
    if (c != null) {
      c.close();
    }
    if (a != null) {
      a.close();
    }
    if (packed != null) {
      packed.close();
    }
    if (kernels != null) {
      kernels.close();
    }
    if (workers != null) {
      workers.close();
    }
    arena.close();
  }
}
