"""What gemma3 takes from the metadata and what it takes for granted."""

import dataclasses
import re
import struct
from pathlib import Path

import pytest
from gguf_writer import ARRAY, BOOL, STRING, U32, Gguf, string
from mini_models import Mini, load, logits

MINI = Mini("gemma3")
mini = MINI.file
N_LAYER = 7


def all_local(file: Gguf) -> Gguf:
    value = struct.pack(f"<IQ{N_LAYER}?", BOOL, N_LAYER, *[True] * N_LAYER)
    return file.set("gemma3.attention.sliding_window_pattern", ARRAY, value)


def with_layers(n: int) -> Gguf:
    """The same with other layers: copies of the first ones."""
    file = mini().set_u32("gemma3.block_count", n)
    of_layer = [(t, re.match(r"blk\.(\d+)\.", t.name)) for t in file.tensors]
    file.tensors = [t for t, match in of_layer if not match]
    for i in range(n):
        for t, match in of_layer:
            if match and int(match[1]) == i % N_LAYER:
                file.tensors.append(dataclasses.replace(t, name=t.name.replace(match[0], f"blk.{i}.")))
    return file


@pytest.mark.parametrize(
    ("key", "kind", "code", "value", "other"),
    [
        ("attention.sliding_window_pattern", U32, "I", 6, 3),
        ("rope.freq_base_swa", 6, "f", 1e4, 2e4),
        ("attention.scale", 6, "f", 32**-0.5, 0.25),
    ],
)
def test_default(tmp_path: Path, key: str, kind: int, code: str, value: float, other: float) -> None:
    want = logits(mini(), tmp_path)
    for x, same in ((value, True), (other, False)):
        got = logits(mini().set(f"gemma3.{key}", kind, struct.pack("<" + code, x)), tmp_path)
        assert (got.tobytes() == want.tobytes()) == same


def test_local_layers_have_angles_of_their_own(tmp_path: Path) -> None:
    """The base and the scaling of the file are those of the global layers."""

    def changed(file: Gguf) -> list[Gguf]:
        scaled = dataclasses.replace(file, keys=list(file.keys))
        scaled.set("gemma3.rope.scaling.type", STRING, string("linear")).set_f32(
            "gemma3.rope.scaling.factor", 8
        )
        based = dataclasses.replace(file, keys=list(file.keys)).set_f32("gemma3.rope.freq_base", 3e4)
        return [scaled, based]

    for file, same in ((mini(), False), (all_local(mini()), True)):
        want = logits(file, tmp_path)
        for other in changed(file):
            assert (logits(other, tmp_path).tobytes() == want.tobytes()) == same


def test_no_window(tmp_path: Path) -> None:
    """Then every layer is global."""
    whole = logits(mini().drop_key("gemma3.attention.sliding_window"), tmp_path)
    assert logits(mini().set_u32("gemma3.attention.sliding_window", 0), tmp_path).tobytes() == whole.tobytes()
    pattern = ("gemma3.attention.sliding_window_pattern", U32, struct.pack("<I", 1))
    assert logits(mini().set(*pattern), tmp_path).tobytes() == whole.tobytes()
    assert logits(mini(), tmp_path).tobytes() != whole.tobytes()


def test_scale_of_27b(tmp_path: Path) -> None:
    """62 layers: 1 / sqrt(embedding length / heads), 64 / 4 here, whatever the length of a head."""
    deep = logits(with_layers(62), tmp_path)
    assert (
        logits(with_layers(62).set_f32("gemma3.attention.scale", 0.25), tmp_path).tobytes() == deep.tobytes()
    )
    assert (
        logits(with_layers(62).set_f32("gemma3.attention.scale", 32**-0.5), tmp_path).tobytes()
        != deep.tobytes()
    )


def test_what_is_not_a_base(tmp_path: Path) -> None:
    for base in (1.0, -3.0, float("nan")):
        with pytest.raises(ValueError, match="rope.freq_base_swa', got .*, expected a finite number above 1"):
            load(mini().set_f32("gemma3.rope.freq_base_swa", base), tmp_path)


def test_info(tmp_path: Path) -> None:
    with load(mini(), tmp_path) as model:
        info = model.info
        assert (info.architecture, info.activation) == ("gemma3", "gelu")
        assert (info.n_layer, info.n_layer_local, info.window) == (7, 6, 24)
