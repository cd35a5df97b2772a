/**
 * Bindings to the native libraries of a GPU, generated from the headers in {@code
 * native-bindings/headers}; {@link io.gatun.bindings.Libraries} alone is written by hand. Nothing
 * is exported to users of the library, and nothing is needed to build it.
 *
 * <p>The bindings are bare: whoever calls checks what comes back.
 */
package io.gatun.bindings;
