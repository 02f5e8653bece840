"""What templates are written for: Jinja's own sandbox, set up as Hugging Face does it. The oracle of our interpreter."""

import functools
import json
import warnings
from collections.abc import ItemsView, Iterator, KeysView, Sequence, ValuesView
from datetime import datetime
from types import BuiltinMethodType, FunctionType, MethodType

from jinja2 import runtime, utils
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from sterna.template.source import _Generation


def _unshown(self):
    raise TemplateError(f"the text of a {type(self).__name__} is not compared")


# What our interpreter prints differently on purpose (our lists are iterators in Jinja, our functions have no addresses)
# is an error here: a template can take that text apart, so that nothing in the result tells of it.
for _type in (
    runtime.BlockReference, runtime.Context, runtime.LoopContext, runtime.Macro,
    utils.Cycler, utils.Joiner, utils.Namespace,
):  # fmt: skip
    _type.__repr__ = _type.__str__ = _unshown
utils.markupsafe.Markup.__repr__ = _unshown  # in a list


class _Values:
    """An iterable of Jinja's or Python's, but for its text."""

    __repr__ = __str__ = _unshown

    def __init__(self, values):
        self._values = values

    def __iter__(self):
        return iter(self._values)


class _Iterator(_Values):
    def __next__(self):
        return next(self._values)


class _View(_Values):
    def __len__(self):
        return len(self._values)

    def __contains__(self, value):
        return value in self._values


class _Range(_View, Sequence):
    def __getitem__(self, i):
        return _Range(self._values[i]) if isinstance(i, slice) else self._values[i]


class _Method:
    __repr__ = __str__ = _unshown

    def __init__(self, method):
        self._method = method

    def __call__(self, *args, **kwargs):
        return self._method(*args, **kwargs)


def _wrapped(value):
    if isinstance(value, (KeysView, ValuesView, ItemsView)):
        return _View(value)
    if isinstance(value, range):
        return _Range(value)
    return _Iterator(value) if isinstance(value, Iterator) and not isinstance(value, _Values) else value


class _Environment(ImmutableSandboxedEnvironment):
    def call(self, context, called, *args, **kwargs):
        return _wrapped(super().call(context, called, *args, **kwargs))

    def getattr(self, obj, attribute):
        value = super().getattr(obj, attribute)
        return _Method(value) if isinstance(value, (BuiltinMethodType, FunctionType, MethodType)) else value


def _tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise_exception(message):
    raise TemplateError(message)


def _wrapping(made):
    @functools.wraps(made)
    def wrapping(*args, **kwargs):
        return _wrapped(made(*args, **kwargs))

    return wrapping


def environment() -> ImmutableSandboxedEnvironment:
    result = _Environment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
    )
    result.filters = {name: _wrapping(made) for name, made in result.filters.items()}
    result.filters["tojson"] = _tojson
    result.globals["raise_exception"] = _raise_exception
    result.globals["strftime_now"] = lambda format: datetime.now().strftime(format)
    return result


_compile = functools.lru_cache(maxsize=64)(environment().from_string)


def reference(source, variables):
    """The text, or None for any error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python about the code that Jinja makes
        return _rendered(source, variables)


def _rendered(source, variables):
    try:
        return _compile(source).render(**variables)
    except Exception:
        return None
