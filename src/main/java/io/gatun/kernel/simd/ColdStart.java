package io.gatun.kernel.simd;

import static io.gatun.kernel.simd.Lanes.BYTES;
import static io.gatun.kernel.simd.Lanes.LANES;

import io.gatun.kernel.Activation;
import java.lang.foreign.Arena;
import java.util.Arrays;

/**
 * The first multiplications of a process are done by plain loops ({@link PlainLoops}), until the
 * compiler has been over the kernels that would do them.
 *
 * <p>Code of the Vector API is fast once the optimising compiler has been over it and very slow
 * before: in the interpreter and in what C1 makes of it each vector is an object, a thousand times
 * the cost of the instruction. A process that has one word to translate is done long before its
 * kernels are compiled, and then waits at its end for the compiler to finish them. Plain loops over
 * arrays are near their speed after milliseconds, and since each number of a result is the same
 * chain of roundings in both, nobody can tell from the bits which of them it was.
 *
 * <p>The compiler takes on what runs often, so kernels have to run to become fast. A process that
 * goes on for longer <em>rehearses</em> them beside the plain loops: a few terms each, over memory
 * that nobody looks at, for no more time than the plain loops took. The rehearsal that runs at the
 * speed of instructions says that its kernel may take over; each does so by itself.
 */
final class ColdStart {
  /** Tiles over wide panels by their rows, from 1 on; those of narrow panels follow. */
  private static final int WIDE_TILES = 1;

  private static final int NARROW_TILES = 1 << 6;

  /** The interleaving of six rows. */
  static final int INTERLEAVING = 1 << 12;

  static final int SIGMOID = 1 << 13;
  static final int TANH = 1 << 14;
  static final int LSTM_STATE = 1 << 15;
  static final int GRU_STATE = 1 << 16;
  static final int ADD_BIAS = 1 << 17;

  /** What softmax and the search for the largest need of {@link RowPasses}. */
  static final int ROWS = 1 << 18;

  /** Products with small weights of one row, and the widening of them for more. */
  private static final int BFLOAT16 = 1 << 19;

  private static final int INT8 = 1 << 20;

  private static final int PLAIN_TANH = 1 << 21;
  private static final int PLAIN_SIGMOID = 1 << 22;
  private static final int PLAIN_RELU = 1 << 23;

  /** The sums of a convolution of single channels. */
  static final int TAPS = 1 << 24;

  private static final int ALL = (1 << 25) - 1;

  /**
   * Multiplications before the first rehearsal, some 0.2 s. To compile what a job needs costs a
   * second of a processor; one that is over by then is better off without.
   */
  private static final long REST = 1L << 29;

  /**
   * Multiplications by plain loops after which vectors take over whatever rehearsals say: seconds.
   */
  private static final long ENOUGH = 1L << 34;

  /** Calls between two looks at the clock. */
  private static final int BURST = 8;

  /**
   * Bursts after which the compiler should have seen enough of a kernel. It need not have: a method
   * that waited in a tier without a profile begins to count anew in the one with it. So from then
   * on rehearsals go on, but take less time from the compiler.
   */
  private static final int SEEN = 1_500;

  /** The part of the time of plain loops that rehearsals take then: one over this. */
  private static final int SEEN_SHARE = 4;

  /** Terms of a rehearsed product: enough for the loop to be worth unrolling. */
  private static final int TERMS = 8;

  /** Vectors of a rehearsed row. */
  private static final int VECTORS = 4;

  /**
   * The time that a vector operation of a product may take in a burst: some ten times what it takes
   * when it is an instruction, a tenth of what it takes when it is a call.
   */
  private static final double NANOS_OF_PRODUCT = 4;

  /** The same for a vector that a gate's polynomials or a pass over a row go through. */
  private static final double NANOS_OF_PASS = 80;

  /** No rehearsal lasts longer at a time. */
  private static final long MOST_NANOS = 20_000_000;

  // Threads that write at the same time may lose each other's numbers; it does no harm.
  private static final int[] BURSTS = new int[Integer.SIZE];
  private static int warm;
  private static long done;
  private static long ended;

  private ColdStart() {}

  /** Whether there may still be kernels that are not compiled. */
  static boolean lasts() {
    return warm != ALL;
  }

  /** Whether one of these kernels is not compiled, so that plain loops have to do its work. */
  static boolean lasts(int kernels) {
    return (kernels & ~warm) != 0;
  }

  /**
   * The kernels that multiply so many rows by the panels {@code from} to {@code to} − 1; none once
   * all are compiled.
   */
  static int kernels(int rows, Panels b, int from, int to) {
    if (!lasts() || from >= to) {
      return 0;
    }
    int small =
        switch (b.format) {
          case FLOAT32 -> 0;
          case BFLOAT16 -> BFLOAT16;
          case INT8 -> INT8;
        };
    if (small != 0 && rows == 1) {
      return small;
    }
    int wide = from < b.wide ? tiles(rows, b.width(from)) : 0;
    int narrow = to > b.wide ? tiles(rows, b.width(to - 1)) : 0;
    return small | wide | narrow;
  }

