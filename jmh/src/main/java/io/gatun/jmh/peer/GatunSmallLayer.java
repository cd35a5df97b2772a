package io.gatun.jmh.peer;

import io.gatun.kernel.Buffer;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.Kernels;
import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.Region;
import io.gatun.kernel.WeightFormat;
import io.gatun.kernel.Workers;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/** A recurrent layer here with weights in a smaller format; full sequences only. */
public final class GatunSmallLayer implements Peer<LayerProblem> {
  private final WeightFormat format;
  private final Arena arena = Arena.ofConfined();
  private final RecurrentCall call = new RecurrentCall();
  private final List<Buffer> buffers = new ArrayList<>();
  private Workers workers;
  private Kernels kernels;
  private PackedRecurrent layer;
  private LayerProblem problem;

  /** With weights in this format. */
  public GatunSmallLayer(WeightFormat format) {
    this.format = format;
  }

  @Override
  public String name() {
    return "Gatun " + format.label();
  }

  @Override
  public void prepare(LayerProblem given, int threads) {
    problem = given;
    int hidden = given.hidden();
    Device device = Devices.best();
    workers = new Workers(threads);
    kernels = device.open(workers);
    RecurrentSpec.Cell cell = RecurrentSpec.Cell.valueOf(given.cell());
    layer =
        device.pack(
            RecurrentSpec.of(cell, hidden, hidden),
            RecurrentWeights.of(
                parts(given.w(), 0, hidden, hidden),
                parts(given.r(), 0, hidden, hidden),
                parts(given.b(), 0, hidden),
                parts(given.b(), given.gates() * hidden, hidden)),
            format);
    call.time = given.time();
    call.batch = given.batch();
    call.inputTimeStride = (long) given.batch() * hidden;
    call.inputRowStride = hidden;
    call.outputTimeStride = call.inputTimeStride;
    call.outputRowStride = hidden;
    call.input = region(device);
    call.output = region(device);
    kernels.upload(given.input(arena), call.input);
  }

  private Region region(Device device) {
    Buffer buffer = device.allocate((long) problem.x().length * device.real().bytes());
    buffers.add(buffer);
    return new Region(buffer);
  }

  private List<Tensor> parts(float[] numbers, int from, long... dims) {
    int each = Math.toIntExact(dims.length == 1 ? dims[0] : dims[0] * dims[1]);
    List<Tensor> parts = new ArrayList<>();
    for (int gate = 0; gate < problem.gates(); gate++) {
      float[] part = new float[each];
      System.arraycopy(numbers, from + gate * each, part, 0, each);
      parts.add(Tensor.ofFloats(arena, part, dims));
    }
    return parts;
  }

  @Override
  public void run() {
    kernels.recurrent(layer, call);
  }

  @Override
  public float[] output() {
    try (Arena scratch = Arena.ofConfined()) {
      Tensor copy = Tensor.allocate(scratch, DType.FLOAT32, problem.x().length);
      kernels.download(call.output, copy);
      kernels.synchronize();
      return copy.toFloats();
    }
  }

  @Override
  public void close() {
    buffers.forEach(Buffer::close);
    if (layer != null) {
      layer.close();
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
