/**
 * What people would use instead, behind one interface ({@link io.gatun.jmh.peer.Peer}), checked and
 * measured beside the library: ONNX Runtime on the same graph, written out as an ONNX model, and
 * oneDNN and MKL through their C interfaces.
 */
package io.gatun.jmh.peer;
