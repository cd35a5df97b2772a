"""Writes the files that NumpyFilesTest reads: by numpy, not by this project.

Every array counts 0, 1, 2, ... in C order (modulo 2 for bool, modulo 100 for
the one-byte types). Written with numpy 2.4.6.
"""
import numpy as np

SHAPES = {"scalar": (), "vector": (5,), "empty": (0, 3), "matrix": (2, 3),
          "cube": (2, 3, 4), "five": (2, 1, 3, 1, 2)}
TYPES = ["?", "i1", "u1", "<i4", "<i8", "<f2", "<f4", "<f8",
         ">i4", ">i8", ">f2", ">f4", ">f8"]


def count(shape, dtype):
    n = int(np.prod(shape, dtype=int))
    return (np.arange(n) % (2 if dtype == "?" else 100)).astype(dtype).reshape(shape)


arrays = {}
for t in TYPES:
    for name, shape in SHAPES.items():
        for order in "CF":
            key = f"{np.dtype(t).name}/{'big' if t[0] == '>' else 'little'}/{name}/{order}"
            arrays[key] = np.array(count(shape, t), order=order, copy=True)
np.savez("numpy_stored.npz", **arrays)
np.savez_compressed("numpy_compressed.npz", **arrays)
for version in [(1, 0), (2, 0), (3, 0)]:
    with open(f"numpy_version_{version[0]}.npy", "wb") as f:
        np.lib.format.write_array(f, count((2, 3), "<f4"), version=version)
np.savez("numpy_objects.npz", numbers=count((3,), "<f4"),
         objects=np.array([1, "two"], dtype=object), text=np.array(["a", "b"]),
         complex=np.zeros(2, "c8"), short=np.zeros(2, "i2"),
         fields=np.zeros(2, [("a", "f4"), ("b", "i4")]))
