/**
 * Gatun: an off-heap runtime for recurrent networks on the JVM.
 *
 * <p>The incubator module of the Vector API is optional. Where it is missing the plain kernels are
 * used, and one warning names the flag to add: {@code --add-modules jdk.incubator.vector}.
 *
 * <p>Files of Keras are read through jHDF, where it is there: {@code io.jhdf:jhdf}, on the module
 * path with {@code --add-modules io.jhdf}.
 */
module io.gatun {
  requires static jdk.incubator.vector;
  requires static io.jhdf;
  requires com.fasterxml.jackson.core;
  requires io.gatun.bindings;

  exports io.gatun.batch;
  exports io.gatun.format;
  exports io.gatun.graph;
  exports io.gatun.job;
  exports io.gatun.kernel;
  exports io.gatun.kernel.cuda;
  exports io.gatun.layer;
  exports io.gatun.representation;
  exports io.gatun.sequence;
  exports io.gatun.table;
  exports io.gatun.tensor;
  exports io.gatun.training;

  uses io.gatun.kernel.DeviceProvider;
  uses io.gatun.table.Compression;
  uses io.gatun.table.TableFormat;

  provides io.gatun.kernel.DeviceProvider with
      io.gatun.kernel.cuda.CudaProvider,
      io.gatun.kernel.scalar.ScalarProvider,
      io.gatun.kernel.simd.SimdProvider;
}
