/** Benchmarks: kernels and whole networks, side by side with the peers they are compared with. */
package io.gatun.jmh;
