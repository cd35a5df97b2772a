package io.gatun.format;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Validates JSON against a JSON schema (draft 2020-12), as far as {@code docs/model.schema.json}
 * uses it. A keyword that is not known here is an error, so that none is passed over.
 */
final class JsonSchema {
  private static final Set<String> SILENT = Set.of("$schema", "$defs", "title", "description");

  private final Json root;

  JsonSchema(Json root) {
    this.root = root;
  }

  /** What is wrong; empty if nothing is. */
  List<String> problems(Json value) {
    List<String> problems = new ArrayList<>();
    check(root, value, problems);
    return problems;
  }

  private boolean fits(Json schema, Json value) {
    List<String> problems = new ArrayList<>();
    check(schema, value, problems);
    return problems.isEmpty();
  }

  private void check(Json schema, Json value, List<String> problems) {
    schema
        .members()
        .forEach(
            (keyword, argument) -> {
              if (!SILENT.contains(keyword) && !holds(keyword, argument, schema, value, problems)) {
                problems.add(value.path() + " (line " + value.line() + "): " + keyword);
              }
            });
  }

  private boolean holds(
      String keyword, Json argument, Json schema, Json value, List<String> problems) {
    Json.Kind kind = value.kind();
    return switch (keyword) {
      case "$ref" -> {
        String name = argument.string().substring("#/$defs/".length());
        check(root.members().get("$defs").members().get(name), value, problems);
        yield true;
      }
      case "type" ->
          argument.kind() == Json.Kind.STRING
              ? isType(argument.string(), value)
              : argument.strings().stream().anyMatch(type -> isType(type, value));
      case "const" -> same(argument, value);
      case "enum" -> argument.items().stream().anyMatch(item -> same(item, value));
      case "anyOf" -> argument.items().stream().anyMatch(each -> fits(each, value));
      case "oneOf" -> argument.items().stream().filter(each -> fits(each, value)).count() == 1;
      case "not" -> !fits(argument, value);
      case "required" ->
          kind != Json.Kind.OBJECT || value.members().keySet().containsAll(argument.strings());
      case "properties" -> {
        if (kind == Json.Kind.OBJECT) {
          for (Map.Entry<String, Json> member : value.members().entrySet()) {
            Json property = argument.members().get(member.getKey());
            if (property != null) {
              check(property, member.getValue(), problems);
            }
          }
        }
        yield true;
      }
      case "additionalProperties" ->
          kind != Json.Kind.OBJECT || additional(argument, schema, value);
      case "items" -> {
        if (kind == Json.Kind.ARRAY) {
          value.items().forEach(item -> check(argument, item, problems));
        }
        yield true;
      }
      case "minItems" -> kind != Json.Kind.ARRAY || value.items().size() >= argument.integer(0);
      case "uniqueItems" -> kind != Json.Kind.ARRAY || unique(value);
      case "minProperties" ->
          kind != Json.Kind.OBJECT || value.members().size() >= argument.integer(0);
      case "minLength" ->
          kind != Json.Kind.STRING || value.string().length() >= argument.integer(0);
      case "pattern" ->
          kind != Json.Kind.STRING
              || Pattern.compile(argument.string()).matcher(value.string()).find();
      case "minimum" -> kind != Json.Kind.NUMBER || value.number() >= argument.number();
      case "maximum" -> kind != Json.Kind.NUMBER || value.number() <= argument.number();
      case "exclusiveMinimum" -> kind != Json.Kind.NUMBER || value.number() > argument.number();
      case "exclusiveMaximum" -> kind != Json.Kind.NUMBER || value.number() < argument.number();
      default -> throw new AssertionError("the schema uses " + keyword);
    };
  }

  private boolean additional(Json argument, Json schema, Json value) {
    Json properties = schema.members().get("properties");
    for (Map.Entry<String, Json> member : value.members().entrySet()) {
      boolean known = properties != null && properties.members().containsKey(member.getKey());
      boolean allowed =
          argument.kind() == Json.Kind.BOOLEAN
              ? argument.bool()
              : fits(argument, member.getValue());
      if (!known && !allowed) {
        return false;
      }
    }
    return true;
  }

  private static boolean unique(Json array) {
    Set<String> seen = new HashSet<>();
    return array.items().stream()
        .filter(item -> item.kind() == Json.Kind.STRING)
        .allMatch(item -> seen.add(item.string()));
  }

  private static boolean isType(String type, Json value) {
    return switch (type) {
      case "object" -> value.kind() == Json.Kind.OBJECT;
      case "array" -> value.kind() == Json.Kind.ARRAY;
      case "string" -> value.kind() == Json.Kind.STRING;
      case "number" -> value.kind() == Json.Kind.NUMBER;
      case "integer" ->
          value.kind() == Json.Kind.NUMBER && value.number() == Math.rint(value.number());
      case "boolean" -> value.kind() == Json.Kind.BOOLEAN;
      case "null" -> value.kind() == Json.Kind.NULL;
      default -> throw new AssertionError("the schema has a type " + type);
    };
  }

  private static boolean same(Json expected, Json value) {
    return expected.kind() == Json.Kind.STRING
        && value.kind() == Json.Kind.STRING
        && expected.string().equals(value.string());
  }
}
