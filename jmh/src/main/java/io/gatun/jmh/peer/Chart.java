package io.gatun.jmh.peer;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A picture of ratios: one bar a measurement, on a logarithmic axis around 1. */
final class Chart {
  private static final int LEFT = 190;
  private static final int WIDTH = 620;
  private static final int BAR = 9;
  private static final int GAP = 8;
  private static final int TOP = 50;
  private static final double LEAST = 0.25;
  private static final double MOST = 4;
  private static final double[] MARKS = {0.25, 0.5, 1, 2, 4};
  private static final String[] COLOURS = {"#3b6ea5", "#d9822b", "#5b9a68", "#8a5ca0"};

  private record Bar(String group, String problem, int threads, double ratio) {}

  private final List<Bar> bars = new ArrayList<>();

  /** Adds a bar; those of one group and problem stand together. */
  void bar(String group, String problem, int threads, double ratio) {
    bars.add(new Bar(group, problem, threads, ratio));
  }

  /** The picture. */
  String svg() {
    StringBuilder body = new StringBuilder();
    int y = TOP;
    String before = "";
    List<Integer> threads = bars.stream().map(Bar::threads).distinct().sorted().toList();
    for (Bar bar : bars) {
      String label = bar.group + " " + bar.problem;
      if (!label.equals(before)) {
        y += GAP;
        text(body, LEFT - 8, y + BAR, "end", label);
        before = label;
      }
      double from = Math.min(at(1), at(bar.ratio));
      double to = Math.max(at(1), at(bar.ratio));
      body.append(
          String.format(
              Locale.ROOT,
              "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>%n",
              from,
              y,
              Math.max(1, to - from),
              BAR - 1,
              colour(threads, bar.threads)));
      text(body, (int) to + 4, y + BAR - 1, "start", String.format(Locale.ROOT, "%.2f", bar.ratio));
      y += BAR;
    }
    int height = y + 2 * GAP;
    StringBuilder svg = new StringBuilder();
    svg.append(
        String.format(
            Locale.ROOT,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\""
                + " font-family=\"sans-serif\" font-size=\"10\">%n"
                + "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>%n",
            LEFT + WIDTH + 60,
            height));
    text(svg, LEFT, 16, "start", "How many times as fast as the fastest other; 1 is as fast");
    int x = LEFT;
    for (int count : threads) {
      svg.append(
          String.format(
              Locale.ROOT,
              "<rect x=\"%d\" y=\"24\" width=\"9\" height=\"9\" fill=\"%s\"/>%n",
              x,
              colour(threads, count)));
      text(svg, x + 13, 32, "start", count == 1 ? "1 thread" : count + " threads");
      x += 80;
    }
    for (double mark : MARKS) {
      svg.append(
          String.format(
              Locale.ROOT,
              "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"%s\"/>%n",
              at(mark),
              at(mark),
              TOP,
              height - GAP,
              mark == 1 ? "#444" : "#ddd"));
      text(
          svg,
          (int) at(mark),
          TOP - 3,
          "middle",
          mark == Math.rint(mark) ? "" + (int) mark : "" + mark);
    }
    return svg.append(body).append("</svg>\n").toString();
  }

  private static double at(double ratio) {
    double within = Math.max(LEAST, Math.min(MOST, ratio));
    return LEFT + WIDTH * Math.log(within / LEAST) / Math.log(MOST / LEAST);
  }

  private static String colour(List<Integer> threads, int count) {
    return COLOURS[threads.indexOf(count) % COLOURS.length];
  }

  private static void text(StringBuilder out, int x, int y, String anchor, String text) {
    out.append(
        String.format(
            Locale.ROOT,
            "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\" fill=\"#222\">%s</text>%n",
            x,
            y,
            anchor,
            text));
  }
}
