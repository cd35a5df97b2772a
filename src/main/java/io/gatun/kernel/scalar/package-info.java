/**
 * The kernels as plain loops. They run where the Vector API is missing, and they are the slow
 * truth, in double precision where asked, that every other implementation is tested against.
 */
package io.gatun.kernel.scalar;
