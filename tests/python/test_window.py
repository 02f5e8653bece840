"""Attention with a window: what it hides, in which layers, and that pages forgotten behind it change nothing."""

import struct
from pathlib import Path

import numpy as np
import pytest
import sterna
from conftest import MODELS
from gguf_writer import ARRAY, BOOL, I32, U32, Gguf

N_LAYER = 2  # of mini-spm
WINDOW = 40
IDS = [int(i) for i in np.random.default_rng(1).integers(3, 300, 1000)]
KEY = "llama.attention.sliding_window"


def windowed(window: int = WINDOW) -> Gguf:
    return Gguf.read(MODELS / "mini-spm.gguf").set_u32(KEY, window)


def load(file: Gguf, tmp_path: Path, **options) -> sterna.Model:
    path = tmp_path / "model.gguf"
    path.write_bytes(file.build())
    return sterna.load(path, **({"n_ctx": 1024} | options))


def bools(*values: bool) -> bytes:
    return struct.pack(f"<IQ{len(values)}?", BOOL, len(values), *values)


def reach(file: Gguf, tmp_path: Path, n: int = 40) -> int:
    """The last position whose logits the first token has a part in."""
    with load(file, tmp_path) as model:
        differs = np.any(model.forward(IDS[:n]) != model.forward([IDS[0] + 1, *IDS[1:n]]), axis=1)
    last = int(np.flatnonzero(differs)[-1])
    assert differs[: last + 1].all()
    return last


@pytest.mark.parametrize("window", [1, 2, 5])
def test_window_includes_its_own_token(tmp_path: Path, window: int) -> None:
    """A token reaches window - 1 positions further with each layer."""
    assert reach(windowed(window), tmp_path) == N_LAYER * (window - 1)


@pytest.mark.parametrize(
    ("kind", "value", "local"),
    [
        (U32, struct.pack("<I", 0), 2),
        (U32, struct.pack("<I", 6), 2),
        (U32, struct.pack("<I", 2), 1),  # the last layer of each two sees all
        (U32, struct.pack("<I", 1), 0),
        (ARRAY, bools(True, True), 2),
        (ARRAY, bools(False, True), 1),
        (ARRAY, bools(False, False), 0),
        (ARRAY, struct.pack("<IQii", I32, 2, 0, 1), 1),
    ],
)
def test_pattern_of_layers(tmp_path: Path, kind: int, value: bytes, local: int) -> None:
    file = windowed(5).set(KEY + "_pattern", kind, value)
    assert reach(file, tmp_path) == (2 * 4 if local == 2 else 39)
    with load(file, tmp_path) as model, load(windowed(0), tmp_path) as whole:
        assert (model.forward(IDS[:40]).tobytes() == whole.forward(IDS[:40]).tobytes()) == (local == 0)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(ARRAY, bools(True)), (ARRAY, bools(True, False, True)), (I32, struct.pack("<i", -1)), (BOOL, b"\1")],
)
def test_bad_pattern(tmp_path: Path, kind: int, value: bytes) -> None:
    message = "_pattern', got another value, expected a period, or one boolean for each of the 2 layers"
    with pytest.raises(ValueError, match=message):
        load(windowed().set(KEY + "_pattern", kind, value), tmp_path)


@pytest.mark.parametrize("window", [0, 600, 1024, 5000])
def test_window_that_hides_nothing(tmp_path: Path, window: int) -> None:
    with load(windowed(window), tmp_path) as model, load(windowed(0).drop_key(KEY), tmp_path) as whole:
        assert not any("window" in w for w in model.info.warnings)
        np.testing.assert_array_equal(model.forward(IDS[:600]), whole.forward(IDS[:600]))