  /** The tiles that multiply so many rows by a panel of so many vectors. */
  static int tiles(int rows, int width) {
    return Product.tileHeights(rows) * (width == 4 ? WIDE_TILES : NARROW_TILES);
  }

  /** The kernel of an activation, 0 if plain loops do not have it. */
  static int activation(Activation.Kind kind) {
    return switch (kind) {
      case TANH -> PLAIN_TANH;
      case SIGMOID -> PLAIN_SIGMOID;
      case RELU -> PLAIN_RELU;
      default -> 0;
    };
  }

  /**
   * Takes down that plain loops did the work of some kernels, and rehearses those of them that are
   * not compiled yet.
   *
   * @param multiplications how much work it was
   */
  static void rehearse(int kernels, long multiplications) {
    done += multiplications;
    if (done < REST) {
      return;
    }
    if (done > ENOUGH) {
      warm = ALL;
      return;
    }
    long now = System.nanoTime();
    long share = Math.min(MOST_NANOS, now - ended);
    long begin = now;
    for (int cold; (cold = kernels & ~warm) != 0 && now - begin < share; ) {
      int fresh = cold & ~seen();
      if (fresh == 0 && now - begin >= share / SEEN_SHARE) {
        break;
      }
      for (cold = fresh == 0 ? cold : fresh; cold != 0; cold &= cold - 1) {
        int kernel = Integer.lowestOneBit(cold);
        long nanos = -System.nanoTime();
        double most = Rehearsal.burst(kernel);
        nanos += System.nanoTime();
        BURSTS[Integer.numberOfTrailingZeros(kernel)]++;
        if (nanos <= most) {
          warm |= kernel;
        }
      }
      now = System.nanoTime();
    }
    ended = now;
  }

  /** The kernels that the compiler should have seen enough of. */
  private static int seen() {
    int kernels = 0;
    for (int i = 0; i < BURSTS.length; i++) {
      kernels |= BURSTS[i] >= SEEN ? 1 << i : 0;
    }
    return kernels;
  }

  /** Begins anew, or ends at once: for tests, which want to know what they test. */
  static void set(boolean lasts) {
    warm = lasts ? 0 : ALL;
    done = 0;
    Arrays.fill(BURSTS, 0);
  }

  /** Kernels over memory that nobody looks at. A class of its own, since most tests need none. */
  private static final class Rehearsal {
    private static final float[] LEFT = new float[6 * Math.max(TERMS, LANES)];

    /** Room for a panel, or for the gates of some groups of units; zeros to begin with. */
    private static final long MEMORY =
        Arena.global().allocate((long) TERMS * 4 * BYTES, 64).address();

    /** Lines that all lie in one place. */
    private static final long[] LINES = new long[TERMS];

    static {
      Arrays.fill(LINES, MEMORY);
    }

    /** Room for the rows of a tile, all of them in one place, or for what a pass makes. */
    private static final long RESULT = Arena.global().allocate(16L * BYTES, 64).address();

    /** Room for a panel that is widened. */
    private static final long WIDENED =
        Arena.global().allocate((long) TERMS * 4 * BYTES, 64).address();

    /** Runs a kernel some times; returns how many nanoseconds that takes at most, once compiled. */
    static double burst(int kernel) {
      for (int i = 0; i < BURST; i++) {
        run(kernel);
      }
      if (kernel < INTERLEAVING) {
        boolean wide = kernel < NARROW_TILES;
        int height = Integer.numberOfTrailingZeros(kernel / (wide ? WIDE_TILES : NARROW_TILES)) + 1;
        int vectors = wide ? 4 : 2;
        // One row alone also goes over two panels and over four; six rows of a narrow one in two
        // ways.
        int panels = height == 1 ? wide ? 7 : 3 : height == 6 && !wide && Lanes.FENCED ? 2 : 1;
        return NANOS_OF_PRODUCT * BURST * TERMS * height * vectors * panels;
      }
      if (kernel == BFLOAT16 || kernel == INT8) {
        return NANOS_OF_PRODUCT * BURST * TERMS * (Lanes.WIDE == 4 ? 30 : 10);
      }
      int passes = kernel == INTERLEAVING ? 6 : kernel == ROWS ? 7 * VECTORS : VECTORS;
      return NANOS_OF_PASS * BURST * passes;
    }

