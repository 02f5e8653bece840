"""Streams are generations of their own: any thread may read them, and none may have to wait for ever."""

import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sterna
from sterna.stream import _stop_all

PROMPT = "NAME\n    ls - list"
LONG = {"max_tokens": 60, "temperature": 0, "ignore_eos": True}  # more pieces than a stream is ahead
TIMEOUT = 60


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "sterna-stream"]


@pytest.fixture(scope="module")
def text(tiny) -> str:
    return tiny.generate(PROMPT, **LONG)


def test_readers_change(tiny, text) -> None:
    """A pool gives every piece to another thread; a second stream starts in a thread that read the first."""
    one, two = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
    with one, two:
        a, b = tiny.stream(PROMPT, **LONG), tiny.stream(PROMPT, **LONG)
        pieces = [one.submit(next, a).result(TIMEOUT), two.submit(next, a).result(TIMEOUT)]
        waiting = one.submit(lambda: "".join(b))
        rest = two.submit(lambda: "".join(a)).result(TIMEOUT)
        assert "".join(pieces) + rest == text
        assert waiting.result(TIMEOUT) == text


def test_a_stream_that_nobody_reads_lets_others_have_the_model(tiny, text) -> None:
    tokens = tiny.tokenize(PROMPT)
    want = tiny.forward(tokens)
    stream = tiny.stream(PROMPT, **LONG)
    first = next(stream)
    assert (tiny.forward(tokens) == want).all()
    assert first + "".join(stream) == text
    stream.close()


def test_interleaved(tiny, text) -> None:
    with ThreadPoolExecutor(1) as pool:
        pairs = pool.submit(
            lambda: list(zip(tiny.stream(PROMPT, **LONG), tiny.stream(PROMPT, **LONG), strict=True))
        ).result(TIMEOUT)
    assert ["".join(pieces) for pieces in zip(*pairs, strict=True)] == [text, text]


def test_calls_come_in_order(tiny) -> None:
    """Also when one in the middle gives up."""
    order, entered, leave = [], threading.Event(), threading.Event()

    def hold(token):
        entered.set()
        leave.wait(TIMEOUT)

    def call(number: int) -> None:
        tiny.generate(PROMPT, max_tokens=1, on_token=lambda token: order.append(number))

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(tiny.generate, PROMPT, max_tokens=1, on_token=hold)]
        assert entered.wait(TIMEOUT)
        for number in range(6):
            waiting = len(tiny._turns._queue)
            calls.append(pool.submit(next, tiny.stream(PROMPT)) if number == 3 else pool.submit(call, number))
            while len(tiny._turns._queue) == waiting:
                time.sleep(0.001)
        workers()[0].stop()
        leave.set()
        for done in calls:
            done.exception(TIMEOUT)
    assert order == [0, 1, 2, 4, 5]


def test_within_a_callback(tiny) -> None:
    """Such a call would wait for itself."""
    for call in (
        lambda: tiny.forward([5]),
        lambda: tiny.generate(PROMPT, max_tokens=1),
        lambda: next(tiny.stream(PROMPT, max_tokens=1)),
        lambda: tiny.bench(1, 1),
        lambda: tiny.perplexity([5] * 4, 2),
    ):
        with pytest.raises(RuntimeError, match="busy"):
            tiny.generate(PROMPT, max_tokens=2, on_token=lambda token, call=call: call())
    with pytest.raises(RuntimeError, match="busy"):
        tiny.perplexity([5] * 4, 2, progress=lambda nll, n: tiny.forward([5]))
    assert tiny.forward([5]).shape[0] == 1


def test_stopping_a_stream_that_waits(tiny) -> None:
    """As at the end of the interpreter; another thread's call has the model all the time."""
    entered, leave = threading.Event(), threading.Event()

    def hold(token):
        entered.set()
        leave.wait(TIMEOUT)

    thread = threading.Thread(target=lambda: tiny.generate(PROMPT, max_tokens=1, on_token=hold))
    thread.start()
    assert entered.wait(TIMEOUT)
    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(lambda: list(tiny.stream(PROMPT, **LONG)))
        while not workers():
            time.sleep(0.01)
        _stop_all()
        with pytest.raises(SystemExit, match="ending"):
            reader.result(TIMEOUT)
        assert not workers()
    assert thread.is_alive()
    leave.set()
    thread.join()


def test_dropped_with_others_waiting(tiny) -> None:
    streams = [tiny.stream(PROMPT, **LONG) for _ in range(3)]
    for stream in streams:
        next(stream)
    del stream, streams
    gc.collect()
    assert not workers()


def test_errors_of_a_closed_model() -> None:
    model = sterna.load(n_ctx=64)
    stream = model.stream(PROMPT)
    model.close()
    with pytest.raises(ValueError, match="closed"):
        next(stream)
