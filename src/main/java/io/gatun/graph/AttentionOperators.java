package io.gatun.graph;

import io.gatun.tensor.DType;
import java.util.ArrayList;
import java.util.List;

/** ONNX' attention and rotary position embedding, on the host. */
final class AttentionOperators {
  private AttentionOperators() {}

  static List<Operator> all() {
    return List.of(new Attention(), new RotaryEmbedding());
  }

  /**
   * {@code softmax(scale · Q·Kᵀ + mask)·V} for each head. Q, K and V are {@code [batch, heads,
   * time, size]} or {@code [batch, time, heads · size]}; then mask, past K and V {@code [batch,
   * heads, past, size]}, and how many keys of each sequence count.
   */
  private record Attention() implements HostOperator {
    @Override
    public String type() {
      return "Attention";
    }

    /** Sizes of Q, K or V as {@code [batch, heads, time, size]}. */
    private static List<Dim> split(Inference inference, int input) {
      if (inference.rank(input) == 4) {
        return inference.dims(input);
      }
      inference.expectRank(input, 3);
      long heads = inference.attributes().integer(input == 0 ? "q_num_heads" : "kv_num_heads", 0);
      Dim size = inference.dim(input, 2);
      if (heads < 1 || (size.isKnown() && size.size() % heads != 0)) {
        throw inference.error(heads + " heads of " + inference.dims(input));
      }
      return List.of(
          inference.dim(input, 0),
          Dim.of(heads),
          inference.dim(input, 1),
          size.dividedBy(Dim.of(heads)));
    }

    @Override
    public void infer(Inference inference) {
      for (int i = 0; i < 3; i++) {
        if (!inference.type(i).isFloat()) {
          throw inference.error("Attention of " + inference.type(i).label());
        }
      }
      List<Dim> q = split(inference, 0);
      List<Dim> k = split(inference, 1);
      List<Dim> v = split(inference, 2);
      boolean fits =
          q.get(0).matches(k.get(0))
              && q.get(0).matches(v.get(0))
              && k.get(1).matches(v.get(1))
              && k.get(2).matches(v.get(2))
              && q.get(3).matches(k.get(3));
      if (q.get(1).isKnown() && k.get(1).isKnown()) {
        fits &= k.get(1).size() > 0 && q.get(1).size() % k.get(1).size() == 0;
      }
      if (!fits
          || inference.rank(0) != inference.rank(1)
          || inference.rank(0) != inference.rank(2)) {
        throw inference.error("queries " + q + ", keys " + k + " and values " + v + " do not fit");
      }
      long mode = inference.attributes().integer("qk_matmul_output_mode", 0);
      if (mode < 0 || mode > 3) {
        throw inference.error("qk_matmul_output_mode is " + mode);
      }
      if (inference.has(4) != inference.has(5)) {
        throw inference.error("past keys without past values, or the other way round");
      }
      Dim all = k.get(2);
      if (inference.has(4)) {
        inference.expect(4, k.get(0), k.get(1), inference.dim(4, 2), k.get(3));
        inference.expect(5, v.get(0), v.get(1), inference.dim(4, 2), v.get(3));
        all = inference.dim(4, 2).plus(all);
      }
      if (inference.has(3) && inference.rank(3) > 4) {
        throw inference.error("a mask of " + inference.dims(3));
      }
      if (inference.has(6)) {
        inference.expect(6, q.get(0));
      }
      inference.output(
          inference.type(0),
          inference.rank(0) == 4
              ? List.of(q.get(0), q.get(1), q.get(2), v.get(3))
              : List.of(q.get(0), q.get(2), q.get(1).times(v.get(3))));
      inference.output(inference.type(1), k.get(0), k.get(1), all, k.get(3));
      inference.output(inference.type(2), v.get(0), v.get(1), all, v.get(3));
      inference.output(inference.type(0), q.get(0), q.get(1), q.get(2), all);
    }

    /** {@code [batch, heads, time, size]} with what came before, if anything, in front. */
    private static double[][][] heads(HostArray x, HostArray past, int heads) {
      boolean split = x.dims.length == 4;
      int batch = (int) x.dims[0];
      int time = (int) x.dims[split ? 2 : 1];
      int size = (int) (split ? x.dims[3] : x.dims[2] / heads);
      int before = past == null ? 0 : (int) past.dims[2];
      double[][][] all = new double[batch][heads][(before + time) * size];
      for (int b = 0; b < batch; b++) {
        for (int h = 0; h < heads; h++) {
          if (before > 0) {
            System.arraycopy(
                past.reals, (b * heads + h) * before * size, all[b][h], 0, before * size);
          }
          for (int t = 0; t < time; t++) {
            int from =
                split ? ((b * heads + h) * time + t) * size : ((b * time + t) * heads + h) * size;
            System.arraycopy(x.reals, from, all[b][h], (before + t) * size, size);
          }
        }
      }
      return all;
    }

