package io.gatun.jmh.peer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OrtException;
import io.gatun.format.OnnxModel;
import io.gatun.graph.Attributes;
import io.gatun.graph.Execution;
import io.gatun.graph.Graph;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.kernel.Device;
import io.gatun.kernel.Devices;
import io.gatun.kernel.scalar.ScalarDevice;
import io.gatun.tensor.DType;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random networks as ONNX files, through ONNX Runtime, which nobody here wrote, and through ours.
 * What ONNX Runtime does not support is counted, never passed over in silence; it has no layout 1,
 * so there it is given the same network in layout 0 and the same numbers the other way around.
 */
class OnnxRuntimeAgreementTest {
  private static final int NETWORKS = Integer.getInteger("gatun.networks", 1000);

  private final long seed = Long.getLong("gatun.seed", System.nanoTime());
  private final Random random = new Random(seed);

  private Tensor weights(Arena arena, double scale, long... dims) {
    Tensor tensor = Tensor.allocate(arena, DType.FLOAT32, dims);
    float[] values = new float[Math.toIntExact(tensor.elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (random.nextGaussian() * scale);
    }
    return Tensor.ofFloats(arena, values, dims);
  }

  /** A recurrent network with every setting drawn at random, and what describes it. */
  private Case recurrent(Arena arena) {
    String cell = List.of("RNN", "GRU", "LSTM").get(random.nextInt(3));
    int gates = cell.equals("LSTM") ? 4 : cell.equals("GRU") ? 3 : 1;
    int time = 1 + random.nextInt(9);
    int batch = 1 + random.nextInt(7);
    int input = 1 + random.nextInt(20);
    int hidden = 1 + random.nextInt(40);
    String direction = List.of("forward", "reverse", "bidirectional").get(random.nextInt(3));
    int directions = direction.equals("bidirectional") ? 2 : 1;
    List<Object> settings = new ArrayList<>(List.of("direction", direction));
    List<String> activations = new ArrayList<>();
    if (random.nextInt(3) == 0) {
      // Gates stay within 0 and 1, or states grow and their last bits decide the outcome.
      List<String> gate = List.of("Sigmoid", "HardSigmoid");
      // Its softplus overflows early, so it stays where it cannot: out of an LSTM's cell.
      List<String> any = List.of("Tanh", "Sigmoid", "Softsign", "HardSigmoid", "Relu");
      int each = cell.equals("LSTM") ? 3 : cell.equals("GRU") ? 2 : 1;
      for (int i = 0; i < directions * each; i++) {
        boolean isGate = each > 1 && i % each == 0;
        // An RNN's only activation feeds itself: bounded.
        List<String> choice = isGate ? gate : each == 1 ? any.subList(0, 4) : any;
        activations.add(choice.get(random.nextInt(choice.size())));
      }
      settings.addAll(List.of("activations", activations));
      // Its GRU and LSTM read beyond the end of these lists and end the process; its RNN takes 0
      // for the two where ONNX has defaults, so there they are given, for both directions.
      if (cell.equals("RNN")) {
        Collections.fill(activations, activations.get(0));
        if (activations.get(0).equals("HardSigmoid")) {
          float[] alphas = new float[directions];
          float[] betas = new float[directions];
          for (int d = 0; d < directions; d++) {
            alphas[d] = 0.1f + 0.2f * random.nextFloat();
            betas[d] = 0.4f + 0.2f * random.nextFloat();
          }
          settings.addAll(List.of("activation_alpha", alphas, "activation_beta", betas));
        }
      }
    }
    if (random.nextInt(4) == 0) {
      settings.addAll(List.of("clip", 0.5f));
    }
    if (cell.equals("GRU")) {
      settings.addAll(List.of("linear_before_reset", random.nextInt(2)));
    }
    if (cell.equals("LSTM") && random.nextInt(4) == 0) {
      settings.addAll(List.of("input_forget", 1));
    }
    double scale = 1 / Math.sqrt(hidden);
    List<Tensor> constants = new ArrayList<>();
    constants.add(weights(arena, scale, directions, (long) gates * hidden, input));
    constants.add(weights(arena, scale, directions, (long) gates * hidden, hidden));
    boolean bias = random.nextBoolean();
    constants.add(bias ? weights(arena, 0.5, directions, 2L * gates * hidden) : null);
    boolean ragged = random.nextBoolean();
    boolean initial = random.nextBoolean();
    boolean peepholes = cell.equals("LSTM") && random.nextBoolean();
    constants.add(peepholes ? weights(arena, 0.5, directions, 3L * hidden) : null);
    Map<String, Tensor> inputs = new java.util.HashMap<>();
    inputs.put("x", weights(arena, 1, time, batch, input));
    int[] lengths = new int[batch];
    Arrays.setAll(lengths, i -> i == 0 ? time : 1 + random.nextInt(time));
    if (ragged) {
      inputs.put("lengths", Tensor.ofInts(arena, lengths, batch));
    }
    if (initial) {
      inputs.put("h0", weights(arena, 1, directions, batch, hidden));
      if (cell.equals("LSTM")) {
        inputs.put("c0", weights(arena, 1, directions, batch, hidden));
      }
    }
    boolean batchFirst = random.nextInt(3) == 0;
    String problem =
        cell
            + " "
            + time
            + "x"
            + batch
            + "x"
            + input
            + "x"
            + hidden
            + " "
            + settings
            + (bias ? " bias" : "")
            + (ragged ? " lengths " + Arrays.toString(lengths) : "")
            + (initial ? " initial" : "")
            + (peepholes ? " peepholes" : "")
            + (batchFirst ? " layout 1" : "");
    return new Case(
        problem,
        graph(cell, settings, constants, inputs, directions, false),
        graph(cell, settings, constants, inputs, directions, batchFirst),
        inputs,
        batchFirst,
        cell.equals("LSTM") ? List.of("Y", "Y_h", "Y_c") : List.of("Y", "Y_h"),
        hidden + input);
  }

  private static Graph graph(
      String cell,
      List<Object> settings,
      List<Tensor> constants,
      Map<String, Tensor> inputs,
      int directions,
      boolean batchFirst) {
    Graph.Builder g = Graph.builder("random");
    long hidden = constants.get(1).dim(2);
    long size = inputs.get("x").dim(2);
    Object[] state =
        batchFirst
            ? new Object[] {"batch", directions, hidden}
            : new Object[] {directions, "batch", hidden};
    List<Value> in = new ArrayList<>();
    in.add(
        batchFirst
            ? g.input("x", DType.FLOAT32, "batch", "time", size)
            : g.input("x", DType.FLOAT32, "time", "batch", size));
    in.add(g.constant("W", constants.get(0)));
    in.add(g.constant("R", constants.get(1)));
    in.add(constants.get(2) == null ? null : g.constant("B", constants.get(2)));
    in.add(inputs.containsKey("lengths") ? g.input("lengths", DType.INT32, "batch") : null);
    in.add(inputs.containsKey("h0") ? g.input("h0", DType.FLOAT32, state) : null);
    List<String> names = new ArrayList<>(List.of("Y", "Y_h"));
    if (cell.equals("LSTM")) {
      in.add(inputs.containsKey("c0") ? g.input("c0", DType.FLOAT32, state) : null);
      in.add(constants.get(3) == null ? null : g.constant("P", constants.get(3)));
      names.add("Y_c");
    }
    List<Object> all = new ArrayList<>(settings);
    if (batchFirst) {
      all.addAll(List.of("layout", 1));
    }
    g.node("cell", cell, Attributes.of(all.toArray()), in, names);
    return g.build();
  }

  private record Case(
      String problem,
      Graph graph,
      Graph ours,
      Map<String, Tensor> inputs,
      boolean batchFirst,
      List<String> outputs,
      int terms) {

    /** An input or output the way our network has it. */
    Tensor turned(String name, Tensor tensor) {
      if (!batchFirst || name.equals("lengths")) {
        return tensor;
      }
      // Y is [time, directions, batch, …] and becomes [batch, time, directions, …].
      return name.equals("Y") ? tensor.transpose(2, 0, 1, 3) : tensor.transpose(1, 0, 2);
    }
  }

  @Test
  void recurrentNetworksAnswerAsOnnxRuntimeDoes(@TempDir Path folder) throws IOException {
    System.out.println("OnnxRuntimeAgreementTest: -Dgatun.seed=" + seed);
    List<Device> devices = List.of(Devices.best(), new ScalarDevice(DType.FLOAT32));
    int compared = 0;
    List<String> refused = new ArrayList<>();
    List<String> wrong = new ArrayList<>();
    for (int i = 0; i < NETWORKS; i++) {
      try (Arena arena = Arena.ofConfined()) {
        Case network = recurrent(arena);
        Map<String, Tensor> expected;
        try (OnnxRuntimePeer peer =
            new OnnxRuntimePeer(network.graph, 1, network.outputs.toArray(new String[0]))) {
          for (var input : network.inputs.entrySet()) {
            peer.input(input.getKey(), input.getValue());
          }
          expected = peer.run(arena);
        } catch (OrtException e) {
          refused.add(network.problem + ": " + e.getMessage());
          continue;
        }
        compared++;
        Path file = folder.resolve("network.onnx");
        Files.write(file, OnnxWriter.write(network.ours, network.outputs.toArray(new String[0])));
        try (OnnxModel model = OnnxModel.open(file)) {
          for (Device device : devices) {
            String difference = difference(device, model.graph(), network, expected);
            if (difference != null) {
              wrong.add(device.name() + ": " + network.problem + ": " + difference);
            }
          }
        }
      }
    }
    System.out.println(
        compared
            + " random recurrent networks compared with ONNX Runtime, "
            + refused.size()
            + " refused by it");
    assertTrue(wrong.isEmpty(), wrong.size() + " differ:\n" + String.join("\n", wrong));
    assertTrue(refused.size() < NETWORKS / 4, String.join("\n", refused));
  }

  private static String difference(
      Device device, Graph graph, Case network, Map<String, Tensor> expected) {
    try (Arena arena = Arena.ofConfined();
        Plan plan = Plan.on(device, graph);
        Execution run = plan.newExecution()) {
      network.inputs.forEach(
          (name, tensor) -> run.input(name, network.turned(name, tensor).contiguous(arena)));
      run.run();
      // ONNX Runtime's own sigmoid and tanh are good to about 1e-6; errors add up over the steps.
      double allowed = 4e-6 * Math.max(1, Math.log(network.terms) / Math.log(2));
      for (String name : network.outputs) {
        Tensor right = network.turned(name, expected.get(name));
        assertEquals(right.shape(), run.output(name).shape());
        float[] theirs = right.toFloats();
        float[] ours = run.output(name).toFloats();
        for (int i = 0; i < ours.length; i++) {
          double off = Math.abs(ours[i] - theirs[i]) / Math.max(1, Math.abs(theirs[i]));
          if (!(off <= allowed)) {
            return name + "[" + i + "] is " + ours[i] + ", theirs " + theirs[i];
          }
        }
      }
      return null;
    }
  }
}
