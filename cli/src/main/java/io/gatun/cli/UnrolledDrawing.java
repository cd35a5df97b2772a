package io.gatun.cli;

import io.gatun.graph.Dim;
import io.gatun.graph.Graph;
import io.gatun.graph.Node;
import io.gatun.graph.Value;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;

/**
 * Draws a recurrent network unrolled over its first time steps: a column for each step, a row for
 * each layer, arrows to the right where a state is passed on.
 */
final class UnrolledDrawing {
  private static final Set<String> RECURRENT = Set.of("RNN", "GRU", "LSTM");

  /** What layers call the nodes they are made of. */
  private static final Set<String> PARTS = Set.of("product", "sum", "convolution");

  private static final int GAP = 3;

  /** What a row of the drawing is. */
  private record Row(String label, Node node, boolean everyStep) {
    boolean isRecurrent() {
      return RECURRENT.contains(node.operator().type());
    }
  }

  private final Graph graph;
  private final int steps;
  private final List<Row> rows = new ArrayList<>();
  private final boolean decoder;

  private UnrolledDrawing(Graph graph, int steps, boolean decoder) {
    this.graph = graph;
    this.steps = steps;
    this.decoder = decoder;
    Dim time = time(graph);
    for (Node node : graph.nodes()) {
      if (isRecurrent(node) || hasWeights(node)) {
        if (!rows.isEmpty() && addsBias(node, rows.get(rows.size() - 1).node())) {
          rows.remove(rows.size() - 1);
        }
        rows.add(new Row(label(node), node, decoder || hasAxis(node, time)));
      }
    }
  }

  private static boolean isRecurrent(Node node) {
    return RECURRENT.contains(node.operator().type());
  }

  /** A product and its bias are one layer. */
  private static boolean addsBias(Node node, Node product) {
    return node.operator().type().equals("Add")
        && product.operator().type().equals("MatMul")
        && node.inputs().contains(product.outputs().get(0));
  }

  private static boolean hasWeights(Node node) {
    return node.inputs().stream().anyMatch(v -> v != null && isWeight(v));
  }

  /** Numbers a network was trained for, unlike the shapes and axes of its operators. */
  static boolean isWeight(Value value) {
    return value.constant() != null && value.type().isFloat();
  }

  /** The axis that is run along: the first one of the first input. */
  private static Dim time(Graph graph) {
    for (Value input : graph.inputs()) {
      if (input.rank() >= 2 && !input.dim(0).isKnown()) {
        return input.dim(0);
      }
    }
    return null;
  }

  /**
   * Whether a node makes something for every step, also where there are fewer steps than before.
   */
  private static boolean hasAxis(Node node, Dim time) {
    return time != null
        && (isRecurrent(node)
            || node.outputs().stream()
                .flatMap(value -> value.dims().stream())
                .anyMatch(dim -> !dim.isKnown() && dim.toString().contains(time.toString())));
  }

  /** The layer that a node belongs to. */
  private static String label(Node node) {
    String name = node.name();
    int dot = name.lastIndexOf('.');
    if (dot > 0 && PARTS.contains(name.substring(dot + 1))) {
      name = name.substring(0, dot);
      dot = name.lastIndexOf('.');
    }
    return "[" + name.substring(dot + 1) + "]";
  }

  /**
   * Draws a network that reads a sequence.
   *
   * @param graph the network
   * @param steps how many time steps, at least 1
   * @param result what to call what comes out
   * @param used the value that is used of it
   */
  static List<String> ofNetwork(Graph graph, int steps, String result, Value used) {
    UnrolledDrawing drawing = new UnrolledDrawing(graph, steps, false);
    boolean many = used.dims().contains(time(graph));
    List<String> tops = new ArrayList<>();
    List<String> bottoms = new ArrayList<>();
    for (int t = 1; t <= steps; t++) {
      bottoms.add("x(" + t + ")");
      tops.add(many ? result + "(" + t + ")" : t == steps ? result : "");
    }
    String kind =
        drawing.rows.stream().noneMatch(Row::isRecurrent)
            ? "no recurrent layer"
            : many ? "many-to-many: a result at every step" : "many-to-one: the last state counts";
    return drawing.lines(graph.name() + ", " + kind, bottoms, tops, "h(0)");
  }

