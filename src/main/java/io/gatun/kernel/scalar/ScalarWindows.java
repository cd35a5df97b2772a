package io.gatun.kernel.scalar;

import static io.gatun.kernel.scalar.HostKernels.segment;

import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import java.util.Arrays;

/** Convolutions with weights that change, and their gradients, as plain loops over windows. */
final class ScalarWindows {
  private ScalarWindows() {}

  private static double[] load(Scratch scratch, int slot, DType real, Region region, int count) {
    double[] to = scratch.get(0, slot, count);
    if (region != null) {
      Elements.load(segment(region), real, region.offset(), 1, to, 0, count);
    }
    return to;
  }

  private static void store(DType real, double[] from, Region region, int count) {
    if (region != null) {
      Elements.store(from, 0, segment(region), real, region.offset(), count);
    }
  }

  static void convolve(
      DType real,
      Taps taps,
      ConvolutionSpec spec,
      Region input,
      Region weights,
      Region bias,
      int batch,
      Region output,
      Scratch scratch) {
    int each = spec.inputChannels() / spec.groups();
    int kernel = taps.kernel();
    int places = taps.outPlane();
    int outputs = spec.outputChannels();
    double[] x = load(scratch, 0, real, input, batch * spec.inputChannels() * taps.plane());
    double[] w = load(scratch, 1, real, weights, outputs * each * kernel);
    double[] b = load(scratch, 2, real, bias, outputs);
    double[] y = scratch.get(0, 3, batch * outputs * places);
    for (int n = 0; n < batch; n++) {
      for (int m = 0; m < outputs; m++) {
        int firstChannel = n * spec.inputChannels() + m / (outputs / spec.groups()) * each;
        for (int p = 0; p < places; p++) {
          double sum = bias == null ? 0 : b[m];
          for (int c = 0; c < each; c++) {
            for (int k = 0; k < kernel; k++) {
              int at = taps.at(k, p);
              if (at >= 0) {
                sum += w[(m * each + c) * kernel + k] * x[(firstChannel + c) * taps.plane() + at];
              }
            }
          }
          y[(n * outputs + m) * places + p] = sum;
        }
      }
    }
    store(real, y, output, batch * outputs * places);
  }

  static void convolutionGradient(
      DType real,
      Taps taps,
      ConvolutionSpec spec,
      Region input,
      Region weights,
      Region outputGradient,
      int batch,
      Region inputGradient,
      Region weightsGradient,
      Region biasGradient,
      Scratch scratch) {
    int each = spec.inputChannels() / spec.groups();
    int kernel = taps.kernel();
    int places = taps.outPlane();
    int outputs = spec.outputChannels();
    int ins = batch * spec.inputChannels() * taps.plane();
    double[] x = load(scratch, 0, real, input, ins);
    double[] w = load(scratch, 1, real, weights, outputs * each * kernel);
    double[] dy = load(scratch, 2, real, outputGradient, batch * outputs * places);
    double[] dx = scratch.get(0, 3, ins);
    double[] dw = scratch.get(0, 4, outputs * each * kernel);
    double[] db = scratch.get(0, 5, outputs);
    Arrays.fill(dx, 0, ins, 0);
    Arrays.fill(dw, 0, outputs * each * kernel, 0);
    Arrays.fill(db, 0, outputs, 0);
    for (int n = 0; n < batch; n++) {
      for (int m = 0; m < outputs; m++) {
        int firstChannel = n * spec.inputChannels() + m / (outputs / spec.groups()) * each;
        for (int p = 0; p < places; p++) {
          double given = dy[(n * outputs + m) * places + p];
          db[m] += given;
          for (int c = 0; c < each; c++) {
            for (int k = 0; k < kernel; k++) {
              int at = taps.at(k, p);
              if (at >= 0) {
                int weight = (m * each + c) * kernel + k;
                int from = (firstChannel + c) * taps.plane() + at;
                dw[weight] += given * x[from];
                dx[from] += given * w[weight];
              }
            }
          }
        }
      }
    }
    store(real, dx, inputGradient, ins);
    store(real, dw, weightsGradient, outputs * each * kernel);
    store(real, db, biasGradient, outputs);
  }
}
