package io.gatun.sequence;

import java.util.ArrayList;
import java.util.List;

/** Teacher forcing: the decoder goes along given targets, and what it thinks of them is read. */
final class Forcing {
  private final EncoderDecoder model;
  private final Decoding decoding;

  Forcing(EncoderDecoder model, Decoding decoding) {
    this.model = model;
    this.decoding = decoding;
  }

  /** The scores of checked targets, whose sources have been encoded. */
  List<Score> run(List<int[]> targets) {
    int extra = model.endTokens.length > 0 ? 1 : 0;
    double[][] terms = new double[targets.size()][];
    int[] sources = new int[targets.size()];
    int[] wanted = new int[targets.size()];
    int[] parents = new int[targets.size()];
    int rows = 0;
    for (int i = 0; i < terms.length; i++) {
      terms[i] = new double[targets.get(i).length + extra];
      if (terms[i].length > 0) {
        sources[rows++] = i;
      }
    }
    if (rows > 0) {
      decoding.start(rows, rows, sources);
    }
    int[] all = new int[rows];
    for (int i = 0; i < rows; i++) {
      all[i] = i;
    }
    for (int step = 0; rows > 0; step++) {
      for (int row = 0; row < rows; row++) {
        int[] target = targets.get(sources[row]);
        decoding.token(row, step == 0 ? model.startToken : target[step - 1]);
        wanted[row] = step < target.length ? target[step] : model.endTokens[0];
      }
      decoding.step();
      HostArray values = decoding.gather(rows, all, wanted);
      int left = 0;
      int before = rows;
      for (int row = 0; row < before; row++) {
        int source = sources[row];
        double value = values.getReal(row);
        if (Double.isNaN(value)) {
          throw new SequenceException(
              source, "the decoder's logits for token " + step + " are not numbers");
        }
        terms[source][step] = value;
        if (step + 1 < terms[source].length) {
          parents[left] = row;
          sources[left++] = source;
        }
      }
      rows = left;
      if (rows > 0) {
        decoding.advance(rows, parents, sources, rows == before);
      }
    }
    List<Score> scores = new ArrayList<>();
    for (double[] each : terms) {
      double sum = 0;
      for (double term : each) {
        sum += term;
      }
      scores.add(new Score(sum, each));
    }
    return scores;
  }
}