    private static void run(int kernel) {
      long a = MEMORY;
      long to = RESULT;
      switch (kernel) {
        case INTERLEAVING -> Interleaving.vectors6(LEFT, 0, a, a, a, a, a, a);
        case SIGMOID -> Gates.sigmoid(to, 0, BYTES, a, 0, a, 1, VECTORS, BYTES);
        case TANH -> Gates.tanh(to, 0, BYTES, to, 0, a, 0, a, 1, VECTORS, BYTES, BYTES);
        case LSTM_STATE -> Gates.lstmState(a, 0, to, 0, to + (long) VECTORS * BYTES, 0, 1, VECTORS);
        case GRU_STATE -> Gates.gruResetAfter(a, 0, a, 0, a, a, to, 0, 1, VECTORS);
        case ADD_BIAS -> RowPasses.addBias(to, 0, 1, VECTORS, a);
        case ROWS -> rows(a, to);
        case BFLOAT16 -> bfloat16(a, to);
        case INT8 -> int8(a, to);
        case PLAIN_TANH -> Activations.tanh(a, 0, to, 0, 1, VECTORS);
        case PLAIN_SIGMOID -> Activations.sigmoid(a, 0, to, 0, 1, VECTORS);
        case PLAIN_RELU -> Activations.relu(a, 0, to, 0, 1, VECTORS);
        case TAPS -> ChannelRun.sums(LEFT, 0, 1, LINES, TERMS, 0, to, VECTORS);
        default -> tile(kernel, a, to);
      }
    }

    private static void rows(long in, long to) {
      long lanes = to + (long) VECTORS * BYTES;
      RowPasses.maximum(in, VECTORS, lanes);
      RowPasses.expSum(in, VECTORS, lanes, 1);
      RowPasses.expAndSum(in, to, VECTORS, lanes, 1);
      RowPasses.scale(to, to, VECTORS, 0.5f);
      RowPasses.subtract(to, to, VECTORS, 0.5f, 0.25f);
      RowPasses.largest(in, VECTORS);
      RowPasses.above(in, 0, VECTORS, 1);
    }

    private static void bfloat16(long b, long c) {
      if (Lanes.WIDE == 4) {
        Bfloat16Tiles.wide(LEFT, TERMS, b, c);
        Bfloat16Tiles.widePair(LEFT, TERMS, b, b, c);
        Bfloat16Tiles.widenWide(TERMS, b, WIDENED);
      }
      Bfloat16Tiles.narrow(LEFT, TERMS, b, c);
      Bfloat16Tiles.narrowPair(LEFT, TERMS, b, b, c);
      Bfloat16Tiles.widenNarrow(TERMS, b, WIDENED);
    }

    private static void int8(long b, long c) {
      if (Lanes.WIDE == 4) {
        Int8Tiles.wide(LEFT, TERMS, b, b, c);
        Int8Tiles.widePair(LEFT, TERMS, b, b, b, c);
        Int8Tiles.widenWide(TERMS, b, WIDENED);
      }
      Int8Tiles.narrow(LEFT, TERMS, b, b, c);
      Int8Tiles.narrowPair(LEFT, TERMS, b, b, b, c);
      Int8Tiles.widenNarrow(TERMS, b, WIDENED);
      Int8Tiles.scale(c, 0, 1, 2, b);
    }

    private static void tile(int kernel, long b, long c) {
      switch (kernel) {
        case WIDE_TILES -> {
          WideTiles.rows1(LEFT, 0, TERMS, b, c);
          WideTiles.row1Pair(LEFT, 0, TERMS, b, b, c);
          WideTiles.row1Quad(LEFT, TERMS, b, 0, c);
        }
        case WIDE_TILES << 1 -> WideTiles.rows2(LEFT, 0, TERMS, b, c, 0);
        case WIDE_TILES << 2 -> WideTiles.rows3(LEFT, 0, TERMS, b, c, 0);
        case WIDE_TILES << 3 -> WideTiles.rows4(LEFT, 0, TERMS, b, c, 0);
        case WIDE_TILES << 4 -> WideTiles.rows5(LEFT, 0, TERMS, b, c, 0);
        case WIDE_TILES << 5 -> WideTiles.rows6(LEFT, 0, TERMS, b, c, 0);
        case NARROW_TILES -> {
          NarrowTiles.rows1(LEFT, 0, TERMS, b, c);
          NarrowTiles.row1Pair(LEFT, 0, TERMS, b, b, c);
        }
        case NARROW_TILES << 1 -> NarrowTiles.rows2(LEFT, 0, TERMS, b, c, 0);
        case NARROW_TILES << 2 -> NarrowTiles.rows3(LEFT, 0, TERMS, b, c, 0);
        case NARROW_TILES << 3 -> NarrowTiles.rows4(LEFT, 0, TERMS, b, c, 0);
        case NARROW_TILES << 4 -> NarrowTiles.rows5(LEFT, 0, TERMS, b, c, 0);
        default -> {
          NarrowTiles.rows6(LEFT, 0, TERMS, b, c, 0);
          if (Lanes.FENCED) {
            NarrowTiles.rows6Even(LEFT, 0, TERMS, b, c, 0);
          }
        }
      }
    }
  }
}
