package io.gatun.training;

import io.gatun.format.Model;
import io.gatun.format.TextCodec;
import io.gatun.kernel.Device;
import io.gatun.sequence.EncoderDecoder;
import io.gatun.sequence.GenerationOptions;
import io.gatun.sequence.LengthPenalty;

/** Networks ready to run, from models. Stateless. */
final class Networks {
  private Networks() {}

  /** The encoder–decoder of a model. */
  static EncoderDecoder pair(Model model, Device device) {
    TextCodec target = model.target().orElseThrow();
    EncoderDecoder.Builder builder =
        EncoderDecoder.builder(model.encoder(), model.decoder())
            .logits(model.logits().name())
            .startToken(target.start().orElseThrow())
            .sourceVocabulary(model.source().orElseThrow().vocabulary().size());
    target.end().ifPresent(builder::endTokens);
    for (Model.State state : model.states()) {
      if (state.source().isPresent()) {
        builder.state(state.input(), state.output(), state.source().get());
      } else {
        builder.zeroState(state.input(), state.output());
      }
    }
    for (Model.Memory memory : model.memories()) {
      builder.memory(memory.input(), memory.source());
    }
    return builder.build(device);
  }

  /** How its makers want a model to generate, with another width of the beam if one is given. */
  static GenerationOptions options(Model model, int beam) {
    Model.Generation usual = model.generation();
    return GenerationOptions.builder()
        .beamWidth(beam > 0 ? beam : usual.beam())
        .nBest(1)
        .maxLength(usual.maxLength())
        .minLength(usual.minLength())
        .lengthPenalty(LengthPenalty.power(usual.lengthPenalty()))
        .noRepeatNgram(usual.noRepeatNgram())
        .suppress(usual.suppressed().stream().mapToInt(Integer::intValue).toArray())
        .build();
  }
}
