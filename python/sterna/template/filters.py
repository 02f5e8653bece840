"""The filters of Jinja and Hugging Face that a template may use, as theirs but paid for and with lists for iterators.

Each takes the interpreter, the value and the filter's own arguments under Jinja's names.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from . import strings
from .attributes import method, subscript
from .budget import TemplateFault
from .formats import percent
from .operators import add, elements, equal, is_number, key, less, size_of, sort, truth
from .show import to_json, to_text
from .text import concat, cut, recase
from .values import Group, Undefined, bounded, type_name

if TYPE_CHECKING:
    from .interpreter import Interpreter as Run

_WORD_BEGINNINGS = re.compile(r"([-\s({\[<]+)")  # where Jinja's title begins a word
_DIGITS = 400  # of a number in text, which may be a float without exponent
_STEPS_OF_ESCAPE = 10
_STEPS_OF_ROUND = 4  # of the largest numbers
_HTML = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&#39;"), ('"', "&#34;"))


def _whole(value: Any, what: str) -> int:
    if not isinstance(value, int):
        raise TemplateFault(f"{what} must be a whole number, got {type_name(value)}")
    return value


# --- text -------------------------------------------------------------------------------------------------


def _on_text(change: Callable[..., Any]) -> Callable[..., Any]:
    """A filter from a method of text; other values become text first."""

    def apply(run: Run, value: Any, /) -> Any:
        return change(run.budget, to_text(run.budget, value))

    return apply


def trim(run: Run, value: Any, /, chars: Any = None) -> str:
    return strings.strip(run.budget, to_text(run.budget, value), chars)


def replace(run: Run, s: Any, /, old: Any, new: Any, count: Any = None) -> str:
    texts = [to_text(run.budget, value) for value in (s, old, new)]
    return strings.replace(run.budget, *texts, -1 if count is None else count)


def title(run: Run, value: Any, /) -> str:
    text = to_text(run.budget, value)
    run.budget.make(16 * len(text))
    return recase(text, _titled)


def _titled(text: str) -> str:
    return "".join(word[:1].upper() + word[1:].lower() for word in _WORD_BEGINNINGS.split(text))


def indent(run: Run, s: Any, /, width: Any = 4, first: Any = False, blank: Any = False) -> str:
    budget, text = run.budget, to_text(run.budget, s)
    if not isinstance(width, str):
        budget.make(max(_whole(width, "a width"), 0))
        width = " " * width
    lines = strings.split_lines(budget, strings.join(budget, "", (text, "\n")))
    budget.make(len(lines) * len(width))
    rest = [concat((width, line)) if line or blank else line for line in lines[1:]]
    start = concat((width, lines[0])) if first else lines[0]
    return strings.join(budget, "\n", [start, *rest])


def truncate(
    run: Run, s: Any, /, length: Any = 255, killwords: Any = False, end: Any = "...", leeway: Any = 5
) -> Any:
    if _whole(length, "a length") < len(end) or _whole(leeway, "leeway") < 0:
        raise TemplateFault("truncate: the length must be at least that of its end, leeway at least 0")
    if size_of(s) <= length + leeway:
        return s
    if not isinstance(s, str):
        raise TemplateFault(f"truncate: {type_name(s)} is too long, and no text")
    budget, text = run.budget, s
    budget.make(2 * len(text) + len(end))
    start = cut(text, slice(length - len(end)))
    if not killwords and (space := start.rfind(" ")) >= 0:
        start = cut(start, slice(space))
    return concat((start, end))


def wordwrap(
    run: Run,
    s: Any,
    /,
    width: Any = 79,
    break_long_words: Any = True,
    wrapstring: Any = "\n",
    break_on_hyphens: Any = True,
) -> str:
    """The text wrapped is of no origin."""
    budget, text = run.budget, str(to_text(run.budget, s))
    if _whole(width, "a width") < 1 or not isinstance(wrapstring, str):
        raise TemplateFault("wordwrap: width must be at least 1, wrapstring text")
    budget.make(len(text) ** 2 // 64)  # Python's textwrap takes that long for one long word
    budget.step(len(text))
    lines = strings.split_lines(budget, text)
    wrapper = textwrap.TextWrapper(
        width=width,
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=bool(break_long_words),
        break_on_hyphens=bool(break_on_hyphens),
    )
    wrapped = [strings.join(budget, wrapstring, wrapper.wrap(line)) for line in lines]
    return strings.join(budget, wrapstring, wrapped)


def wordcount(run: Run, s: Any, /) -> int:
    text = to_text(run.budget, s)
    run.budget.make(4 * len(text))
    return sum(1 for _ in re.finditer(r"\w+", str(text)))


def escape(run: Run, value: Any, /) -> str:
    text = to_text(run.budget, value)
    run.budget.step(_STEPS_OF_ESCAPE)
    for plain, escaped in _HTML:
        text = strings.replace(run.budget, text, plain, escaped)
    return text


def urlencode(run: Run, value: Any, /) -> str:
    budget = run.budget
    if not isinstance(value, (dict, list, tuple)):
        return _quoted(run, value, "/")
    pairs = items(run, value) if isinstance(value, dict) else elements(budget, value)
    queries = []
    for pair in pairs:
        name, content = elements(budget, pair)
        queries.append("=".join(_quoted(run, part, "").replace("%20", "+") for part in (name, content)))
    return strings.join(budget, "&", queries)


def _quoted(run: Run, value: Any, safe: str) -> str:
    text = str(to_text(run.budget, value))
    run.budget.make(12 * len(text))
    return quote(text, safe)


def format_filter(run: Run, value: Any, /, *args: Any, **kwargs: Any) -> Any:
    if args and kwargs:
        raise TemplateFault("format: either names or positions")
    return percent(run.budget, to_text(run.budget, value), kwargs or args)


# --- numbers ----------------------------------------------------------------------------------------------


def to_int(run: Run, value: Any, /, default: Any = 0, base: Any = 10) -> Any:
    if isinstance(value, Undefined):
        value.fail()
    if isinstance(value, str) and len(value) > _DIGITS:
        return default
    try:
        if isinstance(value, str):
            return bounded(int(str(value), base))
        return bounded(int(value))
    except (TypeError, ValueError, OverflowError):
        pass
    try:
        return bounded(int(float(value)))
    except (TypeError, ValueError, OverflowError):
        return default


def to_float(run: Run, value: Any, /, default: Any = 0.0) -> Any:
    if isinstance(value, Undefined):
        value.fail()
    try:
        return default if isinstance(value, str) and len(value) > _DIGITS else float(value)
    except (TypeError, ValueError, OverflowError):
        return default


def absolute(run: Run, x: Any, /) -> Any:
    if not is_number(x):
        raise TemplateFault(f"abs needs a number, got {type_name(x)}")
    return abs(x)


def round_filter(run: Run, value: Any, /, precision: Any = 0, method: Any = "common") -> Any:
    run.budget.step(_STEPS_OF_ROUND)
    if method not in ("common", "ceil", "floor"):
        raise TemplateFault("round: method must be common, ceil or floor")
    if not is_number(value) or not -30 <= _whole(precision, "a precision") <= 30:
        raise TemplateFault("round: a number with a precision of at most 30 is expected")
    if method == "common":
        return round(value, precision)
    return getattr(math, method)(value * (10**precision)) / (10**precision)


# --- elements ---------------------------------------------------------------------------------------------


def first(run: Run, seq: Any, /) -> Any:
    return _end(run, seq, 0)


def last(run: Run, seq: Any, /) -> Any:
    return _end(run, seq, -1)


def _end(run: Run, seq: Any, at: int) -> Any:
    if isinstance(seq, dict):
        seq = elements(run.budget, seq)
    return (
        subscript(run.budget, seq, at) if size_of(seq) else Undefined("there is no element in an empty list")
    )


def reverse(run: Run, value: Any, /) -> Any:
    if isinstance(value, str):
        run.budget.make(len(value))
        return cut(value, slice(None, None, -1))
    return elements(run.budget, value)[::-1]


def default_filter(run: Run, value: Any, /, default_value: Any = "", boolean: Any = False) -> Any:
    return default_value if isinstance(value, Undefined) or (boolean and not truth(value)) else value


def items(run: Run, value: Any, /) -> list[Any]:
    if isinstance(value, Undefined):
        return []
    if not isinstance(value, dict):
        raise TemplateFault(f"items needs a mapping, got {type_name(value)}")
    run.budget.step(2 * len(value))
    return list(value.items())


def attr(run: Run, obj: Any, /, name: Any) -> Any:
    return method(run.budget, obj, str(to_text(run.budget, name)))


def getter(run: Run, attribute: Any, /, default: Any = None, lower: bool = False) -> Callable[[Any], Any]:
    """What `attribute` names of an item: a key, an index, or several of them between dots."""
    text = attribute if isinstance(attribute, str) else ""
    run.budget.scan(len(text))
    run.budget.step(text.count("."))
    parts: list[Any] = (
        [int(p) if p.isdecimal() and len(p) < 10 else p for p in str(text).split(".")] if text else []
    )
    if isinstance(attribute, int):
        parts = [attribute]

    def get(item: Any) -> Any:
        for part in parts:
            run.budget.step()
            item = subscript(run.budget, item, part)
            if default is not None and isinstance(item, Undefined):
                item = default
        if isinstance(item, str):
            return strings.lower(run.budget, item) if lower else item
        return item

    return get


def _getters(run: Run, attribute: Any, lower: bool) -> Callable[[Any], tuple[Any, ...]]:
    """Several attributes may stand between commas; a tuple also of one, in which two undefined are the same."""
    names = [attribute]
    if isinstance(attribute, str):
        names = strings.METHODS["split"](run.budget, attribute, ",")
    gets = [getter(run, name, lower=lower) for name in names]
    return lambda item: tuple([get(item) for get in gets])


def sort_filter(
    run: Run, value: Any, /, reverse: Any = False, case_sensitive: Any = False, attribute: Any = None
) -> list[Any]:
    return sort(
        run.budget, elements(run.budget, value), _getters(run, attribute, not case_sensitive), bool(reverse)
    )


def dictsort(
    run: Run, value: Any, /, case_sensitive: Any = False, by: Any = "key", reverse: Any = False
) -> list[Any]:
    if by not in ("key", "value"):
        raise TemplateFault('dictsort: by must be "key" or "value"')
    pairs = items(run, value)
    return sort(run.budget, pairs, getter(run, int(by == "value"), lower=not case_sensitive), bool(reverse))


def unique(run: Run, value: Any, /, case_sensitive: Any = False, attribute: Any = None) -> list[Any]:
    get = getter(run, attribute, lower=not case_sensitive)
    seen: dict[str, None] = {}
    others: list[Any] = []  # compared one by one: what they are as keys is not bounded
    result = []
    for item in elements(run.budget, value):
        what = get(item)
        known = what in seen if isinstance(what, str) else any(equal(run.budget, what, o) for o in others)
        if known:
            continue
        result.append(item)
        if isinstance(what, str):
            seen[key(run.budget, what)] = None
        else:
            others.append(what)
    return result


def _extreme(name: str, replaces: Callable[[Any, Any, Any], bool]) -> Callable[..., Any]:
    def extreme(run: Run, value: Any, /, case_sensitive: Any = False, attribute: Any = None) -> Any:
        get = getter(run, attribute, lower=not case_sensitive)
        candidates = elements(run.budget, value)
        if not candidates:
            return Undefined(f"{name} of an empty list")
        best, best_key = candidates[0], get(candidates[0])
        for item in candidates[1:]:
            if replaces(run.budget, (item_key := get(item)), best_key):
                best, best_key = item, item_key
        return best

    return extreme


def sum_filter(run: Run, iterable: Any, /, attribute: Any = None, start: Any = 0) -> Any:
    get = getter(run, attribute)
    for item in elements(run.budget, iterable):
        start = add(run.budget, start, get(item))
    return start


def join(run: Run, value: Any, /, d: Any = "", attribute: Any = None) -> str:
    get = getter(run, attribute)
    texts = [to_text(run.budget, get(item)) for item in elements(run.budget, value)]
    return strings.join(run.budget, to_text(run.budget, d), texts)


def groupby(
    run: Run, value: Any, /, attribute: Any, default: Any = None, case_sensitive: Any = False
) -> list[Group]:
    get = getter(run, attribute, default, lower=not case_sensitive)
    groups: list[tuple[Any, list[Any]]] = []
    for item in sort(run.budget, elements(run.budget, value), get):
        what = get(item)
        if groups and equal(run.budget, groups[-1][0], what):
            groups[-1][1].append(item)
        else:
            groups.append((what, [item]))
    spelled = getter(run, attribute, default)
    return [Group((spelled(members[0]), members)) for _, members in groups]


def batch(run: Run, value: Any, /, linecount: Any, fill_with: Any = None) -> list[list[Any]]:
    if _whole(linecount, "a count") < 1:
        raise TemplateFault("batch: a count of at least 1 is expected")
    every = elements(run.budget, value)
    rows = [every[i : i + linecount] for i in range(0, len(every), linecount)]
    if rows and fill_with is not None:
        missing = linecount - len(rows[-1])
        run.budget.step(missing)
        rows[-1] += [fill_with] * missing
    return rows


def slice_filter(run: Run, value: Any, /, slices: Any, fill_with: Any = None) -> list[list[Any]]:
    every = elements(run.budget, value)
    if _whole(slices, "a count") < 1:
        raise TemplateFault("slice: a count of at least 1 is expected")
    run.budget.step(slices)
    size, longer = divmod(len(every), slices)
    result, at = [], 0
    for i in range(slices):
        n = size + (i < longer)
        row = every[at : at + n]
        at += n
        result.append([*row, fill_with] if fill_with is not None and i >= longer else row)
    return result


def map_filter(
    run: Run, value: Any, /, *args: Any, attribute: Any = None, default: Any = None, **kwargs: Any
) -> Any:
    every = elements(run.budget, value) if truth(value) else []
    if attribute is not None and not args:
        return list(map(getter(run, attribute, default), every))
    if not args:
        raise TemplateFault("map needs the name of a filter or an attribute")
    return [run.apply_filter(args[0], item, args[1:], kwargs) for item in every]


def _selecting(keep: bool, by_attribute: bool) -> Callable[..., list[Any]]:
    def select(run: Run, value: Any, /, *args: Any, **kwargs: Any) -> list[Any]:
        get: Callable[[Any], Any] = lambda item: item  # noqa: E731
        if by_attribute:
            if not args:
                raise TemplateFault("the name of an attribute is missing")
            get, args = getter(run, args[0]), args[1:]

        def chosen(item: Any) -> bool:
            run.budget.step()
            return run.apply_test(args[0], get(item), args[1:], kwargs) if args else truth(get(item))

        every = elements(run.budget, value) if truth(value) else []  # as Jinja: nothing of none
        return [item for item in every if chosen(item) == keep]

    return select


FILTERS: dict[str, Callable[..., Any]] = {
    "abs": absolute,
    "attr": attr,
    "batch": batch,
    "capitalize": _on_text(strings.capitalize),
    "center": lambda run, value, /, width=80: strings.center(run.budget, to_text(run.budget, value), width),
    "count": lambda run, value, /: size_of(value),
    "d": default_filter,
    "default": default_filter,
    "dictsort": dictsort,
    "e": escape,
    "escape": escape,
    "first": first,
    "float": to_float,
    "forceescape": escape,
    "format": format_filter,
    "groupby": groupby,
    "indent": indent,
    "int": to_int,
    "items": items,
    "join": join,
    "last": last,
    "length": lambda run, value, /: size_of(value),
    "list": lambda run, value, /: elements(run.budget, value),
    "lower": _on_text(strings.lower),
    "map": map_filter,
    "max": _extreme("max", lambda budget, new, best: less(budget, best, new)),
    "min": _extreme("min", lambda budget, new, best: less(budget, new, best)),
    "reject": _selecting(False, False),
    "rejectattr": _selecting(False, True),
    "replace": replace,
    "reverse": reverse,
    "round": round_filter,
    "safe": lambda run, value, /: to_text(run.budget, value),
    "select": _selecting(True, False),
    "selectattr": _selecting(True, True),
    "slice": slice_filter,
    "sort": sort_filter,
    "string": lambda run, value, /: to_text(run.budget, value),
    "strip": trim,
    "sum": sum_filter,
    "title": title,
    "tojson": lambda run, value, /, *args, **kwargs: to_json(run.budget, value, *args, **kwargs),
    "trim": trim,
    "truncate": truncate,
    "unique": unique,
    "upper": _on_text(strings.upper),
    "urlencode": urlencode,
    "wordcount": wordcount,
    "wordwrap": wordwrap,
}
