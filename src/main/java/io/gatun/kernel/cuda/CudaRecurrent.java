package io.gatun.kernel.cuda;

import io.gatun.kernel.PackedRecurrent;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.kernel.RecurrentWeights;
import io.gatun.kernel.WeightFormat;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/** The weights of a recurrent layer on the device, all gates side by side in each row. */
final class CudaRecurrent implements PackedRecurrent, Door.Owned {
  private final CudaDevice device;
  private final RecurrentSpec spec;
  private final List<CudaBuffer> buffers = new ArrayList<>();

  /** {@code [input, gates × hidden]}. */
  final CudaBuffer input;

  /** {@code [state, gates × hidden]}. */
  final CudaBuffer recurrent;

  /** {@code [gates × hidden]}, or {@code null}. */
  final CudaBuffer inputBias;

  /** {@code [gates × hidden]}, or {@code null}. */
  final CudaBuffer recurrentBias;

  /** {@code [3 × hidden]} for i, o, f, or {@code null}. */
  final CudaBuffer peepholes;

  /** {@code [hidden, projection]}, or {@code null}. */
  final CudaBuffer projection;

  /** As {@link RecurrentWeights#normalisation}; empty for none. */
  final CudaBuffer[] normalisation;

  /** The same layer as cuDNN has it, or {@code null} where it has not. */
  final CudnnLayer cudnn;

  private CudaRecurrent(
      CudaDevice device, RecurrentSpec spec, RecurrentWeights weights, WeightFormat format) {
    this.device = device;
    this.spec = spec;
    try (Arena arena = Arena.ofConfined()) {
      int hidden = spec.hiddenSize();
      Tensor in = Packing.gates(arena, weights.input(), spec.inputSize(), hidden);
      Packing.round(in, format);
      Tensor state = Packing.gates(arena, weights.recurrent(), spec.stateSize(), hidden);
      Packing.round(state, format);
      Tensor inBias = Packing.vectors(arena, weights.inputBias());
      Tensor stateBias = Packing.vectors(arena, weights.recurrentBias());
      Tensor projected = null;
      if (spec.projectionSize() > 0) {
        projected = Packing.plain(arena, "projection", weights.projection().transpose(1, 0));
        Packing.round(projected, format);
      }
      input = keep(in);
      recurrent = keep(state);
      inputBias = keep(inBias);
      recurrentBias = keep(stateBias);
      peepholes = keep(Packing.vectors(arena, weights.peepholes()));
      projection = keep(projected);
      normalisation = new CudaBuffer[spec.layerNormalised() ? weights.normalisation().size() : 0];
      for (int i = 0; i < normalisation.length; i++) {
        Tensor vector = weights.normalisation().get(i);
        normalisation[i] = keep(Packing.plain(arena, "layer normalisation", vector));
      }
      cudnn =
          CudnnLayer.fits(device, spec, peepholes != null)
              ? new CudnnLayer(device, spec, in, state, inBias, stateBias, projected)
              : null;
    } catch (RuntimeException | Error e) {
      release();
      throw e;
    }
  }

  static CudaRecurrent pack(
      CudaDevice device, RecurrentSpec spec, RecurrentWeights weights, WeightFormat format) {
    weights.check(spec);
    return new CudaRecurrent(device, spec, weights, format);
  }

  private CudaBuffer keep(Tensor tensor) {
    CudaBuffer buffer = Packing.upload(device, tensor);
    if (buffer != null) {
      buffers.add(buffer);
    }
    return buffer;
  }

  @Override
  public CudaDevice device() {
    return device;
  }

  @Override
  public RecurrentSpec spec() {
    return spec;
  }

  @Override
  public long bytes() {
    long bytes = cudnn == null ? 0 : cudnn.bytes();
    for (CudaBuffer buffer : buffers) {
      bytes += buffer.bytes();
    }
    return bytes;
  }

  private void release() {
    buffers.forEach(CudaBuffer::close);
  }

  @Override
  public void close() {
    release();
    if (cudnn != null) {
      cudnn.close();
    }
  }
}
