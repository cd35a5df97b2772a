package io.gatun.kernel.simd;

import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * The width this machine computes with, and the one segment every kernel of this room reads and
 * writes through.
 *
 * <p>All kernels share {@link #MEMORY}, a segment over the whole address space that is a constant
 * to the compiler, and take addresses: a kernel that is handed segments as parameters is lost by
 * the compiler as soon as heap and native segments have both been through the same code. Nothing
 * inside is bounds-checked, so the doors ({@link SimdKernels}) check every operand.
 */
final class Lanes {
  /** The widest float32 vectors of the machine. */
  static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

  /** Vectors of the same width whose lanes are ints. */
  static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, SPECIES.vectorShape());

  /**
   * The class of these vectors, for {@link Class#cast}: a vector that comes out of a loop is any
   * {@code FloatVector} to the compiler, which then asks the profile of the JDK's own code what it
   * mostly is. Where other vectors have been through that code the answer is none, and on JDK 21
   * each store makes an object first. A cast to a constant class says it.
   */
  static final Class<? extends FloatVector> VECTOR =
      SPECIES.vectorType().asSubclass(FloatVector.class);

  /** float32 elements of one vector. */
  static final int LANES = SPECIES.length();

  /** Bytes of one vector. */
  static final int BYTES = SPECIES.vectorByteSize();

  /** All memory; offsets are addresses. */
  @SuppressWarnings("restricted")
  static final MemorySegment MEMORY = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

  /** The machine's byte order. */
  static final ByteOrder ORDER = ByteOrder.nativeOrder();

  /**
   * Vectors of a wide panel: 4 where there are 32 registers (AVX-512, AArch64), so that a tile of 6
   * rows keeps 24 sums in registers; 2 where there are 16.
   */
  static final int WIDE = LANES >= 16 || System.getProperty("os.arch").equals("aarch64") ? 4 : 2;

  /** Vectors of a narrow panel, which ends a matrix whose columns do not fill a wide one. */
  static final int NARROW = 2;

  /** Rows of a full tile. */
  static final int TILE_ROWS = 6;

  /**
   * Whether the loop of a tile says in which order it loads. With 16 registers 12 sums leave no
   * room for the whole left side at once, which the compiler likes to load first: it then keeps
   * sums in memory, at half the speed. It moves no load over a fence, and on x86 a fence between
   * loads is no instruction. The compiler of JDK 21 is the other way round: it loads as it should,
   * and keeps sums in memory where there are fences.
   */
  static final boolean FENCED =
      System.getProperty("os.arch").matches("amd64|x86_64") && Runtime.version().feature() > 21;

  /**
   * What an address is masked with where it is carried along a loop, and is known to be in {@link
   * #MEMORY} by that: one instruction instead of a comparison for each load. On JDK 21 it costs
   * registers: nothing is masked.
   */
  static final long ADDRESS = FENCED ? (1L << 56) - 1 : -1;

  private Lanes() {}

  /** How many vectors hold so many elements. */
  static int vectors(int elements) {
    return (elements + LANES - 1) / LANES;
  }

  /** The elements, rounded up to whole vectors. */
  static int padded(int elements) {
    return vectors(elements) * LANES;
  }
}