    private static int headCount(Call call, int input, String attribute) {
      HostArray x = call.in(input);
      return x.dims.length == 4
          ? (int) x.dims[1]
          : Math.toIntExact(call.attributes().integer(attribute, 0));
    }

    @Override
    public void compute(Call call) {
      int queryHeads = headCount(call, 0, "q_num_heads");
      int keyHeads = headCount(call, 1, "kv_num_heads");
      double[][][] queries = heads(call.in(0), null, queryHeads);
      double[][][] keys = heads(call.in(1), call.in(4), keyHeads);
      double[][][] values = heads(call.in(2), call.in(5), keyHeads);
      boolean split = call.in(0).dims.length == 4;
      int batch = queries.length;
      int time = (int) call.in(0).dims[split ? 2 : 1];
      int size = (int) (split ? call.in(0).dims[3] : call.in(0).dims[2] / queryHeads);
      int valueSize = (int) (split ? call.in(2).dims[3] : call.in(2).dims[2] / keyHeads);
      int past = call.in(4) == null ? 0 : (int) call.in(4).dims[2];
      int all = past + (int) call.in(1).dims[split ? 2 : 1];
      double scale = call.attributes().real("scale", (float) (1 / Math.sqrt(size)));
      double cap = call.attributes().real("softcap", 0);
      boolean causal = call.attributes().integer("is_causal", 0) != 0;
      long mode = call.attributes().integer("qk_matmul_output_mode", 0);
      HostArray seen = call.out(3);
      double[] row = new double[all];
      for (int b = 0; b < batch; b++) {
        int valid = call.in(6) == null ? all : (int) call.in(6).wholes[b];
        for (int h = 0; h < queryHeads; h++) {
          double[] k = keys[b][h / (queryHeads / keyHeads)];
          double[] v = values[b][h / (queryHeads / keyHeads)];
          for (int t = 0; t < time; t++) {
            int place = ((b * queryHeads + h) * time + t) * all;
            for (int j = 0; j < all; j++) {
              double sum = 0;
              for (int i = 0; i < size; i++) {
                sum += queries[b][h][t * size + i] * k[j * size + i];
              }
              row[j] = sum * scale;
            }
            keep(seen, mode == 0, row, place);
            for (int j = 0; j < all && cap != 0; j++) {
              row[j] = cap * Math.tanh(row[j] / cap);
            }
            keep(seen, mode == 1, row, place);
            // With keys that do not all count, the queries are the last of those that do.
            int offset = call.in(6) == null ? past : valid - time;
            for (int j = 0; j < all; j++) {
              boolean hidden = j >= valid || (causal && j > t + offset);
              row[j] = hidden ? Double.NEGATIVE_INFINITY : row[j] + mask(call.in(3), b, h, t, j);
            }
            keep(seen, mode == 2, row, place);
            softmax(row);
            keep(seen, mode == 3, row, place);
            for (int i = 0; i < valueSize; i++) {
              double sum = 0;
              for (int j = 0; j < all; j++) {
                sum += row[j] == 0 ? 0 : row[j] * v[j * valueSize + i];
              }
              int to =
                  split
                      ? ((b * queryHeads + h) * time + t) * valueSize + i
                      : ((b * time + t) * queryHeads + h) * valueSize + i;
              call.out(0).reals[to] = sum;
            }
          }
        }
      }
      present(call.out(1), keys);
      present(call.out(2), values);
    }

    private static void keep(HostArray seen, boolean asked, double[] row, int place) {
      if (seen != null && asked) {
        System.arraycopy(row, 0, seen.reals, place, row.length);
      }
    }

    private static void present(HostArray out, double[][][] heads) {
      int at = 0;
      for (double[][] ofBatch : heads) {
        for (double[] head : ofBatch) {
          if (out != null) {
            System.arraycopy(head, 0, out.reals, at, head.length);
          }
          at += head.length;
        }
      }
    }

