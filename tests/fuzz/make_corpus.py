#!/usr/bin/env python3
"""Writes the seed corpus of the GGUF fuzzer: small valid files, and the shapes of past vulnerabilities of GGUF readers.

python tests/fuzz/make_corpus.py [folder]        (default: corpus/gguf next to this script)
"""

import pathlib
import struct
import sys

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
SCALAR = {
    U8: "B",
    I8: "b",
    U16: "H",
    I16: "h",
    U32: "I",
    I32: "i",
    F32: "f",
    BOOL: "B",
    U64: "Q",
    I64: "q",
    F64: "d",
}

# Type id: (elements, bytes) per block, for one valid tensor of each loadable type.
BLOCKS = {
    0: (1, 4),
    1: (1, 2),
    2: (32, 18),
    3: (32, 20),
    6: (32, 22),
    7: (32, 24),
    8: (32, 34),
    10: (256, 84),
    11: (256, 110),
    12: (256, 144),
    13: (256, 176),
    14: (256, 210),
    16: (256, 66),
    17: (256, 74),
    18: (256, 98),
    19: (256, 50),
    20: (32, 18),
    21: (256, 110),
    22: (256, 82),
    23: (256, 136),
    26: (1, 4),
    29: (256, 56),
    30: (1, 2),
    34: (256, 54),
    35: (256, 66),
    39: (32, 17),
    41: (128, 18),
    42: (64, 18),
    142: (128, 34),
}


def string(text, length=None):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(data) if length is None else length) + data


def value(kind, v):
    return string(v) if kind == STRING else struct.pack("<" + SCALAR[kind], v)


def key(name, kind, v):
    return string(name) + struct.pack("<i", kind) + value(kind, v)


def array(name, kind, values, count=None):
    count = len(values) if count is None else count
    return string(name) + struct.pack("<iiQ", ARRAY, kind, count) + b"".join(value(kind, v) for v in values)


def tensor(name, dims, kind, offset, n_dims=None):
    n_dims = len(dims) if n_dims is None else n_dims
    return string(name) + struct.pack(f"<I{len(dims)}QiQ", n_dims, *dims, kind, offset)


def gguf(keys=(), tensors=(), data=b"", n_keys=None, n_tensors=None, version=3, alignment=32):
    out = b"GGUF" + struct.pack(
        "<IQQ",
        version,
        len(tensors) if n_tensors is None else n_tensors,
        len(keys) if n_keys is None else n_keys,
    )
    out += b"".join(keys) + b"".join(tensors)
    return out + bytes(-len(out) % alignment) + data if tensors else out


def ramp(n):
    return bytes(i * 37 % 251 for i in range(n))


def all_types():
    tensors, data = [], b""
    for kind, (elements, size) in BLOCKS.items():
        tensors.append(tensor(f"blk.0.t{kind}.weight", [2 * elements, 2], kind, len(data)))
        data += ramp(4 * size) + bytes(-4 * size % 32)
    tensors.append(tensor("blk.0.i2_s.weight", [128, 2], 36, len(data)))
    return gguf([ARCH], tensors, data + ramp(64) + struct.pack("<f", 0.5) + bytes(28))


def one(dims, kind, size, offset=0, **kwargs):
    """A file with one tensor."""
    return gguf([ARCH], [tensor("t", dims, kind, offset, **kwargs)], ramp(size))


ARCH = key("general.architecture", STRING, "llama")
TWO = [tensor("a", [8], 0, 0), tensor("b", [8], 0, 32)]

