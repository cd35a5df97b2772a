package io.gatun.jmh.peer;

import ai.onnxruntime.OrtException;
import io.gatun.tensor.Tensor;
import java.lang.foreign.Arena;

/** A recurrent layer in ONNX Runtime: its operator of the same name, all its optimisations on. */
public final class OnnxRuntimeLayer implements Peer<LayerProblem> {
  private OnnxRuntimePeer session;

  @Override
  public String name() {
    return "ONNX Runtime";
  }

  @Override
  public void prepare(LayerProblem problem, int threads) {
    try (Arena arena = Arena.ofConfined()) {
      session = new OnnxRuntimePeer(problem.graph(arena), threads, "Y");
      session.input("x", problem.input(arena));
      if (problem.lengths() != null) {
        session.input("lengths", Tensor.ofInts(arena, problem.lengths(), problem.batch()));
      }
    } catch (OrtException e) {
      throw new UnsupportedOperationException(problem + ": " + e.getMessage(), e);
    }
  }

  @Override
  public void run() {
    try {
      session.run();
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public float[] output() {
    try (Arena arena = Arena.ofConfined()) {
      return session.run(arena).get("Y").toFloats();
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    if (session != null) {
      try {
        session.close();
      } catch (OrtException e) {
        throw new IllegalStateException(e);
      }
    }
  }
}
