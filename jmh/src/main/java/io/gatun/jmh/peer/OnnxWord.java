package io.gatun.jmh.peer;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.io.IOException;
import java.nio.IntBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The smallest program that says how a word is pronounced with ONNX Runtime: two models and two
 * vocabularies from a folder ({@link OnnxTranslator#write}), greedy search. It uses nothing else,
 * so that its start is that of Java and ONNX Runtime.
 */
public final class OnnxWord {
  static final String ENCODER = "encoder.onnx";
  static final String DECODER = "decoder.onnx";
  static final String SOURCE = "source.txt";
  static final String TARGET = "target.txt";

  private static final String START = "<s>";
  private static final String END = "</s>";
  private static final int MAX_LENGTH = 64;

  private OnnxWord() {}

  /**
   * Prints the phonemes of a word.
   *
   * @param args the folder and the word
   */
  public static void main(String[] args) throws IOException, OrtException {
    Path folder = Path.of(args[0]);
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setIntraOpNumThreads(1);
      options.setInterOpNumThreads(1);
      try (OrtSession encoder =
              environment.createSession(folder.resolve(ENCODER).toString(), options);
          OrtSession decoder =
              environment.createSession(folder.resolve(DECODER).toString(), options)) {
        int[] letters = letters(Files.readAllLines(folder.resolve(SOURCE)), args[1]);
        List<String> phonemes = Files.readAllLines(folder.resolve(TARGET));
        System.out.println(search(environment, encoder, decoder, letters, phonemes));
      }
    }
  }

  private static int[] letters(List<String> vocabulary, String word) {
    int[] tokens = new int[word.length() + 1];
    for (int i = 0; i < word.length(); i++) {
      tokens[i] = vocabulary.indexOf(word.substring(i, i + 1));
    }
    tokens[word.length()] = vocabulary.indexOf(END);
    return tokens;
  }

  private static String search(
      OrtEnvironment environment,
      OrtSession encoder,
      OrtSession decoder,
      int[] letters,
      List<String> phonemes)
      throws OrtException {
    List<String> answer = new ArrayList<>();
    OrtSession.Result before;
    try (OnnxTensor in = tokens(environment, letters)) {
      before = encoder.run(Map.of("tokens", in));
    }
    int token = phonemes.indexOf(START);
    while (answer.size() < MAX_LENGTH) {
      OrtSession.Result after;
      try (OnnxTensor in = tokens(environment, token)) {
        OnnxTensor states = (OnnxTensor) before.get("states").orElseThrow();
        after = decoder.run(Map.of("token", in, "initial", states));
      }
      before.close();
      before = after;
      float[] logits = ((float[][][]) after.get("logits").orElseThrow().getValue())[0][0];
      token = 0;
      for (int i = 1; i < logits.length; i++) {
        token = logits[i] > logits[token] ? i : token;
      }
      if (phonemes.get(token).equals(END)) {
        break;
      }
      answer.add(phonemes.get(token));
    }
    before.close();
    return String.join(" ", answer);
  }

  private static OnnxTensor tokens(OrtEnvironment environment, int... tokens) throws OrtException {
    return OnnxTensor.createTensor(
        environment, IntBuffer.wrap(tokens), new long[] {tokens.length, 1});
  }
}
