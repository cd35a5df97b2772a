package io.gatun.cli;

import java.util.List;
import java.util.Map;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ScopeType;

/**
 * An option or a parameter of a command: what {@code --help} says of it and, once the command line
 * has been read, its value.
 *
 * <p>These are declared by code and not by picocli's annotations because each run of the command
 * would read all of them by reflection, a tenth of a second of code that runs once. A command has
 * them as fields, in the order of its help.
 *
 * @param <T> the type of the value
 */
final class Argument<T> {
  /** What an option is made of until it is a command's; null for a parameter. */
  private final OptionSpec.Builder option;

  private ArgSpec spec;

  /** The value where none is given; may be null. */
  private T otherwise;

  private Argument(OptionSpec.Builder option, ArgSpec spec, T otherwise) {
    this.option = option;
    this.spec = spec;
    this.otherwise = otherwise;
  }

  /**
   * An option that is there or not.
   *
   * @param names its names, with commas between
   */
  static Argument<Boolean> flag(String names, String description) {
    return new Argument<>(builder(names, description).type(boolean.class), null, false);
  }

  /**
   * An option with a value, which is null where none is given, if nothing else is said.
   *
   * @param names its names, with commas between
   * @param label what stands for the value in the help
   */
  static <T> Argument<T> option(Class<T> type, String names, String label, String description) {
    return new Argument<>(builder(names, description).paramLabel(label).type(type), null, null);
  }

  /** An option that may be given several times; an empty list where it is not. */
  static <T> Argument<List<T>> options(
      Class<T> type, String names, String label, String description) {
    OptionSpec.Builder builder = builder(names, description).paramLabel(label);
    return new Argument<>(builder.type(List.class).auxiliaryTypes(type), null, List.of());
  }

  /** An option {@code KEY=VALUE} that may be given several times; an empty map where it is not. */
  static <K, V> Argument<Map<K, V>> entries(
      Class<K> key, Class<V> value, String names, String label, String description) {
    OptionSpec.Builder builder = builder(names, description).paramLabel(label);
    return new Argument<>(builder.type(Map.class).auxiliaryTypes(key, value), null, Map.of());
  }

  private static OptionSpec.Builder builder(String names, String description) {
    return OptionSpec.builder(names.split(",")).description(description);
  }

  /**
   * A parameter, which is an argument that is known by its place.
   *
   * @param index its place, from 0
   * @param arity {@code 1} if it has to be there, {@code 0..1} if not
   * @param label what stands for it in the help
   */
  static <T> Argument<T> parameter(
      Class<T> type, int index, String arity, String label, String... description) {
    PositionalParamSpec.Builder builder = builder(Integer.toString(index), arity, label);
    builder.type(type).description(description).required(arity.equals("1"));
    return new Argument<>(null, builder.build(), null);
  }

  /** All parameters from a place on; an empty list where there are none. */
  static <T> Argument<List<T>> parameters(
      Class<T> type, int first, String label, String description) {
    PositionalParamSpec.Builder builder = builder(first + "..*", "0..*", label);
    builder.type(List.class).auxiliaryTypes(type).description(description);
    return new Argument<>(null, builder.build(), List.of());
  }

  private static PositionalParamSpec.Builder builder(String index, String arity, String label) {
    return PositionalParamSpec.builder().index(index).arity(arity).paramLabel(label);
  }

  /** What is taken, as if it had been written, where the option is not given. */
  Argument<T> by(String text) {
    option.defaultValue(text);
    return this;
  }

  /** The value where the option is not given. */
  Argument<T> or(T value) {
    otherwise = value;
    return this;
  }

  /** The command line is wrong without it. */
  Argument<T> required() {
    option.required(true);
    return this;
  }

  /** Several values may be given at once, with commas between. */
  Argument<T> split() {
    option.splitRegex(",");
    return this;
  }

  /** How the value is read, and what it may be. */
  Argument<T> read(ITypeConverter<T> converter, Iterable<String> candidates) {
    option.converters(converter).completionCandidates(candidates);
    return this;
  }

  /** All subcommands have it, too. */
  Argument<T> everywhere() {
    option.scopeType(ScopeType.INHERIT);
    return this;
  }

  /** Makes it an argument of a command, after those that it has. */
  Argument<T> in(CommandSpec command) {
    if (option != null) {
      spec = option.build();
    }
    command.add(spec);
    return this;
  }

  /** Makes arguments those of a command, in this order. */
  static void add(CommandSpec command, Argument<?>... arguments) {
    for (Argument<?> each : arguments) {
      each.in(command);
    }
  }

  /** The value, once the command line has been read. */
  T get() {
    T value = spec.getValue();
    return value == null ? otherwise : value;
  }
}
