package io.gatun.graph;

import io.gatun.tensor.DType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.LongUnaryOperator;

/** Comparisons, logic, bits and choices: element by element, on the host. */
final class ElementOperators {
  private static final Set<DType> BOOL = EnumSet.of(DType.BOOL);
  private static final Set<DType> INTEGERS =
      EnumSet.copyOf(Arrays.stream(DType.values()).filter(DType::isInteger).toList());
  private static final Set<DType> REALS =
      EnumSet.copyOf(Arrays.stream(DType.values()).filter(DType::isFloat).toList());
  private static final Set<DType> NUMBERS = EnumSet.complementOf(EnumSet.of(DType.BOOL));
  private static final Set<DType> ALL = EnumSet.allOf(DType.class);

  private ElementOperators() {}

  static List<Operator> all() {
    List<Operator> list = new ArrayList<>();
    list.add(new Compare("Equal", ALL, (a, i, b, j) -> same(a, i, b, j)));
    list.add(new Compare("Less", NUMBERS, (a, i, b, j) -> less(a, i, b, j)));
    list.add(new Compare("Greater", NUMBERS, (a, i, b, j) -> less(b, j, a, i)));
    list.add(
        new Compare("LessOrEqual", NUMBERS, (a, i, b, j) -> less(a, i, b, j) || same(a, i, b, j)));
    list.add(
        new Compare(
            "GreaterOrEqual", NUMBERS, (a, i, b, j) -> less(b, j, a, i) || same(a, i, b, j)));
    list.add(new Whole("And", BOOL, (a, b, call) -> a & b));
    list.add(new Whole("Or", BOOL, (a, b, call) -> a | b));
    list.add(new Whole("Xor", BOOL, (a, b, call) -> a ^ b));
    list.add(new Whole("BitwiseAnd", INTEGERS, (a, b, call) -> a & b));
    list.add(new Whole("BitwiseOr", INTEGERS, (a, b, call) -> a | b));
    list.add(new Whole("BitwiseXor", INTEGERS, (a, b, call) -> a ^ b));
    list.add(new Whole("BitShift", INTEGERS, ElementOperators::shifted));
    list.add(new Mod());
    list.add(new Where());
    list.add(new WholeMap("Not", BOOL, x -> 1 - x));
    list.add(new WholeMap("BitwiseNot", INTEGERS, x -> ~x));
    list.add(new Map("IsNaN", REALS, DType.BOOL, (x, i, call) -> Double.isNaN(x.reals[i]) ? 1 : 0));
    list.add(new Map("IsInf", REALS, DType.BOOL, ElementOperators::infinite));
    list.add(new Map("Shrink", NUMBERS, null, ElementOperators::shrunk));
    return list;
  }

  private static boolean same(HostArray a, int i, HostArray b, int j) {
    return a.reals != null ? a.reals[i] == b.reals[j] : a.wholes[i] == b.wholes[j];
  }

  private static boolean less(HostArray a, int i, HostArray b, int j) {
    return a.reals != null ? a.reals[i] < b.reals[j] : a.compare(i, b, j) < 0;
  }

  private static long shifted(long a, long b, HostOperator.Call call) {
    if (b < 0 || b > 63) {
      return 0;
    }
    return call.attributes().string("direction", "").equals("LEFT") ? a << b : a >>> b;
  }

  private static double infinite(HostArray x, int i, HostOperator.Call call) {
    double value = x.reals[i];
    boolean counts =
        call.attributes().integer(value > 0 ? "detect_positive" : "detect_negative", 1) != 0;
    return Double.isInfinite(value) && counts ? 1 : 0;
  }

  private static double shrunk(HostArray x, int i, HostOperator.Call call) {
    double value = x.real(i);
    double edge = call.attributes().real("lambd", 0.5f);
    double bias = call.attributes().real("bias", 0);
    return value < -edge ? value + bias : value > edge ? value - bias : 0;
  }

  static void require(Inference inference, int input, Set<DType> types) {
    if (!types.contains(inference.type(input))) {
      throw inference.error(
          inference.node().operator().type()
              + " of "
              + inference.type(input).label()
              + ", expected one of "
              + types.stream().map(DType::label).toList());
    }
  }

  /** Any type but bool. */
  static void requireNumbers(Inference inference, int input) {
    require(inference, input, NUMBERS);
  }

  /** Two inputs of one type that are repeated to one shape. */
  private static void inferPair(Inference inference, Set<DType> types, DType result) {
    require(inference, 0, types);
    if (inference.type(0) != inference.type(1)
        && !(inference.type(0).isFloat() && inference.type(1).isFloat())) {
      throw inference.error(
          inference.node().operator().type()
              + " of "
              + inference.type(0).label()
              + " and "
              + inference.type(1).label());
    }
    inference.output(
        result == null ? inference.type(0) : result,
        inference.broadcast(inference.dims(0), inference.dims(1)));
  }

  private interface Relation {
    boolean holds(HostArray a, int i, HostArray b, int j);
  }

  /** A relation of two numbers; with NaN none holds. */
  private record Compare(String type, Set<DType> types, Relation relation) implements HostOperator {
    @Override
    public void infer(Inference inference) {
      inferPair(inference, types, DType.BOOL);
    }

