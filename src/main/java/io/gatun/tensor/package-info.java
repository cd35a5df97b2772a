/**
 * Typed views of off-heap memory, and nothing else: the element types, the shapes, the tensor (a
 * view of a memory segment with shape and strides, which never owns what it shows) and the
 * workspace (one slab that hands out scratch by moving a pointer and is reset, not freed). An arena
 * owns the bytes; whoever allocates closes. This room knows no other room of the library.
 */
package io.gatun.tensor;