@pytest.mark.parametrize("kv_type", ["f16", "int8"])
@pytest.mark.parametrize("n_batch", [3, 64, 512])
def test_passes_and_sessions(tmp_path: Path, kv_type: str, n_batch: int) -> None:
    """However a text came to be, also after pages were forgotten, it has the bits of one pass over it."""
    with load(windowed(), tmp_path, kv_type=kv_type, n_batch=1024) as model:
        want = model.forward(IDS[:900])
    with load(windowed(), tmp_path, kv_type=kv_type, n_batch=n_batch) as model:
        np.testing.assert_array_equal(model.forward(IDS[:900]), want)
        session = model.session()
        session.forward(IDS[:700])
        fork = session.fork()
        session.save(tmp_path / "saved")
        np.testing.assert_array_equal(session.forward(IDS[700:900]), want[700:])
        for n in (899, 880, 300, 256, 100, 0):  # the pages of most of these are gone
            session.truncate(n)
            assert session.tokens == IDS[:n]
            np.testing.assert_array_equal(session.forward(IDS[n:900]), want[n:])
        loaded = model.load_session(tmp_path / "saved")
        for other in (fork, loaded):
            other.truncate(690)
            np.testing.assert_array_equal(other.forward(IDS[690:900]), want[690:])
        loaded.truncate(30)  # not of what was in no file
        np.testing.assert_array_equal(loaded.forward(IDS[30:900]), want[30:])


def test_saved_sessions_have_the_window_only(tmp_path: Path) -> None:
    sizes = {}
    for window in (0, WINDOW):
        with load(windowed(window), tmp_path) as model:
            session = model.session()
            session.forward(IDS[:900])
            session.save(tmp_path / f"saved{window}")
            page = model.info.kv_bytes_per_token * 256
            sizes[window] = (tmp_path / f"saved{window}").stat().st_size
        other = load(windowed(WINDOW - window), tmp_path)
        with other, pytest.raises(sterna.UnsupportedError, match="another model"):
            other.load_session(tmp_path / f"saved{window}")
    assert sizes[0] - sizes[WINDOW] == 3 * page  # 900 tokens have 4, of which the last sees one or two
    assert page > 0


def test_generation_goes_on_from_what_is_kept(tmp_path: Path) -> None:
    options = {"temperature": 0, "ignore_eos": True, "max_tokens": 8}
    with load(windowed(), tmp_path) as model:
        want = {n: model.session().generate(IDS[:n], **options) for n in (500, 890, 900)}
        session = model.session()
        for n in (900, 890, 500, 900):  # to 890 it goes back, to 500 it begins again
            assert session.generate(IDS[:n], **options) == want[n]
        assert model.generate([IDS[:900], IDS[:890], IDS[:500]], **options) == [
            want[900],
            want[890],
            want[500],
        ]
        # Drafts that are wrong are taken back.
        repeated = IDS[:9] * 60
        plain = model.session().complete(repeated, **options | {"max_tokens": 60})
        drafted = model.session().complete(repeated, **options | {"max_tokens": 60, "lookup": 8})
        assert plain.tokens == drafted.tokens and drafted.n_drafted > 0


@pytest.mark.parametrize(("local", "reused"), [((True, False), 512), ((True, True), 256)])
def test_texts_that_begin_alike(tmp_path: Path, local: tuple[bool, ...], reused: int) -> None:
    """Pages are shared while another text is about there, and computed anew when they are gone."""
    file = windowed().set(KEY + "_pattern", ARRAY, bools(*local))
    options = {"temperature": 1, "seed": 5, "ignore_eos": True, "max_tokens": 4}
    prompts = [IDS[:600], IDS[:600] + [9, 8, 7], IDS[:300] + [5] * 400, IDS[:270]]
    with load(file, tmp_path, n_batch=1024) as alone:
        want = [alone.session().complete(p, **options).tokens for p in prompts]
    with load(file, tmp_path, n_batch=64) as model:
        assert [c.tokens for c in model.complete(prompts, **options)] == want
        first = model.session()
        first.forward(IDS[:540])  # if all is local its first page is gone, the second still there
        second = model.session().complete(prompts[0], **options)
        assert second.tokens == want[0] and second.n_reused == reused
        late = model.session().complete(prompts[3], **options)
        assert late.tokens == want[3] and late.n_reused == 0
