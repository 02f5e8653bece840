"""What templates are written for: Jinja's own sandbox, set up as Hugging Face does it. The oracle of our interpreter."""

import functools
import json
import warnings
from datetime import datetime

from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from sterna.template.source import _Generation


def _tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _raise_exception(message):
    raise TemplateError(message)


def environment() -> ImmutableSandboxedEnvironment:
    result = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
    )
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
