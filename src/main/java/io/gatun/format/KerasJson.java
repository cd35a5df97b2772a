package io.gatun.format;

import java.util.List;
import java.util.Optional;

/** What every description of a Keras layer has, in all versions. */
final class KerasJson {
  private KerasJson() {}

  /** The class of a layer, without the package that Keras may register it under. */
  static String className(Json layer) {
    String name = layer.fields().string("class_name");
    return name.substring(name.lastIndexOf('>') + 1);
  }

  /** The settings of a layer. */
  static Json.Fields config(Json layer) {
    return layer.fields().require("config").fields();
  }

  /** The name of a layer. */
  static String name(Json layer) {
    Json.Fields fields = layer.fields();
    Optional<Json> outer = fields.find("name");
    return outer.isPresent() ? outer.get().string() : config(layer).string("name");
  }

  /** Whether a layer is a model of layers. */
  static boolean isModel(Json layer) {
    return switch (className(layer)) {
      case "Sequential", "Functional", "Model" -> true;
      default -> false;
    };
  }

  /** The layers of a model, in order. */
  static List<Json> layers(Json model) {
    Json config = model.fields().require("config");
    return config.kind() == Json.Kind.ARRAY
        ? config.items()
        : config.fields().require("layers").items();
  }
}