    @Override
    public void compute(Call call) {
      HostArray out = call.out(0);
      HostArray a = call.in(0);
      HostArray b = call.in(1);
      int[] left = a.repeated(out.dims);
      int[] right = b.repeated(out.dims);
      for (int i = 0; i < out.count; i++) {
        out.wholes[i] = relation.holds(a, left[i], b, right[i]) ? 1 : 0;
      }
    }
  }

  private interface WholeFunction {
    long of(long a, long b, HostOperator.Call call);
  }

  /** A function of two truth values or whole numbers. */
  private record Whole(String type, Set<DType> types, WholeFunction function)
      implements HostOperator {
    @Override
    public void infer(Inference inference) {
      inferPair(inference, types, null);
      String direction = inference.attributes().string("direction", "");
      if (type.equals("BitShift") && !direction.equals("LEFT") && !direction.equals("RIGHT")) {
        throw inference.error("direction is '" + direction + "', expected LEFT or RIGHT");
      }
    }

    @Override
    public void compute(Call call) {
      HostArray out = call.out(0);
      int[] left = call.in(0).repeated(out.dims);
      int[] right = call.in(1).repeated(out.dims);
      for (int i = 0; i < out.count; i++) {
        out.wholes[i] = function.of(call.in(0).wholes[left[i]], call.in(1).wholes[right[i]], call);
      }
    }
  }

  /** A function of one truth value or whole number. */
  private record WholeMap(String type, Set<DType> types, LongUnaryOperator function)
      implements HostOperator {
    @Override
    public void infer(Inference inference) {
      require(inference, 0, types);
      inference.output(inference.type(0), inference.dims(0));
    }

    @Override
    public void compute(Call call) {
      Arrays.setAll(call.out(0).wholes, i -> function.applyAsLong(call.in(0).wholes[i]));
    }
  }

  private interface Function {
    double of(HostArray x, int i, HostOperator.Call call);
  }

  /** A function of one element; {@code result} is {@code null} where it keeps the type. */
  private record Map(String type, Set<DType> types, DType result, Function function)
      implements HostOperator {
    @Override
    public void infer(Inference inference) {
      require(inference, 0, types);
      inference.output(result == null ? inference.type(0) : result, inference.dims(0));
    }

    @Override
    public void compute(Call call) {
      for (int i = 0; i < call.out(0).count; i++) {
        call.out(0).set(i, function.of(call.in(0), i, call));
      }
    }
  }

  /** The remainder: with {@code fmod} of the dividend's sign, else of the divisor's. */
  private record Mod() implements HostOperator {
    @Override
    public String type() {
      return "Mod";
    }

    @Override
    public void infer(Inference inference) {
      inferPair(inference, NUMBERS, null);
      if (inference.type(0).isFloat() && inference.attributes().integer("fmod", 0) == 0) {
        throw inference.error("Mod of reals with fmod 0, expected fmod 1");
      }
    }

    @Override
    public void compute(Call call) {
      HostArray out = call.out(0);
      HostArray a = call.in(0);
      HostArray b = call.in(1);
      int[] left = a.repeated(out.dims);
      int[] right = b.repeated(out.dims);
      boolean truncated = call.attributes().integer("fmod", 0) != 0;
      for (int i = 0; i < out.count; i++) {
        if (out.reals != null) {
          out.reals[i] = a.reals[left[i]] % b.reals[right[i]];
          continue;
        }
        long x = a.wholes[left[i]];
        long y = b.wholes[right[i]];
        if (y == 0) {
          throw new ArithmeticException(
              call.node().name() + ": the remainder of " + x + " divided by 0");
        }
        out.wholes[i] =
            out.unsigned() ? Long.remainderUnsigned(x, y) : truncated ? x % y : Math.floorMod(x, y);
      }
    }
  }

  /** The second input where the first is true, else the third. */
  private record Where() implements HostOperator {
    @Override
    public String type() {
      return "Where";
    }

    @Override
    public void infer(Inference inference) {
      require(inference, 0, BOOL);
      DType left = inference.type(1);
      DType right = inference.type(2);
      if (left != right && !(left.isFloat() && right.isFloat())) {
        throw inference.error("Where of " + left.label() + " and " + right.label());
      }
      inference.output(
          left,
          inference.broadcast(
              inference.dims(0), inference.broadcast(inference.dims(1), inference.dims(2))));
    }

    @Override
    public void differentiate(Differentiation d) {
      Value zero = d.add("Sub", Attributes.NONE, d.gradient(0), d.gradient(0));
      if (d.wanted(1)) {
        Value taken = d.add("Where", Attributes.NONE, d.input(0), d.gradient(0), zero);
        d.give(1, d.summedTo(taken, d.input(1)));
      }
      if (d.wanted(2)) {
        Value taken = d.add("Where", Attributes.NONE, d.input(0), zero, d.gradient(0));
        d.give(2, d.summedTo(taken, d.input(2)));
      }
    }

    @Override
    public void compute(Call call) {
      HostArray out = call.out(0);
      int[] condition = call.in(0).repeated(out.dims);
      int[] left = call.in(1).repeated(out.dims);
      int[] right = call.in(2).repeated(out.dims);
      for (int i = 0; i < out.count; i++) {
        boolean first = call.in(0).wholes[condition[i]] != 0;
        out.copy(i, call.in(first ? 1 : 2), first ? left[i] : right[i]);
      }
    }
  }
}
