#!/usr/bin/env python3
"""Makes the small model that ships with the Python package: a trained file with its embedding made Q8_0.

    make_small_model.py tiny-qwen3-q2_0.gguf ../python/sterna/data/sterna-tiny.gguf

Everything else (keys, order of tensors, tokenizer, the other tensors' bytes) is kept, except the name.
"""

import argparse
import dataclasses

import numpy as np
from make_model import FORMATS, GgufWriter, encode_value, read_gguf, tensor_bytes

NAME = "sterna-tiny-manpages"
DESCRIPTION = "8M-parameter ternary Qwen3 that continues manual-page English; for demonstrations and tests"


def quantize_q8_0(x: np.ndarray) -> np.ndarray:
    """float32 values, a multiple of 32, to blocks of 34 bytes."""
    x = x.reshape(-1, 32)
    d = np.abs(x).max(axis=1, keepdims=True) / np.float32(127)
    q = np.rint(np.divide(x, d, out=np.zeros_like(x), where=d > 0)).astype(np.int8)
    return np.hstack([d.astype("<f2").view(np.uint8), q.view(np.uint8)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source")
    parser.add_argument("out")
    args = parser.parse_args()

    source = read_gguf(args.source)
    w = GgufWriter()
    for name, value in source.keys.items():
        w.keys.append((name, encode_value("string", NAME) if name == "general.name" else value))
        if name == "general.name":
            w.key("general.description", "string", DESCRIPTION)
    for tensor in source.tensors.values():
        if tensor.name == "token_embd.weight":
            if tensor.type_id != FORMATS["F16"].type_id:
                parser.error(f"{tensor.name} has type {tensor.type_id}, expected F16")
            values = np.concatenate(list(tensor.chunks())).view("<f2").astype(np.float32)
            blocks = quantize_q8_0(values)
            tensor = dataclasses.replace(
                tensor,
                type_id=FORMATS["Q8_0"].type_id,
                n_bytes=tensor_bytes(FORMATS["Q8_0"], values.size),
                chunks=lambda blocks=blocks: [blocks],
            )
        w.tensors.append(tensor)
    w.write(args.out)


if __name__ == "__main__":
    main()
