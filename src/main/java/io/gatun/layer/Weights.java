package io.gatun.layer;

import io.gatun.tensor.Tensor;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The weights of one layer (of one direction of it, where it has two), as a framework lays them out
 * and by the names it gives them: see {@link Convention}. Immutable; the tensors are views of
 * whatever memory they lie in, of any strides and floating-point type, and stay where they are.
 *
 * <pre>{@code
 * Weights.of(Convention.PYTORCH, Map.of("weight", w, "bias", b))
 * }</pre>
 */
public final class Weights {
  private final Convention convention;
  private final Map<String, Tensor> parts;

  private Weights(Convention convention, Map<String, Tensor> parts) {
    this.convention = convention;
    Map<String, Tensor> named = new LinkedHashMap<>();
    parts.forEach((name, tensor) -> named.put(name.replace('/', '.'), tensor));
    this.parts = Collections.unmodifiableMap(named);
  }

  /**
   * Weights in a convention. Which of the names a layer knows and needs, the layer says.
   *
   * @param parts tensors by the names the framework gives them
   */
  public static Weights of(Convention convention, Map<String, Tensor> parts) {
    return new Weights(convention, parts);
  }

  /** The convention they follow. */
  public Convention convention() {
    return convention;
  }

  /** The tensors by name, {@code '/'} written {@code '.'}. */
  public Map<String, Tensor> parts() {
    return parts;
  }

  @Override
  public String toString() {
    return convention.label() + parts;
  }
}
