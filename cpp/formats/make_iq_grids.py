#!/usr/bin/env python3
"""Writes iq_grids.inc, the tables of the IQ formats, from the gguf package: make_iq_grids.py > iq_grids.inc

An entry is 8 or 4 lanes of one of 3 or 8 magnitudes; here it is the numbers of its magnitudes, the first lane lowest.
"""

import gguf
import numpy as np

# Table, class of gguf.quants, bits of a lane.
GRIDS = [
    ("kGridIq2Xxs", "IQ2_XXS", 2),
    ("kGridIq2Xs", "IQ2_XS", 2),
    ("kGridIq2S", "IQ2_S", 2),
    ("kGridIq3Xxs", "IQ3_XXS", 4),
    ("kGridIq3S", "IQ3_S", 4),
    ("kGridIq1S", "IQ1_S", 2),
]


def entries(name: str, bits: int) -> list[int]:
    quant = getattr(gguf.quants, name)
    quant.init_grid()
    lanes = quant.grid.reshape(quant.grid_shape)
    numbers = np.searchsorted(np.array(quant.grid_map), lanes)
    return (numbers << bits * np.arange(lanes.shape[1])).sum(axis=1).tolist()


def main() -> None:
    print("// The tables of the IQ formats (iq.h), which are part of what their files mean.")
    print("// Written by make_iq_grids.py from the gguf package (llama.cpp, MIT licence); do not edit.")
    for table, name, bits in GRIDS:
        print(f"\ninline constexpr uint16_t {table}[] = {{")
        line = "   "
        for entry in entries(name, bits):
            text = f" {entry:#x},"
            if len(line) + len(text) > 110:
                print(line)
                line = "   "
            line += text
        print(line + "\n};")


if __name__ == "__main__":
    main()