  /**
   * Draws a decoder that is run step by step, each token fed back.
   *
   * @param graph one step
   * @param steps how many steps, at least 1
   * @param start the symbol before the first token
   * @param state where the state comes from
   */
  static List<String> ofDecoder(Graph graph, int steps, String start, String state) {
    UnrolledDrawing drawing = new UnrolledDrawing(graph, steps, true);
    List<String> tops = new ArrayList<>();
    List<String> bottoms = new ArrayList<>();
    for (int t = 1; t <= steps; t++) {
      bottoms.add(t == 1 ? start : "y(" + (t - 1) + ")");
      tops.add("y(" + t + ")");
    }
    return drawing.lines(
        graph.name() + ", auto-regressive: each token is fed back", bottoms, tops, state);
  }

  private List<String> lines(
      String title, List<String> bottoms, List<String> tops, String initialState) {
    int width = 0;
    for (Row row : rows) {
      width = Math.max(width, row.label().length() + 2); // room for the arrows beside it
    }
    for (int t = 0; t < steps; t++) {
      width = Math.max(width, Math.max(bottoms.get(t).length(), tops.get(t).length()));
    }
    boolean anyState = rows.stream().anyMatch(Row::isRecurrent);
    int margin = anyState ? initialState.length() : 0;
    List<String> upwards = new ArrayList<>();
    upwards.add(line(margin, width, bottoms));
    for (Row row : rows) {
      List<String> boxes = new ArrayList<>(Collections.nCopies(steps, ""));
      for (int t = row.everyStep() ? 0 : steps - 1; t < steps; t++) {
        boxes.set(t, row.label());
      }
      upwards.add(line(margin, width, arrows(boxes)));
      upwards.add(
          row.isRecurrent()
              ? recurrent(row, margin, width, initialState)
              : line(margin, width, boxes));
    }
    upwards.add(line(margin, width, arrows(tops)));
    upwards.add(line(margin, width, tops));
    upwards.add("");
    upwards.add(title);
    Collections.reverse(upwards);
    return upwards;
  }

  private static List<String> arrows(List<String> above) {
    return above.stream().map(text -> text.isEmpty() ? "" : "↑").toList();
  }

  private String recurrent(Row row, int margin, int width, String initialState) {
    String direction = row.node().attributes().string("direction", "forward");
    boolean forward = !direction.equals("reverse");
    boolean back = !direction.equals("forward");
    int left = (width - row.label().length()) / 2;
    int right = width - row.label().length() - left;
    StringBuilder line = new StringBuilder();
    String first = forward ? initialState + " " : "";
    line.append(" ".repeat(margin + 1 - first.length())).append(first);
    for (int t = 0; t < steps; t++) {
      // The state comes in from the side that was read before, and goes out on the other one.
      String stem = (t == 0 && !forward ? " " : "─").repeat(GAP + left - 1);
      line.append(stem).append(forward ? "→" : t == 0 ? " " : "─").append(row.label());
      boolean last = t == steps - 1;
      line.append(back ? "←" : last ? "" : "─");
      line.append((last && !back ? " " : "─").repeat(right > 0 ? right - 1 : 0));
    }
    if (back) {
      line.append("─".repeat(GAP)).append(' ').append(initialState);
    }
    return line.toString().stripTrailing();
  }

  private String line(int margin, int width, List<String> cells) {
    StringBuilder line = new StringBuilder();
    line.append(" ".repeat(margin + 1));
    for (String cell : cells) {
      line.append(" ".repeat(GAP)).append(centred(cell, width));
    }
    return line.toString().stripTrailing();
  }

  private static String centred(String text, int width) {
    int left = (width - text.length()) / 2;
    return " ".repeat(left) + text + " ".repeat(width - text.length() - left);
  }

  @Override
  public String toString() {
    return graph.name() + (decoder ? " (decoder)" : "") + " over " + steps + " steps";
  }
}
