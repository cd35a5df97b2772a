/**
 * Files: readers and writers of safetensors, npy and npz, of JSON, and of the model folder. Nothing
 * in a file is believed before it is checked; what does not hold is a {@link
 * io.gatun.format.ModelFormatException} with the file and the place in it.
 *
 * <pre>{@code
 * Safetensors.write(file, Map.of("W", w, "b", b), Map.of("made by", "me"));
 * try (TensorFile weights = TensorFile.open(file)) { // safetensors, npz or npy: its bytes say
 *   for (String name : weights.names()) {
 *     System.out.println(name + " " + weights.tensor(name).shape());
 *   }
 * }
 * }</pre>
 *
 * <p>{@link io.gatun.format.ModelFolder} opens a network with its weights and its text codecs.
 */
package io.gatun.format;
