package io.gatun.graph;

import io.gatun.kernel.Activation;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The settings of a {@link Node}, named and typed as ONNX does: integers ({@code long}), floats
 * ({@code float}), strings, and lists of each. Immutable.
 */
public final class Attributes {
  /** No settings. */
  public static final Attributes NONE = new Attributes(Map.of());

  private final Map<String, Object> values;

  private Attributes(Map<String, Object> values) {
    this.values = values;
  }

  /**
   * Settings from names and values in turn: whole numbers, floats, strings, {@code long[]}, {@code
   * float[]}, lists of strings, constants, graphs. A {@code null} value leaves the setting out.
   *
   * @throws IllegalArgumentException if a name has no value, or a value is of none of these types
   */
  public static Attributes of(Object... namesAndValues) {
    if (namesAndValues.length % 2 != 0) {
      throw new IllegalArgumentException(
          namesAndValues.length + " names and values, expected a value for each name");
    }
    Map<String, Object> values = new LinkedHashMap<>();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      Object value = namesAndValues[i + 1];
      if (value != null) {
        values.put((String) namesAndValues[i], normal(value));
      }
    }
    return new Attributes(values);
  }

  /**
   * These settings and the activations of a recurrent node: {@code activations} and the lists
   * {@code activation_alpha} and {@code activation_beta} of those that have such parameters.
   */
  public Attributes withActivations(List<Activation> activations) {
    List<String> names = new ArrayList<>();
    float[] alphas = new float[activations.size()];
    float[] betas = new float[activations.size()];
    int alpha = 0;
    int beta = 0;
    for (Activation activation : activations) {
      names.add(activation.kind().name());
      if (RecurrentOperator.WITH_ALPHA.contains(activation.kind())) {
        alphas[alpha++] = activation.alpha();
      }
      if (RecurrentOperator.WITH_BETA.contains(activation.kind())) {
        betas[beta++] = activation.beta();
      }
    }
    Map<String, Object> all = new LinkedHashMap<>(values);
    all.put("activations", List.copyOf(names));
    all.put("activation_alpha", Arrays.copyOf(alphas, alpha));
    all.put("activation_beta", Arrays.copyOf(betas, beta));
    return new Attributes(all);
  }

  /** These settings without one of them. */
  Attributes without(String name) {
    if (!values.containsKey(name)) {
      return this;
    }
    Map<String, Object> others = new LinkedHashMap<>(values);
    others.remove(name);
    return new Attributes(others);
  }

  private static Object normal(Object value) {
    if (value instanceof Boolean flag) {
      return flag ? 1L : 0L;
    }
    if (value instanceof Integer || value instanceof Long) {
      return ((Number) value).longValue();
    }
    if (value instanceof Float || value instanceof Double) {
      return ((Number) value).floatValue();
    }
    if (value instanceof int[] ints) {
      return Arrays.stream(ints).asLongStream().toArray();
    }
    if (value instanceof long[] longs) {
      return longs.clone();
    }
    if (value instanceof float[] floats) {
      return floats.clone();
    }
    if (value instanceof List<?> list) {
      return List.copyOf(list);
    }
    if (value instanceof String || value instanceof Constant || value instanceof Graph) {
      return value;
    }
    throw new IllegalArgumentException("an attribute of type " + value.getClass().getName());
  }

  /** The names of the settings. */
  public Set<String> names() {
    return values.keySet();
  }

  /**
   * A setting as it was given: {@code Long}, {@code Float}, {@code String}, {@code long[]}, {@code
   * float[]}, a list of strings, {@link Constant} or {@link Graph}; {@code null} if it is not
   * there.
   */
  public Object value(String name) {
    Object value = values.get(name);
    return value instanceof long[] longs
        ? longs.clone()
        : value instanceof float[] floats ? floats.clone() : value;
  }

  /** Whether the setting is there. */
  public boolean has(String name) {
    return values.containsKey(name);
  }

  /** An integer, or the default. */
  public long integer(String name, long otherwise) {
    return (Long) get(name, Long.class, otherwise);
  }

  /** A float, or the default. */
  public float real(String name, float otherwise) {
    return (Float) get(name, Float.class, otherwise);
  }

  /** A string, or the default. */
  public String string(String name, String otherwise) {
    return (String) get(name, String.class, otherwise);
  }

  /** A list of integers, which may be given as one integer, or the default. */
  public long[] integers(String name, long... otherwise) {
    if (values.get(name) instanceof Long single) {
      return new long[] {single};
    }
    return ((long[]) get(name, long[].class, otherwise)).clone();
  }

  /** A list of floats; empty if it is not there. */
  public float[] reals(String name) {
    return ((float[]) get(name, float[].class, new float[0])).clone();
  }

  /** A list of strings; empty if it is not there. */
  public List<String> strings(String name) {
    return ((List<?>) get(name, List.class, List.of())).stream().map(String.class::cast).toList();
  }

  /** A tensor, or {@code null}. */
  public Constant constant(String name) {
    return (Constant) get(name, Constant.class, null);
  }

  /** A graph, or {@code null}. */
  public Graph graph(String name) {
    return (Graph) get(name, Graph.class, null);
  }

  private Object get(String name, Class<?> type, Object otherwise) {
    Object value = values.get(name);
    if (value == null) {
      return otherwise;
    }
    if (!type.isInstance(value)) {
      throw new IllegalArgumentException(
          "attribute " + name + " is " + this + ", expected " + type.getSimpleName());
    }
    return value;
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder();
    values.forEach(
        (name, value) ->
            text.append(text.isEmpty() ? "" : ", ")
                .append(name)
                .append('=')
                .append(
                    value instanceof long[] longs
                        ? Arrays.toString(longs)
                        : value instanceof float[] floats ? Arrays.toString(floats) : value));
    return text.toString();
  }
}
