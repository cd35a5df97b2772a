/**
 * Gatun: an off-heap runtime for recurrent networks on the JVM.
 *
 * <p>The incubator module of the Vector API is optional. Where it is missing the plain kernels are
 * used, and one warning names the flag to add: {@code --add-modules jdk.incubator.vector}.
 */
module io.gatun {
  requires static jdk.incubator.vector;
  requires com.fasterxml.jackson.core;

  exports io.gatun.tensor;
// A package can be exported from the day it has a type.
}
