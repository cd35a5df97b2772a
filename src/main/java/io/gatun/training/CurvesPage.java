package io.gatun.training;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.ToDoubleFunction;

/** The curves of a training as one HTML page that needs nothing else. Stateless. */
final class CurvesPage {
  private static final int WIDTH = 760;
  private static final int HEIGHT = 260;
  private static final int MARGIN = 60;

  private CurvesPage() {}

  /** Writes the page, whole or not at all. */
  static void write(Path file, String name, String metric, History history) throws IOException {
    Path temporary = file.resolveSibling("." + file.getFileName() + ".tmp");
    Files.writeString(temporary, page(name, metric, history.points()));
    Files.move(temporary, file, StandardCopyOption.REPLACE_EXISTING);
  }

  private static String page(String name, String metric, List<History.Point> points) {
    StringBuilder html = new StringBuilder();
    html.append("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>")
        .append(escaped(name))
        .append("</title><style>body{font:15px sans-serif;margin:2em auto;max-width:820px}")
        .append("svg{width:100%;height:auto}table{border-collapse:collapse}")
        .append("td,th{padding:.2em .8em;text-align:right}")
        .append("polyline{fill:none;stroke:#06c;stroke-width:2}line{stroke:#ccc}")
        .append("text{font-size:12px;fill:#555}</style></head><body><h1>")
        .append(escaped(name))
        .append("</h1>\n");
    chart(html, "training loss", points, History.Point::loss);
    Set<String> metrics = new LinkedHashSet<>(List.of(metric));
    points.forEach(point -> metrics.addAll(point.metrics().keySet()));
    for (String each : metrics) {
      if (points.stream().allMatch(point -> point.metrics().containsKey(each))) {
        chart(html, "validation: " + each, points, point -> point.metrics().get(each));
      }
    }
    chart(html, "learning rate", points, History.Point::rate);
    table(html, metrics, points);
    return html.append("</body></html>\n").toString();
  }

  private static void chart(
      StringBuilder html,
      String title,
      List<History.Point> points,
      ToDoubleFunction<History.Point> figure) {
    if (points.isEmpty()) {
      return;
    }
    double least = points.stream().mapToDouble(figure).min().orElse(0);
    double most = points.stream().mapToDouble(figure).max().orElse(1);
    double span = most > least ? most - least : 1;
    double last = Math.max(1, points.get(points.size() - 1).step());
    List<String> line = new ArrayList<>();
    for (History.Point point : points) {
      double x = MARGIN + (WIDTH - MARGIN - 10) * point.step() / last;
      double y = 10 + (HEIGHT - 40) * (most - figure.applyAsDouble(point)) / span;
      line.add(String.format(Locale.ROOT, "%.1f,%.1f", x, y));
    }
    html.append("<h2>").append(escaped(title)).append("</h2>\n");
    html.append(
        String.format(
            Locale.ROOT,
            "<svg viewBox=\"0 0 %d %d\"><line x1=\"%d\" y1=\"10\" x2=\"%d\" y2=\"10\"/>"
                + "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>"
                + "<text x=\"0\" y=\"15\">%.4g</text><text x=\"0\" y=\"%d\">%.4g</text>"
                + "<text x=\"%d\" y=\"%d\">step %.0f</text>"
                + "<polyline points=\"%s\"/></svg>%n",
            WIDTH,
            HEIGHT,
            MARGIN,
            WIDTH - 10,
            MARGIN,
            HEIGHT - 30,
            WIDTH - 10,
            HEIGHT - 30,
            most,
            HEIGHT - 25,
            least,
            WIDTH - 90,
            HEIGHT - 8,
            last,
            String.join(" ", line)));
  }

  private static void table(StringBuilder html, Set<String> metrics, List<History.Point> points) {
    html.append("<h2>numbers</h2>\n<table><tr><th>step</th><th>epoch</th><th>seconds</th>")
        .append("<th>loss</th>");
    metrics.forEach(each -> html.append("<th>").append(escaped(each)).append("</th>"));
    html.append("</tr>\n");
    for (History.Point point : points) {
      html.append(
          String.format(
              Locale.ROOT,
              "<tr><td>%d</td><td>%d</td><td>%.0f</td><td>%.5f</td>",
              point.step(),
              point.epoch(),
              point.seconds(),
              point.loss()));
      for (String each : metrics) {
        Double figure = point.metrics().get(each);
        html.append("<td>")
            .append(figure == null ? "" : String.format(Locale.ROOT, "%.5f", figure))
            .append("</td>");
      }
      html.append("</tr>\n");
    }
    html.append("</table>\n");
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\"", "&quot;");
  }
}
