"""Standard streams that may be closed, full or not UTF-8, and text files as people save them."""

from __future__ import annotations

import codecs
import os
import re
import sys

_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_STDIN = "standard input"
# What moves a cursor, ends a line or turns the direction of writing.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def _hold(fd: int) -> None:
    try:
        os.fstat(fd)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_RDWR), fd)


def prepare() -> None:
    """Text is UTF-8. A closed descriptor is held by the null device, or the model file would get its number."""
    for fd, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is None:
            _hold(fd)
    for output, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if hasattr(output, "reconfigure"):
            output.reconfigure(encoding="utf-8", errors=errors)
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")


def abandon_unwritable() -> None:
    """After an error: what a stream could not take must not fail once more when Python ends."""
    for output in (sys.stdout, sys.stderr):
        try:
            if output is not None:
                output.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())


def one_line(error: BaseException) -> str:
    """What an error says."""
    if isinstance(error, OSError) and error.filename is None and error.errno is not None:
        return f"standard output: {error.strerror}"  # all else that is read or written has a name
    return " ".join(str(error).split("\n")) or type(error).__name__


def visible(text: str) -> str:
    r"""With control characters as \n or \x1b: names and messages from files must not command a terminal."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def print_line(text: str = "") -> None:
    """A line on standard output that may have words of a file in it."""
    print(visible(text))


def status_line(text: str = "") -> None:
    """A line on standard error, which may have words of a file in it."""
    show_status(visible(text) + "\n")


def show_status(text: str) -> None:
    """On standard error, as it is; the work goes on if nobody can read it."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()
    except (OSError, ValueError):
        pass


def on_terminal() -> bool:
    """Whether a person reads the status lines."""
    return sys.stderr is not None and sys.stderr.isatty()


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def read_stdin(one_line: bool = False) -> bytes:
    if sys.stdin is None:
        raise ValueError(f"{_STDIN} is closed")
    try:
        return sys.stdin.buffer.readline() if one_line else sys.stdin.buffer.read()
    except OSError as e:
        raise OSError(e.errno, e.strerror, _STDIN) from e


def decode(data: bytes, name: str) -> str:
    """The text of a file: UTF-8, or what its byte-order mark says, without the mark.

    Bytes that are not UTF-8 are replaced, with a warning; ValueError if the whole is no text.
    """
    mark, encoding = next(((m, e) for m, e in _MARKS if data.startswith(m)), (b"", "utf-8"))
    data = data[len(mark) :]
    try:
        result = data.decode(encoding)
    except UnicodeDecodeError as e:
        result = data.decode(encoding, errors="replace")
        if encoding != "utf-8" or result.count("\ufffd") * 4 > len(result) + 4:
            raise ValueError(
                f"{name}: got bytes that are not {encoding} ({e.reason}), expected text"
            ) from None
        status_line(f"warning: {name}: byte {e.start} and maybe others are not UTF-8; replaced")
    if "\0" in result:
        raise ValueError(
            f"{name}: got zero bytes (UTF-16 without a byte-order mark, or no text at all), expected UTF-8"
        )
    return result


def read_text(name: str) -> str:
    """A text file; "-" is standard input. Line ends are kept."""
    if name == "-":
        return decode(read_stdin(), _STDIN)
    with open(name, "rb") as file:
        return decode(file.read(), name)