    /**
     * What a mask adds: it is repeated from the last axes on; keys it does not reach are hidden.
     */
    private static double mask(HostArray mask, int b, int h, int t, int j) {
      if (mask == null) {
        return 0;
      }
      int[] index = {b, h, t, j};
      int rank = mask.dims.length;
      long at = 0;
      for (int axis = 0; axis < rank; axis++) {
        long size = mask.dims[axis];
        int asked = index[4 - rank + axis];
        if (size > 1 && asked >= size) {
          return Double.NEGATIVE_INFINITY;
        }
        at = at * size + (size == 1 ? 0 : asked);
      }
      if (mask.reals != null) {
        return mask.reals[(int) at];
      }
      return mask.wholes[(int) at] != 0 ? 0 : Double.NEGATIVE_INFINITY;
    }

    /** A row in which everything is hidden becomes zeros. */
    private static void softmax(double[] row) {
      double most = Double.NEGATIVE_INFINITY;
      for (double x : row) {
        most = Math.max(most, x);
      }
      double sum = 0;
      for (int i = 0; i < row.length; i++) {
        row[i] = most == Double.NEGATIVE_INFINITY ? 0 : Math.exp(row[i] - most);
        sum += row[i];
      }
      for (int i = 0; i < row.length && sum != 0; i++) {
        row[i] /= sum;
      }
    }
  }

  /**
   * Turns pairs of features by angles that grow with the position: X {@code [batch, heads, time,
   * size]} or {@code [batch, time, heads · size]}, cosines and sines {@code [positions, size / 2]}
   * with positions {@code [batch, time]}, or {@code [batch, time, size / 2]} without.
   */
  private record RotaryEmbedding() implements HostOperator {
    @Override
    public String type() {
      return "RotaryEmbedding";
    }

    @Override
    public void infer(Inference inference) {
      ElementwiseOperators.requireReal(inference);
      int rank = inference.rank(0);
      if (rank != 3 && rank != 4) {
        throw inference.error("input is " + inference.dims(0) + ", expected 3 or 4 axes");
      }
      if (rank == 3 && inference.attributes().integer("num_heads", 0) < 1) {
        throw inference.error("num_heads is needed for " + inference.dims(0));
      }
      inference.expectRank(1, inference.has(3) ? 2 : 3);
      inference.expect(2, inference.dims(1).toArray(new Dim[0]));
      Dim time = inference.dim(0, rank == 4 ? 2 : 1);
      if (inference.has(3)) {
        inference.expect(3, inference.dim(0, 0), time);
        if (inference.type(3) != DType.INT64 && inference.type(3) != DType.INT32) {
          throw inference.error("positions are " + inference.type(3).label());
        }
      }
      List<Dim> dims = new ArrayList<>(inference.dims(0));
      inference.output(inference.type(0), dims);
    }

    @Override
    public void compute(Call call) {
      HostArray x = call.in(0);
      HostArray cos = call.in(1);
      HostArray positions = call.in(3);
      boolean split = x.dims.length == 4;
      int batch = (int) x.dims[0];
      int heads =
          split ? (int) x.dims[1] : Math.toIntExact(call.attributes().integer("num_heads", 0));
      int time = (int) x.dims[split ? 2 : 1];
      int size = (int) (split ? x.dims[3] : x.dims[2] / heads);
      long asked = call.attributes().integer("rotary_embedding_dim", 0);
      int turned = asked == 0 ? size : Math.toIntExact(asked);
      int half = turned / 2;
      int width = (int) cos.dims[cos.dims.length - 1];
      if (width != half || turned > size) {
        throw call.error("angles of " + width + ", expected half of " + turned + " of " + size);
      }
      boolean interleaved = call.attributes().integer("interleaved", 0) != 0;
      for (int b = 0; b < batch; b++) {
        for (int t = 0; t < time; t++) {
          long position = positions == null ? b * (long) time + t : positions.wholes[b * time + t];
          if (position < 0 || position * width + width > cos.count) {
            throw call.error("position " + position + " of " + cos.count / width);
          }
          for (int h = 0; h < heads; h++) {
            int begin =
                split ? ((b * heads + h) * time + t) * size : ((b * time + t) * heads + h) * size;
            System.arraycopy(x.reals, begin, call.out(0).reals, begin, size);
            for (int i = 0; i < half; i++) {
              int left = begin + (interleaved ? 2 * i : i);
              int right = begin + (interleaved ? 2 * i + 1 : half + i);
              double c = cos.reals[(int) position * width + i];
              double s = call.in(2).reals[(int) position * width + i];
              call.out(0).reals[left] = c * x.reals[left] - s * x.reals[right];
              call.out(0).reals[right] = s * x.reals[left] + c * x.reals[right];
            }
          }
        }
      }
    }
  }
}
