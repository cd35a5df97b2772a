/**
 * The kernels on the Vector API. This is the only room that names the incubator module; whether it
 * can be used on this Java is decided once, before any class of it is loaded.
 */
package io.gatun.kernel.simd;
