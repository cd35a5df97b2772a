package io.gatun.kernel.cuda;

import io.gatun.kernel.Activation;
import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec;
import io.gatun.tensor.DType;

/** The operands of the kernels that finish a time step after its products. */
final class Step {
  long x;
  long r;
  long inputBias;
  long recurrentBias;
  long peepholes;
  long mask;
  long h;
  long c;
  long output;
  long kept;
  long scratch;
  long reset;
  long lengths;
  long tokens;
  long timeStride;
  long rowStride;
  long rRowStride;
  long outputTimeStride;
  long outputRowStride;
  long tokenTimeStride;
  long tokenRowStride;
  long tableRows;
  long batch;
  long time;
  boolean projected;
  boolean wide;
  boolean reverse;
  RecurrentSpec spec;

  /** Starts one of them for a step; states change in place. */
  void launch(Launch launch, String kernel, int step, int units) {
    launch
        .of(kernel)
        .pointer(x)
        .pointer(r)
        .pointer(inputBias)
        .pointer(recurrentBias)
        .pointer(peepholes)
        .pointer(mask)
        .pointer(h)
        .pointer(c)
        .pointer(h)
        .pointer(c)
        .pointer(output)
        .pointer(kept)
        .pointer(scratch)
        .pointer(reset)
        .pointer(lengths)
        .pointer(tokens)
        .number(timeStride)
        .number(rowStride)
        .number(rRowStride)
        .number(outputTimeStride)
        .number(outputRowStride)
        .number(tokenTimeStride)
        .number(tokenRowStride)
        .number(tableRows)
        .number(step)
        .number(time)
        .number(batch)
        .number(units)
        .real(spec.clip())
        .activation(activation(spec, 0))
        .activation(activation(spec, 1))
        .activation(activation(spec, 2))
        .flag(reverse)
        .flag(spec.coupled())
        .flag(projected)
        .flag(wide)
        .overElements(batch * units);
  }

  static Activation activation(RecurrentSpec spec, int index) {
    var functions = spec.activations();
    return index < functions.size() ? functions.get(index) : Activation.IDENTITY;
  }

  /** Takes what a call says of time, rows and tokens. */
  void set(RecurrentSpec spec, RecurrentCall call) {
    this.spec = spec;
    time = call.time;
    batch = call.batch;
    reverse = call.reverse;
    outputTimeStride = call.outputTimeStride;
    outputRowStride = call.outputRowStride;
    tokenTimeStride = call.inputTimeStride;
    tokenRowStride = call.inputRowStride;
    wide = call.tokenType == DType.INT64;
  }
}
