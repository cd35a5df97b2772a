package io.gatun.jmh.peer;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import io.gatun.format.OnnxModel;
import io.gatun.graph.Execution;
import io.gatun.graph.Plan;
import io.gatun.graph.Value;
import io.gatun.tensor.DType;
import io.gatun.tensor.Shape;
import io.gatun.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A network that hears speech, frame by frame with its state fed back, here and in ONNX Runtime, in
 * turn, in one process, one thread each: microseconds a frame, medians of rounds and their ratio,
 * and the ratio of the quickest rounds, by the clock and by the time that the calling thread
 * computed. ONNX Runtime's inputs are made once and its state goes back as it came, so that nothing
 * is counted that it does not have to do.
 */
public final class SpeechSideBySide {
  private static final int FRAMES = 500;

  /** How long the compiler has to have had nothing to do before anything counts. */
  private static final double QUIET_MICROS = 3e6;

  /** Rounds of warming up at most. */
  private static final int MOST_WARM_UP = 150;

  private SpeechSideBySide() {}

  /**
   * Runs it.
   *
   * @param args the ONNX file; samples of a frame, context included; how many rounds, 11 if nothing
   *     is said
   */
  public static void main(String[] args) throws IOException, OrtException {
    if (args.length < 2) {
      throw new IllegalArgumentException("expected: MODEL.onnx SAMPLES [ROUNDS]");
    }
    Path file = Path.of(args[0]);
    int samples = Integer.parseInt(args[1]);
    int rounds = args.length > 2 ? Integer.parseInt(args[2]) : 11;
    try (Arena arena = Arena.ofShared();
        OnnxModel model = OnnxModel.open(file);
        Here here = new Here(model, arena, samples);
        There there = new There(Files.readAllBytes(file), model, samples)) {
      double apart = 0;
      for (int i = 0; i < 100; i++) {
        apart = Math.max(apart, Math.abs(here.frame() - there.frame()));
      }
      System.out.printf(Locale.ROOT, "100 frames, at most %.2g apart%n", apart);
      double[][] times = new double[4][rounds];
      warmUp(here);
      for (int round = 0; round < rounds; round++) {
        double[] ours = time(here::frame);
        double[] theirs = time(there::frame);
        for (int i = 0; i < 2; i++) {
          times[i][round] = ours[i];
          times[2 + i][round] = theirs[i];
        }
      }
      for (double[] one : times) {
        Arrays.sort(one);
      }
      String[] clocks = {"clock", "thread"};
      for (int i = 0; i < 2; i++) {
        double ours = times[i][rounds / 2];
        double theirs = times[2 + i][rounds / 2];
        double least = times[2 + i][0] / times[i][0];
        System.out.printf(
            Locale.ROOT,
            "%s: %.1f µs a frame here, %.1f µs in ONNX Runtime, ratio %.2f (least %.2f)%n",
            clocks[i],
            ours,
            theirs,
            theirs / ours,
            least);
      }
    }
  }

  private interface Frame {
    double run() throws OrtException;
  }

  private static void warmUp(Here here) throws OrtException {
    var compiler = ManagementFactory.getCompilationMXBean();
    long before = -1;
    double quiet = 0;
    for (int round = 0; round < MOST_WARM_UP && quiet < QUIET_MICROS; round++) {
      double micros = time(here::frame)[0] * FRAMES;
      long spent = compiler.getTotalCompilationTime();
      quiet = spent == before ? quiet + micros : 0;
      before = spent;
    }
  }

  /** Microseconds a frame by the clock, and of the thread. */
  private static double[] time(Frame frame) throws OrtException {
    var threads = ManagementFactory.getThreadMXBean();
    long cpu = threads.getCurrentThreadCpuTime();
    long clock = System.nanoTime();
    for (int i = 0; i < FRAMES; i++) {
      frame.run();
    }
    double elapsed = System.nanoTime() - clock;
    double computed = threads.getCurrentThreadCpuTime() - cpu;
    return new double[] {elapsed / FRAMES / 1000, computed / FRAMES / 1000};
  }

  /** Some sound: what is heard does not decide how long hearing takes. */
  private static float[] sound(int samples) {
    float[] sound = new float[samples];
    for (int i = 0; i < samples; i++) {
      sound[i] = (float) (0.1 * Math.sin(i * 0.11) + 0.05 * Math.sin(i * 0.37));
    }
    return sound;
  }

  /** The inputs that are states: those of three axes. */
  private static List<Value> states(OnnxModel model) {
    return model.graph().inputs().stream().filter(input -> input.rank() == 3).toList();
  }

  private static final class Here implements AutoCloseable {
    private final Plan plan;
    private final Execution execution;

    Here(OnnxModel model, Arena arena, int samples) {
      plan = Plan.of(model.graph());
      execution = plan.newExecution();
      execution.input("input", Tensor.ofFloats(arena, sound(samples), 1, samples));
      execution.input("sr", Tensor.ofLongs(arena, new long[] {16_000}));
      int output = 1;
      for (Value state : states(model)) {
        Tensor memory = Tensor.allocate(arena, DType.FLOAT32, 2, 1, state.dim(2).size());
        execution.input(state.name(), memory);
        execution.output(model.graph().outputs().get(output++).name(), memory);
      }
    }

    double frame() {
      execution.run();
      return execution.output("output").getFloat(0, 0);
    }

    @Override
    public void close() {
      execution.close();
      plan.close();
    }
  }

  private static final class There implements AutoCloseable {
    private final OrtSession session;
    private final Map<String, OnnxTensor> inputs = new HashMap<>();
    private final List<String> states = new ArrayList<>();
    private OrtSession.Result last;

    There(byte[] bytes, OnnxModel model, int samples) throws OrtException {
      try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
        options.setIntraOpNumThreads(1);
        options.setInterOpNumThreads(1);
        session = OrtEnvironment.getEnvironment().createSession(bytes, options);
      }
      OrtEnvironment environment = OrtEnvironment.getEnvironment();
      inputs.put("input", OnnxTensor.createTensor(environment, new float[][] {sound(samples)}));
      inputs.put("sr", OnnxTensor.createTensor(environment, 16_000L));
      for (Value state : states(model)) {
        states.add(state.name());
        long[] dims = {2, 1, state.dim(2).size()};
        float[] zeros = new float[Math.toIntExact(Shape.of(dims).elements())];
        inputs.put(
            state.name(),
            OnnxTensor.createTensor(environment, java.nio.FloatBuffer.wrap(zeros), dims));
      }
    }

    double frame() throws OrtException {
      OrtSession.Result result = session.run(inputs);
      for (int i = 0; i < states.size(); i++) {
        inputs.put(states.get(i), (OnnxTensor) result.get(1 + i));
      }
      if (last != null) {
        last.close();
      }
      last = result;
      return ((OnnxTensor) result.get(0)).getFloatBuffer().get(0);
    }

    @Override
    public void close() throws OrtException {
      session.close();
    }
  }
}
