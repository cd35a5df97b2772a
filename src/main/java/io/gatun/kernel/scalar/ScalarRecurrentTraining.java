package io.gatun.kernel.scalar;

import io.gatun.kernel.RecurrentCall;
import io.gatun.kernel.RecurrentSpec.Cell;
import io.gatun.kernel.RecurrentTraining;
import io.gatun.kernel.Region;
import io.gatun.tensor.DType;
import java.util.Arrays;

/** Recurrent layers in training, sequence by sequence and step by step, all kinds of cells. */
final class ScalarRecurrentTraining {
  private final DType real;
  private ScalarCell cell;
  private double[] row = {};
  private double[] mask = {};
  private RecurrentTraining layer;
  private RecurrentCall call;
  private int hidden;
  private int state;
  private int keptSize;
  private int keptCell;

  ScalarRecurrentTraining(DType real) {
    this.real = real;
    this.cell = new ScalarCell(real);
  }

  void clear() {
    cell = new ScalarCell(real);
    row = new double[0];
    mask = new double[0];
  }

  private void begin(RecurrentTraining training) {
    layer = training;
    call = training.call;
    hidden = layer.spec.hiddenSize();
    state = layer.spec.stateSize();
    keptSize = Math.toIntExact(RecurrentTraining.keptSize(layer.spec));
    keptCell = keptSize / 5 * 4;
    int longest = Math.max(Math.max(hidden, state), layer.spec.inputSize());
    if (row.length < longest) {
      row = new double[longest];
      mask = new double[longest];
    }
    cell.begin(layer);
  }

  private void load(Region region, long at, double[] to, int count) {
    long offset = region.offset() + at * real.bytes();
    Elements.load(HostKernels.segment(region), real, offset, 1, to, 0, count);
  }

  private void store(double[] from, Region region, long at, int count) {
    long offset = region.offset() + at * real.bytes();
    Elements.store(from, 0, HostKernels.segment(region), real, offset, count);
  }

  private void loadState(Region region, int sequence, double[] to, int size) {
    if (region == null) {
      Arrays.fill(to, 0, size, 0);
    } else {
      load(region, (long) sequence * size, to, size);
    }
  }

  private void loadMask(int sequence) {
    cell.mask = layer.hiddenMask == null ? null : mask;
    if (layer.hiddenMask != null) {
      load(layer.hiddenMask, (long) sequence * state, mask, state);
    }
  }

  private int length(int sequence) {
    return call.lengths == null ? call.time : HostKernels.lengthAt(call.lengths, sequence);
  }

  private int time(int length, int step) {
    return call.reverse ? length - 1 - step : step;
  }

  private long inputAt(int time, int sequence) {
    return time * call.inputTimeStride + sequence * call.inputRowStride;
  }

  private long outputAt(int time, int sequence) {
    return time * call.outputTimeStride + sequence * call.outputRowStride;
  }

  private long keptAt(int time, int sequence) {
    return ((long) time * call.batch + sequence) * keptSize + keptCell;
  }

  void forward(RecurrentTraining training) {
    begin(training);
    boolean lstm = layer.spec.cell() == Cell.LSTM;
    for (int b = 0; b < call.batch; b++) {
      loadMask(b);
      loadState(call.initialHidden, b, cell.h, state);
      if (lstm) {
        loadState(call.initialCell, b, cell.c, hidden);
      }
      int length = length(b);
      for (int step = 0; step < length; step++) {
        int t = time(length, step);
        load(call.input, inputAt(t, b), cell.x, layer.spec.inputSize());
        cell.forward();
        System.arraycopy(cell.nextH, 0, cell.h, 0, state);
        store(cell.h, call.output, outputAt(t, b), state);
        if (lstm) {
          System.arraycopy(cell.nextC, 0, cell.c, 0, hidden);
          store(cell.c, layer.kept, keptAt(t, b), hidden);
        }
      }
      Arrays.fill(row, 0, state, 0);
      for (int t = length; t < call.time; t++) {
        store(row, call.output, outputAt(t, b), state);
      }
      if (call.finalHidden != null) {
        store(cell.h, call.finalHidden, (long) b * state, state);
      }
      if (lstm && call.finalCell != null) {
        store(cell.c, call.finalCell, (long) b * hidden, hidden);
      }
    }
  }

  void backward(RecurrentTraining training) {
    begin(training);
    cell.beginBackward();
    boolean lstm = layer.spec.cell() == Cell.LSTM;
    for (int b = 0; b < call.batch; b++) {
      loadMask(b);
      loadState(layer.finalHiddenGradient, b, cell.dh, state);
      if (lstm) {
        loadState(layer.finalCellGradient, b, cell.dc, hidden);
      }
      int length = length(b);
      for (int step = length - 1; step >= 0; step--) {
        int t = time(length, step);
        load(call.input, inputAt(t, b), cell.x, layer.spec.inputSize());
        if (step == 0) {
          loadState(call.initialHidden, b, cell.h, state);
          if (lstm) {
            loadState(call.initialCell, b, cell.c, hidden);
          }
        } else {
          int earlier = time(length, step - 1);
          load(call.output, outputAt(earlier, b), cell.h, state);
          if (lstm) {
            load(layer.kept, keptAt(earlier, b), cell.c, hidden);
          }
        }
        if (layer.outputGradient != null) {
          load(layer.outputGradient, outputAt(t, b), row, state);
          for (int j = 0; j < state; j++) {
            cell.dh[j] += row[j];
          }
        }
        cell.forward();
        cell.backward();
        giveInput(t, b);
      }
      if (layer.inputGradient != null && !layer.addToInputGradient) {
        Arrays.fill(row, 0, layer.spec.inputSize(), 0);
        for (int t = length; t < call.time; t++) {
          store(row, layer.inputGradient, inputAt(t, b), layer.spec.inputSize());
        }
      }
      if (layer.initialHiddenGradient != null) {
        store(cell.dh, layer.initialHiddenGradient, (long) b * state, state);
      }
      if (lstm && layer.initialCellGradient != null) {
        store(cell.dc, layer.initialCellGradient, (long) b * hidden, hidden);
      }
    }
    cell.endBackward(layer);
  }

  private void giveInput(int time, int sequence) {
    if (layer.inputGradient == null) {
      return;
    }
    int size = layer.spec.inputSize();
    long at = inputAt(time, sequence);
    if (layer.addToInputGradient) {
      load(layer.inputGradient, at, row, size);
      for (int k = 0; k < size; k++) {
        cell.dx[k] += row[k];
      }
    }
    store(cell.dx, layer.inputGradient, at, size);
  }
}