FILES = {
    # Valid.
    "valid-minimal": gguf(
        [ARCH, array("x.a", U32, [7, 9])], [tensor("t", [4], 0, 0)], struct.pack("<4f", 1, 2, 3, 4)
    ),
    "valid-empty": gguf(),
    "valid-version2": gguf([ARCH], TWO, ramp(64), version=2),
    "valid-all-types": all_types(),
    "valid-keys": gguf(
        [ARCH]
        + [key(f"k.{k}", k, 1) for k in SCALAR]
        + [array(f"a.{k}", k, [0, 1]) for k in SCALAR]
        + [
            array("tokenizer.ggml.tokens", STRING, ["<s>", "a", "", "the"]),
            array("empty", I32, []),
            key("split.count", U16, 1),
        ]
    ),
    "valid-alignment": gguf(
        [key("general.alignment", U32, 64)],
        [tensor("a", [8], 0, 0), tensor("b", [8], 0, 64)],
        ramp(128),
        alignment=64,
    ),
    "valid-scalar": one([], 0, 4),
    "valid-q2-group128": gguf(
        [ARCH], [tensor("a", [4096], 42, 0), tensor("b", [4096], 42, 1088)], ramp(2176)
    ),
    # Refused.
    "refused-stq1": gguf([ARCH], [tensor("a", [4096], 42, 0), tensor("b", [4096], 42, 672)], ramp(1344)),
    "refused-tl2-or-mxfp4": one([256], 39, 160),
    "refused-early-q1_0": gguf([ARCH], [tensor("a", [128], 40, 0), tensor("b", [128], 40, 32)], ramp(64)),
    "refused-version1": gguf([ARCH], version=1),
    "refused-big-endian": gguf([ARCH], version=3 << 24),
    "refused-split": gguf(
        [key("split.no", U16, 0), key("split.count", U16, 3), key("split.tensors.count", I32, 2)]
    ),
    # Past vulnerabilities; the identifiers name the reader that had them.
    "cve-2024-21802-n-dims": one([1] * 5, 0, 32),
    "cve-2024-21802-n-dims-max": one([1], 0, 32, n_dims=2**32 - 1),
    "cve-2024-21825-array-size-wraps": gguf([array("k", U64, [1], count=2**61 + 1)]),
    "cve-2024-21825-string-array": gguf([array("k", STRING, ["x"], count=2**62)]),
    "cve-2024-21836-tensor-count": gguf([ARCH], TWO, ramp(64), n_tensors=2**60 + 1),
    "cve-2024-23496-string-length": gguf([string("k") + struct.pack("<i", STRING) + string("x", 2**64 - 1)]),
    "cve-2024-23496-key-length": gguf([string("k", 2**64 - 1)]),
    "cve-2024-23605-key-count": gguf([ARCH], n_keys=2**60 + 1),
    "cve-2024-32878-error-in-second-key": gguf([ARCH, key("k", U32, 1)[:-2]]),
    "cve-2024-41130-counts-without-content": gguf(n_tensors=1, n_keys=1),
    "cve-2025-53630-sum-of-sizes": gguf(
        [ARCH], [tensor("a", [2**62 - 8], 0, 0), tensor("b", [2**62 - 8], 0, 32)], ramp(64)
    ),
    "cve-2026-27940-padded-sum": gguf(
        [ARCH], [tensor("a", [2**63 - 1], 24, 0), tensor("b", [2**63 - 1], 24, 32)], ramp(64)
    ),
    "cve-2026-33298-elements-times-size": one([2**32, 2**30], 0, 64),
    "cve-2026-33298-elements-wrap": one([2**32, 2**32], 0, 64),
    "cve-2026-7482-dims-beyond-file": one([2**20, 2**10], 1, 64),
    "padding-wraps": one([2**63 - 1], 25, 64),
    "multiply-before-divide": one([2**62, 2], 2, 64),
    "alignment-huge": gguf([key("general.alignment", U32, 2**31)], [tensor("t", [8], 0, 0)], ramp(32)),
    "alignment-zero": gguf([key("general.alignment", U32, 0)], [tensor("t", [8], 0, 0)], ramp(32)),
    "type-negative": one([8], -1, 32),
    "type-unknown": one([8], 2**31 - 1, 32),
    "value-type-negative": gguf([string("k") + struct.pack("<iI", -1, 0)]),
    "array-of-arrays": gguf([string("k") + struct.pack("<iiQ", ARRAY, ARRAY, 1) + struct.pack("<iQ", U8, 0)]),
    "dimension-zero": one([0, 2**40], 0, 32),
    "dimension-negative": one([2**64 - 1], 0, 32),
    "offset-wraps": one([8], 0, 32, offset=2**64 - 32),
    "offset-unaligned": one([8], 0, 32, offset=1),
    "overlap": gguf([ARCH], [tensor("a", [16], 0, 0), tensor("b", [8], 0, 32)], ramp(64)),
    "same-offset": gguf([ARCH], [tensor("a", [8], 0, 0), tensor("b", [8], 0, 0)], ramp(64)),
    "duplicate-key": gguf([ARCH, ARCH]),
    "duplicate-tensor": gguf([ARCH], [tensor("a", [8], 0, 0), tensor("a", [8], 0, 32)], ramp(64)),
    "name-64-bytes": gguf([ARCH], [tensor("n" * 64, [8], 0, 0)], ramp(32)),
    "name-nul": gguf([ARCH], [tensor("a\0b", [8], 0, 0)], ramp(32)),
    "bool-2": gguf([key("k", BOOL, 2)]),
}


def main():
    default = pathlib.Path(__file__).resolve().parent / "corpus" / "gguf"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in FILES.items():
        (folder / f"{name}.gguf").write_bytes(data)
    print(f"{len(FILES)} files, {sum(map(len, FILES.values()))} bytes in {folder}")


if __name__ == "__main__":
    main()
