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
  private CudnnLayer cudnn;

  /** The direction that runs backwards, where {@link #cudnn} is of both; {@code null} else. */
  private CudaRecurrent backward;

  private CudaRecurrent(CudaDevice device, RecurrentSpec spec, Host host) {
    this.device = device;
    this.spec = spec;
    try {
      input = keep(host.cudnn.input());
      recurrent = keep(host.cudnn.recurrent());
      inputBias = keep(host.cudnn.inputBias());
      recurrentBias = keep(host.cudnn.recurrentBias());
      peepholes = keep(host.peepholes);
      projection = keep(host.cudnn.projection());
      normalisation = new CudaBuffer[host.normalisation.size()];
      for (int i = 0; i < normalisation.length; i++) {
        normalisation[i] = keep(host.normalisation.get(i));
      }
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /** Weights in the order in which they lie on the device, and rounded, but still on the host. */
  private record Host(CudnnLayer.Weights cudnn, Tensor peepholes, List<Tensor> normalisation) {
    static Host of(Arena arena, RecurrentSpec spec, RecurrentWeights weights, WeightFormat format) {
      weights.check(spec);
      int hidden = spec.hiddenSize();
      Tensor in = Packing.gates(arena, weights.input(), spec.inputSize(), hidden);
      Packing.round(in, format);
      Tensor state = Packing.gates(arena, weights.recurrent(), spec.stateSize(), hidden);
      Packing.round(state, format);
      Tensor projected = null;
      if (spec.projectionSize() > 0) {
        projected = Packing.plain(arena, "projection", weights.projection().transpose(1, 0));
        Packing.round(projected, format);
      }
      List<Tensor> normalisation = new ArrayList<>();
      if (spec.layerNormalised()) {
        for (Tensor vector : weights.normalisation()) {
          normalisation.add(Packing.plain(arena, "layer normalisation", vector));
        }
      }
      return new Host(
          new CudnnLayer.Weights(
              in,
              state,
              Packing.vectors(arena, weights.inputBias()),
              Packing.vectors(arena, weights.recurrentBias()),
              projected),
          Packing.vectors(arena, weights.peepholes()),
          normalisation);
    }
  }

  static CudaRecurrent pack(
      CudaDevice device, RecurrentSpec spec, RecurrentWeights weights, WeightFormat format) {
    try (Arena arena = Arena.ofConfined()) {
      Host host = Host.of(arena, spec, weights, format);
      CudaRecurrent layer = new CudaRecurrent(device, spec, host);
      try {
        if (CudnnLayer.fits(device, spec, host.peepholes != null)) {
          layer.cudnn = new CudnnLayer(device, spec, host.cudnn);
        }
        return layer;
      } catch (RuntimeException | Error e) {
        layer.close();
        throw e;
      }
    }
  }

  /** Both directions of a layer, as one for cuDNN; {@code null} where it has not both at once. */
  static List<PackedRecurrent> packBoth(
      CudaDevice device,
      List<RecurrentSpec> specs,
      List<RecurrentWeights> weights,
      WeightFormat format) {
    RecurrentSpec spec = specs.get(0);
    boolean peepholes = weights.stream().anyMatch(each -> !each.peepholes().isEmpty());
    if (!spec.equals(specs.get(1)) || !CudnnLayer.fits(device, spec, peepholes)) {
      return null;
    }
    CudaRecurrent forward = null;
    CudaRecurrent backward = null;
    try (Arena arena = Arena.ofConfined()) {
      Host there = Host.of(arena, spec, weights.get(0), format);
      Host back = Host.of(arena, spec, weights.get(1), format);
      forward = new CudaRecurrent(device, spec, there);
      backward = new CudaRecurrent(device, spec, back);
      forward.cudnn = new CudnnLayer(device, spec, there.cudnn, back.cudnn);
      forward.backward = backward;
      return List.of(forward, backward);
    } catch (RuntimeException | Error e) {
      if (forward != null) {
        forward.close();
      }
      if (backward != null) {
        backward.close();
      }
      throw e;
    }
  }

  /** This direction alone as cuDNN has it; {@code null} where it has not. */
  CudnnLayer alone() {
    return backward == null ? cudnn : null;
  }

  /** This direction and a backward one as cuDNN has both; {@code null} where it has not. */
  CudnnLayer with(CudaRecurrent other) {
    return backward == other ? cudnn : null;
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

  @Override
  public void close() {
    buffers.forEach(CudaBuffer::close);
    if (cudnn != null) {
      cudnn.close();
    }
  }
}
