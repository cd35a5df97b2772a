package io.gatun.kernel.scalar;

/**
 * Which elements dropout drops: a hash of the element's place, keyed by seed and stream, so that
 * nothing is drawn in any order. Two rounds of a 32-bit mixer (Wellons' {@code lowbias32}), a half
 * of the 64-bit key before each; every device gives the same mask.
 */
public final class DropoutMask {
  private DropoutMask() {}

  /** The key of one stream of one seed (the finaliser of SplitMix64, Steele et al. 2014). */
  public static long key(long seed, long stream) {
    return mix(mix(seed) + stream * 0x9e3779b97f4a7c15L);
  }

  private static long mix(long x) {
    long z = x + 0x9e3779b97f4a7c15L;
    z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
    z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
    return z ^ z >>> 31;
  }

  /** What the upper 24 bits of a hash are compared with. */
  public static int threshold(double ratio) {
    return (int) Math.round(ratio * (1 << 24));
  }

  /** Whether the element at a place is dropped. */
  public static boolean drops(long key, long place, int threshold) {
    int hash = mix((int) place ^ (int) (place >>> 32) * 0x9e3779b9 ^ (int) key);
    return mix(hash + (int) (key >>> 32)) >>> 8 < threshold;
  }

  private static int mix(int hash) {
    int x = hash;
    x = (x ^ x >>> 16) * 0x7feb352d;
    x = (x ^ x >>> 15) * 0x846ca68b;
    return x ^ x >>> 16;
  }

  /** The place of the first element of a row of the last axis. */
  public static long place(long row, long[] extent, long[] strides) {
    long place = 0;
    long rest = row;
    for (int axis = extent.length - 2; axis >= 0; axis--) {
      place += rest % extent[axis] * strides[axis];
      rest /= extent[axis];
    }
    return place;
  }
}
