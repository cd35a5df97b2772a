/**
 * Readers and writers of files: safetensors, npy and npz, the model folder. Each turns bytes into
 * tensors and graphs, and checks every length, offset and name before it believes it; a file that
 * lies ends in an exception that names the file and the offset. Devices are unknown here.
 */
package io.gatun.format;
