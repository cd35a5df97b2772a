package io.gatun.graph;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** ONNX Einsum: sums of products over the axes that an equation names, on the host. */
final class EinsumOperator implements HostOperator {
  @Override
  public String type() {
    return "Einsum";
  }

  /**
   * An equation: the labels of each operand's axes and of the result's, an ellipsis' axes as digits
   * counted from the last.
   */
  private record Equation(List<String> operands, String result) {}

  private static Equation parse(Inference inference) {
    String equation = inference.attributes().string("equation", "").replace(" ", "");
    String[] sides = equation.split("->", -1);
    String[] terms = sides[0].split(",", -1);
    if (sides.length > 2 || terms.length != inference.inputs()) {
      throw inference.error("equation '" + equation + "' for " + inference.inputs() + " inputs");
    }
    List<String> operands = new ArrayList<>();
    int widest = 0;
    for (int i = 0; i < terms.length; i++) {
      int hidden = inference.rank(i) - terms[i].replace("...", "").length();
      boolean hides = terms[i].contains("...");
      String plain = terms[i].replaceFirst("\\.\\.\\.", "");
      if (hidden < 0 || (!hides && hidden != 0) || !plain.matches("[A-Za-z]*") || hidden > 9) {
        throw inference.error(
            "term '" + terms[i] + "' of '" + equation + "' for input " + inference.dims(i));
      }
      operands.add(terms[i].replace("...", digits(hidden)));
      widest = Math.max(widest, hidden);
    }
    String result;
    if (sides.length == 2) {
      result = sides[1].replace("...", digits(widest));
    } else {
      // The labels that stand there once, in the order of the alphabet.
      Map<Integer, Integer> counts = new LinkedHashMap<>();
      String.join("", operands)
          .chars()
          .filter(Character::isLetter)
          .forEach(c -> counts.merge(c, 1, Integer::sum));
      StringBuilder once = new StringBuilder(digits(widest));
      new TreeSet<>(counts.keySet())
          .forEach(c -> once.append(counts.get(c) == 1 ? Character.toString(c) : ""));
      result = once.toString();
    }
    return new Equation(operands, result);
  }

  private static String digits(int count) {
    StringBuilder digits = new StringBuilder();
    for (int i = count - 1; i >= 0; i--) {
      digits.append(i);
    }
    return digits.toString();
  }

  @Override
  public void infer(Inference inference) {
    ElementwiseOperators.requireReal(inference);
    Equation equation = parse(inference);
    Map<Character, Dim> sizes = new LinkedHashMap<>();
    for (int i = 0; i < inference.inputs(); i++) {
      String labels = equation.operands.get(i);
      for (int axis = 0; axis < labels.length(); axis++) {
        Dim size = inference.dim(i, axis);
        Dim other = sizes.get(labels.charAt(axis));
        if (other == null || other.equals(Dim.ONE) || (!other.isKnown() && !size.equals(Dim.ONE))) {
          sizes.put(labels.charAt(axis), size);
        } else if (!size.equals(Dim.ONE) && !size.matches(other)) {
          throw inference.error("axis " + labels.charAt(axis) + " is " + size + " and " + other);
        }
      }
    }
    List<Dim> dims = new ArrayList<>();
    for (char label : equation.result.toCharArray()) {
      if (!sizes.containsKey(label)
          || equation.result.indexOf(label) != equation.result.lastIndexOf(label)) {
        throw inference.error("result '" + equation.result + "' of terms " + equation.operands);
      }
      dims.add(sizes.get(label));
    }
    inference.output(inference.type(0), dims);
  }

  @Override
  public void compute(Call call) {
    List<List<Dim>> dims = call.node().inputs().stream().map(Value::dims).toList();
    Equation equation = parse(new Inference(call.node(), dims));
    Map<Character, Long> sizes = new LinkedHashMap<>();
    for (int i = 0; i < call.inputs().length; i++) {
      for (int axis = 0; axis < call.in(i).dims.length; axis++) {
        sizes.merge(
            equation.operands.get(i).charAt(axis), call.in(i).dims[axis], (a, b) -> a == 1 ? b : a);
      }
    }
    StringBuilder summed = new StringBuilder();
    sizes.keySet().forEach(c -> summed.append(equation.result.indexOf(c) < 0 ? c.toString() : ""));
    int operands = call.inputs().length;
    int[][] kept = new int[operands][];
    int[][] gone = new int[operands][];
    for (int i = 0; i < operands; i++) {
      kept[i] = places(call.in(i), equation.operands.get(i), equation.result, sizes);
      gone[i] = places(call.in(i), equation.operands.get(i), summed.toString(), sizes);
    }
    HostArray y = call.out(0);
    for (int i = 0; i < y.count; i++) {
      double sum = 0;
      for (int k = 0; k < gone[0].length; k++) {
        double product = 1;
        for (int operand = 0; operand < operands; operand++) {
          product *= call.in(operand).reals[kept[operand][i] + gone[operand][k]];
        }
        sum += product;
      }
      y.reals[i] = sum;
    }
  }

  /** Where an operand's elements lie as some labels run, the others being 0. */
  private static int[] places(
      HostArray x, String labels, String running, Map<Character, Long> sizes) {
    long[] own = x.strides();
    long[] extent = new long[running.length()];
    long[] strides = new long[running.length()];
    for (int i = 0; i < extent.length; i++) {
      extent[i] = sizes.get(running.charAt(i));
      for (int axis = 0; axis < own.length; axis++) {
        if (labels.charAt(axis) == running.charAt(i) && x.dims[axis] != 1) {
          strides[i] += own[axis];
        }
      }
    }
    return HostArray.places(extent, strides, 0);
  }

  @Override
  public String limits() {
    return "reals only; computed on the host";
  }
}
