/** Bindings to the native libraries of a GPU, for the library alone. */
@SuppressWarnings("module")
module io.gatun.bindings {
  exports io.gatun.bindings to
      io.gatun;
}
