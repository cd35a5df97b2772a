/**
 * What people would use instead, behind one interface, so that it can be compared with and measured
 * beside the library: ONNX Runtime on the same graph, written out as an ONNX model.
 */
package io.gatun.jmh.peer;
