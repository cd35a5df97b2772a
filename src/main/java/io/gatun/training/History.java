package io.gatun.training;

import io.gatun.format.Json;
import io.gatun.format.JsonText;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What each validation found, for the curves and for a resume. Not thread-safe. */
final class History {
  /** A validation. */
  record Point(
      long step,
      int epoch,
      double loss,
      double rate,
      double seconds,
      Map<String, Double> metrics) {}

  private final List<Point> points = new ArrayList<>();

  void add(Point point) {
    points.add(point);
  }

  List<Point> points() {
    return points;
  }

  String toJson() {
    List<Object> list = new ArrayList<>();
    for (Point point : points) {
      Map<String, Object> json = new LinkedHashMap<>();
      json.put("step", point.step());
      json.put("epoch", point.epoch());
      json.put("loss", point.loss());
      json.put("rate", point.rate());
      json.put("seconds", point.seconds());
      json.put("metrics", point.metrics());
      list.add(json);
    }
    return JsonText.of(list);
  }

  static History of(String text) {
    History history = new History();
    for (Json each : Json.parse("history", text).items()) {
      Json.Fields fields = each.fields();
      Map<String, Double> metrics = new LinkedHashMap<>();
      fields.require("metrics").members().forEach((key, value) -> metrics.put(key, value.number()));
      history.add(
          new Point(
              fields.require("step").integer(0, Long.MAX_VALUE),
              fields.require("epoch").integer(0),
              fields.require("loss").number(),
              fields.require("rate").number(),
              fields.require("seconds").number(),
              metrics));
    }
    return history;
  }
}
