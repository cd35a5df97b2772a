/**
 * Programs that find out whether the kernels are as fast as they can be in every process, not only
 * in one that does nothing else: whether the compiler of the JVM has lost one, in fresh processes
 * and in those whose profiles are full of other vector code ({@link io.gatun.jmh.gate.KernelGate}),
 * and how long a process takes to its first answer ({@link io.gatun.jmh.gate.ColdStartSideBySide}).
 *
 * <pre>{@code
 * java -cp 'jmh/target/benchmarks.jar:jmh/target/lib/*' io.gatun.jmh.gate.KernelGate 5 JAVA-HOME…
 * }</pre>
 */
package io.gatun.jmh.gate;
