package io.gatun.kernel.simd;

import io.gatun.kernel.ConvolutionSpec;
import io.gatun.kernel.scalar.Taps;

/**
 * Convolutions in training as products: what the windows see is laid out as columns {@code
 * [channels × kernel, batch × places]}, which both passes use.
 */
final class WindowRun implements AutoCloseable {
  private final AddressedProduct product;
  private final Scratch memory = new Scratch();
  private Taps taps;
  private int channels;
  private int outputs;
  private int groups;
  private int kernel;
  private int places;
  private int batch;
  private long columns;
  private long gradients;
  private long[] rows = {};
  private long[] inner = {};
  private long[] right = {};
  private long[] across = {};
  private long[] results = {};

  WindowRun(AddressedProduct product) {
    this.product = product;
  }

  private static long[] grown(long[] array, int size) {
    return array.length >= size ? array : new long[size];
  }

  private int terms() {
    return channels / groups * kernel;
  }

  private void begin(Taps taps, ConvolutionSpec spec, int batch) {
    this.taps = taps;
    this.batch = batch;
    channels = spec.inputChannels();
    outputs = spec.outputChannels();
    groups = spec.groups();
    kernel = taps.kernel();
    places = taps.outPlane();
    long bytes = (long) channels * kernel * batch * places * Float.BYTES;
    long one = (long) terms() * places * Float.BYTES;
    memory.reserve(0, 0, bytes + one);
    columns = memory.address();
    gradients = columns + bytes;
    int most = Math.max(Math.max(outputs, terms()), batch * places);
    rows = grown(rows, most);
    inner = grown(inner, most);
    right = grown(right, most);
    across = grown(across, most);
    results = grown(results, most);
  }

  /** Where the column element of a channel's kernel element at the first place of a sample lies. */
  private long column(int channelAndKernel, int sample) {
    return columns + ((long) channelAndKernel * batch + sample) * places * Float.BYTES;
  }

  private void spread(long input) {
    for (int channel = 0; channel < channels; channel++) {
      for (int k = 0; k < kernel; k++) {
        for (int n = 0; n < batch; n++) {
          long plane = input + ((long) n * channels + channel) * taps.plane() * Float.BYTES;
          long to = column(channel * kernel + k, n);
          for (int p = 0; p < places; p++) {
            int at = taps.at(k, p);
            Floats.put(to, p, at < 0 ? 0 : Floats.get(plane, at));
          }
        }
      }
    }
  }

  private static void count(long[] to, long first, long stride, int count) {
    for (int i = 0; i < count; i++) {
      to[i] = first + i * stride * Float.BYTES;
    }
  }

  void convolve(
      Taps taps,
      ConvolutionSpec spec,
      long input,
      long weights,
      long bias,
      int batch,
      long output) {
    begin(taps, spec, batch);
    spread(input);
    int each = outputs / groups;
    int terms = terms();
    for (int n = 0; n < batch; n++) {
      for (int group = 0; group < groups; group++) {
        count(rows, weights + (long) group * each * terms * Float.BYTES, terms, each);
        count(inner, 0, 1, terms);
        count(right, column(group * terms, n), (long) batch * places, terms);
        count(across, 0, 1, places);
        long to = output + ((long) n * outputs + (long) group * each) * places * Float.BYTES;
        count(results, to, places, each);
        product.run(rows, inner, right, across, each, terms, places, results);
      }
      for (int m = 0; m < outputs && bias != 0; m++) {
        float addend = Floats.get(bias, m);
        long to = output + ((long) n * outputs + m) * places * Float.BYTES;
        for (int p = 0; p < places; p++) {
          Floats.put(to, p, Floats.get(to, p) + addend);
        }
      }
    }
  }

  /** Addresses are 0 for the gradients that are not wanted. */
  void gradient(
      Taps taps,
      ConvolutionSpec spec,
      long input,
      long weights,
      long given,
      int batch,
      long inputGradient,
      long weightsGradient,
      long biasGradient) {
    begin(taps, spec, batch);
    int each = outputs / groups;
    int terms = terms();
    for (int m = 0; m < outputs && biasGradient != 0; m++) {
      double sum = 0;
      for (int n = 0; n < batch; n++) {
        long from = given + ((long) n * outputs + m) * places * Float.BYTES;
        for (int p = 0; p < places; p++) {
          sum += Floats.get(from, p);
        }
      }
      Floats.put(biasGradient, m, (float) sum);
    }
    if (weightsGradient != 0) {
      spread(input);
      for (int n = 0; n < batch; n++) {
        for (int p = 0; p < places; p++) {
          inner[n * places + p] = ((long) n * outputs * places + p) * Float.BYTES;
          right[n * places + p] = ((long) n * places + p) * Float.BYTES;
        }
      }
      for (int group = 0; group < groups; group++) {
        count(rows, given + (long) group * each * places * Float.BYTES, places, each);
        count(across, column(group * terms, 0), (long) batch * places, terms);
        long to = weightsGradient + (long) group * each * terms * Float.BYTES;
        count(results, to, terms, each);
        product.run(rows, inner, right, across, each, batch * places, terms, results);
      }
    }
    if (inputGradient != 0) {
      giveInput(weights, given, inputGradient);
    }
  }

  private void giveInput(long weights, long given, long inputGradient) {
    int each = outputs / groups;
    int terms = terms();
    for (int n = 0; n < batch; n++) {
      for (int group = 0; group < groups; group++) {
        count(rows, weights + (long) group * each * terms * Float.BYTES, 1, terms);
        count(inner, 0, terms, each);
        count(
            right,
            given + ((long) n * outputs + (long) group * each) * places * Float.BYTES,
            places,
            each);
        count(across, 0, 1, places);
        count(results, gradients, places, terms);
        product.run(rows, inner, right, across, terms, each, places, results);
        int some = channels / groups;
        for (int c = 0; c < some; c++) {
          int channel = group * some + c;
          long plane = inputGradient + ((long) n * channels + channel) * taps.plane() * Float.BYTES;
          Floats.fill(plane, 0, taps.plane(), 0);
          for (int k = 0; k < kernel; k++) {
            long from = gradients + ((long) c * kernel + k) * places * Float.BYTES;
            for (int p = 0; p < places; p++) {
              int at = taps.at(k, p);
              if (at >= 0) {
                Floats.put(plane, at, Floats.get(plane, at) + Floats.get(from, p));
              }
            }
          }
        }
      }
    }
  }

  @Override
  public void close() {
    memory.close();
  }
}
