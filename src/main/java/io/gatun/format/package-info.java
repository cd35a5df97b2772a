/**
 * Files: readers and writers of safetensors, npy and npz, of JSON, and of the model folder. Nothing
 * in a file is believed before it is checked; what does not hold is a {@link
 * io.gatun.format.ModelFormatException} with the file and the place in it.
 *
 * <pre>{@code
 * try (TensorFile weights = TensorFile.open(Path.of("weights.safetensors"))) {
 *   for (String name : weights.names()) {
 *     System.out.println(name + " " + weights.tensor(name));
 *   }
 * }
 * }</pre>
 */
package io.gatun.format;
