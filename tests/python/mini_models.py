"""Changed copies of a model in tests/data/models, for the tests of what architectures do."""

import struct
from pathlib import Path

import numpy as np
import pytest
import sterna
from conftest import MODELS
from gguf_writer import ARRAY, BOOL, STRING, Gguf, string

IDS = [
    int(i) for i in np.random.default_rng(3).integers(3, 300, 60)
]  # longer than windows, original contexts


class Mini:
    def __init__(self, arch: str, file: str | None = None):
        """`file`: the model's name, if that is not its architecture's."""
        self.arch, self.name = arch, file or arch

    def file(self, **keys: float | int | str | list[bool]) -> Gguf:
        """With these keys, written with __ for a dot."""
        file = Gguf.read(MODELS / f"mini-{self.name}.gguf")
        for name, value in keys.items():
            self.set(file, name.replace("__", "."), value)
        return file

    def set(self, file: Gguf, key: str, value: float | int | str | list[bool]) -> Gguf:
        key = f"{self.arch}.{key}"
        if isinstance(value, str):
            return file.set(key, STRING, string(value))
        if isinstance(value, list):
            return file.set(key, ARRAY, struct.pack(f"<IQ{len(value)}?", BOOL, len(value), *value))
        return file.set_f32(key, value) if isinstance(value, float) else file.set_u32(key, value)

    def as_arch(self, file: Gguf, arch: str) -> Gguf:
        """The same tensors and keys as those of another architecture."""
        file.keys = [(str(k).replace(f"{self.arch}.", f"{arch}."), t, v) for k, t, v in file.keys]
        return file.set("general.architecture", STRING, string(arch))


def load(file: Gguf, tmp_path: Path, **options) -> sterna.Model:
    path = tmp_path / "model.gguf"
    path.write_bytes(file.build())
    return sterna.load(path, **({"n_ctx": 64} | options))


def logits(file: Gguf, tmp_path: Path) -> np.ndarray:
    with load(file, tmp_path) as model:
        assert model.info.warnings == []
        return model.forward(IDS)


def silence(file: Gguf, *layers: int) -> Gguf:
    """Attention of these layers adds nothing to the stream (their matrices' scales are 0)."""
    for i in layers:
        t = file.tensor(f"blk.{i}.attn_output.weight")
        t.data = bytes(len(t.data))
    return file


def check_sessions(arch: str, tmp_path: Path, **other: float | int) -> None:
    """One that is saved goes on with the bits of one that is not; a model with `other` keys refuses it."""
    mini = Mini(arch)
    with load(mini.file(), tmp_path) as model:
        want = model.forward(IDS)
        session = model.session()
        np.testing.assert_array_equal(session.forward(IDS[:37]), want[:37])
        session.save(tmp_path / "session")
        np.testing.assert_array_equal(model.load_session(tmp_path / "session").forward(IDS[37:]), want[37:])
    with (
        load(mini.file(**other), tmp_path) as model,
        pytest.raises(sterna.UnsupportedError, match="another model"),
    ):
        model.load_session(tmp_path / "session")
