"""GgufFile is a mapping, and its tensors are arrays."""

import collections.abc
import gc

import numpy as np
import pytest
import sterna
from conftest import MODELS
from gguf_writer import STRING, Gguf, string

PATH = MODELS / "mini-llama-mixed.gguf"
FILES = sorted(MODELS.glob("*.gguf"))


@pytest.fixture
def file() -> sterna.GgufFile:
    return sterna.open_gguf(PATH)


def test_mapping(file) -> None:
    assert isinstance(file, collections.abc.Mapping)
    names = list(file)
    assert names == list(file.keys()) and len(file) == len(names) > 5
    assert dict(file) == dict(file.items()) == dict(zip(names, file.values(), strict=True))
    assert "general.architecture" in file and file["general.architecture"] == "llama"
    assert file.get("general.architecture", 1) == "llama"
    for key in ("absent", "general.architecture\0", "\udc80", 5, None, b"general.architecture", ["x"]):
        assert key not in file and file.get(key) is None and file.get(key, 7) == 7
        with pytest.raises(KeyError) as error:
            file[key]
        assert error.value.args == (key,)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_arrays(path) -> None:
    file, raw = sterna.open_gguf(path), np.fromfile(path, np.uint8)
    for t in file.tensors():
        data, values = t.data, t.dequantize()
        assert not data.flags.writeable and data.nbytes == t.bytes
        np.testing.assert_array_equal(data.reshape(-1).view(np.uint8), raw[t.offset : t.offset + t.bytes])
        assert values.shape == tuple(reversed(t.shape)) and values.dtype == np.float32
        assert values.flags.writeable
        if t.format in ("F32", "F16"):
            assert data.dtype == {"F32": np.float32, "F16": np.float16}[t.format]
            np.testing.assert_array_equal(data.astype(np.float32), values)
        else:
            assert data.dtype == np.uint8 and data.ndim == 1
            rows = values.reshape(-1, t.shape[0])
            np.testing.assert_array_equal(sterna.dequantize(t.format, data, rows.shape), rows)


def test_arrays_keep_the_file_open(file) -> None:
    data = [t.data for t in file.tensors()]
    want = [d.copy() for d in data]
    tensor = file.tensor("token_embd.weight")
    del file
    gc.collect()
    for d, w in zip(data, want, strict=True):
        np.testing.assert_array_equal(d, w)
    assert tensor.dequantize().shape == tuple(reversed(tensor.shape))


def test_tensor_by_name(file) -> None:
    assert file.tensor("output_norm.weight").name == "output_norm.weight"
    for name in ("absent", 5, None):
        with pytest.raises(KeyError):
            file.tensor(name)


def test_reprs(file, mini) -> None:
    completion = mini.complete([5], max_tokens=2, temperature=0, ignore_eos=True)
    seen = []
    mini.generate([5], max_tokens=1, ignore_eos=True, on_token=seen.append)
    for value, parts in (
        (file, ["GgufFile", "mini-llama-mixed.gguf", "version=3"]),
        (file.tensor("output_norm.weight"), ["GgufTensor", "output_norm.weight", "F32", "[128]"]),
        (completion, ["Completion", repr(completion.tokens), "length"]),
        (seen[0], ["Token", f"id={seen[0].id}"]),
        (completion.screen, ["ScreenStats", "tokens=0"]),
        (mini.info, ["ModelInfo", "bitnet", "I2_S", mini.info.isa]),
        (mini.tensors()[0], ["TensorInfo", mini.tensors()[0].name]),
        (sterna.isas()[-1], ["IsaInfo", "scalar"]),
        (sterna.kernels()[-1], ["KernelInfo", "scalar"]),
        (sterna.explain_kernels("w2_row", 16, 128, [1]), ["KernelExplanation", "KernelTiming"]),
        (sterna.pack(np.ones((4, 64), np.uint8), np.ones(4, np.float32)), ["PackedWeights", "4x64"]),
    ):
        text = repr(value)
        assert text.startswith("<sterna.") and all(part in text for part in parts), text
        assert len(text) < 1000


def test_html_is_escaped(tmp_path) -> None:
    path = tmp_path / "x.gguf"
    g = Gguf.read(PATH).set("general.name", STRING, string("<script>alert(1)</script>" * 9))
    path.write_bytes(g.build())
    with sterna.load(path, n_ctx=16) as model:
        html = model.info._repr_html_()
    assert html.startswith("<table>") and "<script" not in html and "&lt;script&gt;" in html
