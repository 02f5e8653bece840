"""From a template's source to Jinja's tree of nodes: its lexer and parser as Hugging Face sets them up."""

from __future__ import annotations

import functools

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

from .budget import TemplateFault
from .text import literal

MAX_SOURCE = 1 << 16  # characters; the largest template of a published model has about 20,000


class _LoopControls(Extension):
    """{% break %} and {% continue %}."""

    tags = {"break", "continue"}

    def parse(self, parser: Parser) -> nodes.Node:
        token = next(parser.stream)
        return (nodes.Break if token.value == "break" else nodes.Continue)(lineno=token.lineno)


class _Generation(Extension):
    """{% generation %} marks the assistant's words for training; here it is transparent."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


_environment = Environment(trim_blocks=True, lstrip_blocks=True, extensions=[_LoopControls, _Generation])


@functools.lru_cache(maxsize=4)
def parse(source: str) -> nodes.Template:
    """The tree, with the texts in it marked as the template's. Raises TemplateSyntaxError, RecursionError."""
    if len(source) > MAX_SOURCE:
        raise TemplateFault(f"its source has {len(source)} characters, expected at most {MAX_SOURCE}")
    try:
        tree = _environment.parse(source)
    except OverflowError as e:  # from the escapes of a text
        raise TemplateSyntaxError(str(e), 1) from e
    for node in tree.find_all((nodes.Const, nodes.TemplateData)):
        if isinstance(node, nodes.TemplateData):
            node.data = literal(node.data)
        elif isinstance(node, nodes.Const) and isinstance(node.value, str):
            node.value = literal(node.value)
    return tree
