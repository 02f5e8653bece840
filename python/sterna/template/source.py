"""From a template's source to Jinja's tree of nodes: its lexer and parser as Hugging Face sets them up."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

from .budget import TemplateFault
from .text import literal

MAX_NESTING = 150  # of statements and expressions in each other
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


class _Parser(Parser):
    """Jinja's, with a bound of its own: Python's limit of recursion is the program's and may be any."""

    _depth = 0

    def _nested(self, parse: Callable[..., Any], *args: Any) -> Any:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise TemplateFault("it is nested too deeply")
        result = parse(*args)
        self._depth -= 1
        return result

    # One of these is on every way from a part of the grammar back to itself.
    def parse_statement(self) -> nodes.Node | list[nodes.Node]:
        return self._nested(super().parse_statement)

    def parse_condexpr(self) -> nodes.Expr:
        return self._nested(super().parse_condexpr)

    def parse_not(self) -> nodes.Expr:
        return self._nested(super().parse_not)

    def parse_unary(self, with_filter: bool = True) -> nodes.Expr:
        return self._nested(super().parse_unary, with_filter)


_environment = Environment(trim_blocks=True, lstrip_blocks=True, extensions=[_LoopControls, _Generation])


def walk(tree: nodes.Node) -> Iterator[nodes.Node]:
    """The node and all below it."""
    stack = [(tree, 0)]
    while stack:
        node, depth = stack.pop()
        if depth > 2 * MAX_NESTING:  # a chain such as 1 + 1 + 1 leans to one side
            raise TemplateFault("it is nested too deeply")
        yield node
        stack.extend((child, depth + 1) for child in node.iter_child_nodes())


@functools.lru_cache(maxsize=4)
def parse(source: str) -> nodes.Template:
    """The tree, with the texts in it marked as the template's. Raises TemplateSyntaxError, RecursionError."""
    if len(source) > MAX_SOURCE:
        raise TemplateFault(f"its source has {len(source)} characters, expected at most {MAX_SOURCE}")
    try:
        tree = _Parser(_environment, source).parse()
    except OverflowError as e:  # from the escapes of a text
        raise TemplateSyntaxError(str(e), 1) from e
    for node in walk(tree):
        if isinstance(node, nodes.TemplateData):
            node.data = literal(node.data)
        elif isinstance(node, nodes.Const) and isinstance(node.value, str):
            node.value = literal(node.value)
    return tree
