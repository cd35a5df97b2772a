package io.gatun.representation;

import io.gatun.graph.Graph;
import io.gatun.graph.Names;
import io.gatun.graph.Value;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/** Finds the values of a network that names and patterns mean. Stateless. */
public final class Selection {
  private Selection() {}

  /**
   * The values that are meant: each word is a name, or a pattern in which {@code *} stands for any
   * characters and {@code ?} for one. Weights are no representations and are not found by patterns.
   *
   * @param graph the network
   * @param words names and patterns
   * @return in the order of the words, and for a pattern in that of the network; none twice
   * @throws IllegalArgumentException if a name is unknown or a pattern fits nothing, with what
   *     comes close
   */
  public static List<Value> of(Graph graph, Collection<String> words) {
    Set<Value> found = new LinkedHashSet<>();
    List<Value> all =
        graph.values().values().stream().filter(value -> value.constant() == null).toList();
    for (String word : words) {
      Value exact = graph.values().get(word);
      if (exact != null) {
        found.add(exact);
        continue;
      }
      boolean isPattern = word.indexOf('*') >= 0 || word.indexOf('?') >= 0;
      if (!isPattern) {
        graph.value(word); // says what comes close
      }
      Pattern pattern = pattern(word);
      int before = found.size();
      boolean any = false;
      for (Value value : all) {
        if (pattern.matcher(value.name()).matches()) {
          any = true;
          found.add(value);
        }
      }
      if (!any && found.size() == before) {
        String plain = word.replace("*", "").replace("?", "");
        throw new IllegalArgumentException(
            "network "
                + graph.name()
                + " has no value that fits "
                + word
                + "; "
                + Names.suggest(plain, all.stream().map(Value::name).toList()));
      }
    }
    return List.copyOf(found);
  }

  /**
   * Finds representations of examples: a name means that very value, a pattern what fits it and is
   * something for each example.
   *
   * @return each once, in the order in which they were asked for
   * @throws IllegalArgumentException if a name is unknown or means nothing for each example, or
   *     nothing is left
   */
  public static List<Value> of(Feed feed, Collection<String> words) {
    List<Value> found = of(feed.graph(), words);
    List<Value> usable = new ArrayList<>();
    for (Value value : found) {
      try {
        Axes.of(value, feed);
        usable.add(value);
      } catch (IllegalArgumentException e) {
        if (words.contains(value.name())) {
          throw e;
        }
      }
    }
    if (usable.isEmpty()) {
      throw new IllegalArgumentException(
          "network "
              + feed.graph().name()
              + ": none of "
              + found.stream().map(Value::name).toList()
              + " is a representation of an example");
    }
    return usable;
  }

  private static Pattern pattern(String word) {
    StringBuilder regex = new StringBuilder();
    for (int i = 0; i < word.length(); i++) {
      char each = word.charAt(i);
      regex.append(each == '*' ? ".*" : each == '?' ? "." : Pattern.quote(String.valueOf(each)));
    }
    return Pattern.compile(regex.toString());
  }

  /**
   * The path of representations: the real inputs, and of each layer the value that it hands on. A
   * layer begins where a node has weights, pools or joins what came before, and ends before the
   * next one; what only looks at a value in another way is not another representation.
   *
   * @return from the input to the output
   */
  public static List<Value> path(Graph graph) {
    return PathOfValues.of(graph);
  }
}
