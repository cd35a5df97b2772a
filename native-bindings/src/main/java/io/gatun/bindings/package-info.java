/**
 * Bindings to the native libraries of a GPU, generated from their headers. Nothing is written here
 * by hand, nothing is exported to users of the library, and nothing is needed to build it.
 */
package io.gatun.bindings;
