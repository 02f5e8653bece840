"""Evaluates the tree of a Jinja template, node by node, over a closed set of values.

Python code is never made from a template, and no attribute of a Python object is ever looked up for it. What
it can do is what the tables here and in filters, tests, strings and attributes name. Each node and each
element that is made, compared or passed over is paid for from one budget, before the work is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jinja2 import nodes

from .attributes import attribute, sliced, subscript
from .budget import Budget, TemplateFault
from .filters import FILTERS
from .global_functions import GLOBALS
from .operators import BINARY, COMPARISONS, elements, join_as_text, key, negative, positive, truth
from .show import to_text
from .source import walk
from .tests import TESTS
from .text import concat
from .values import Function, Loop, Namespace, Undefined, bounded, type_name

_BREAK, _CONTINUE = "break", "continue"


class Scope:
    """The names of a block, then those around it."""

    __slots__ = ("around", "names")

    def __init__(self, around: Scope | None, names: dict[str, Any] | None = None) -> None:
        self.around = around
        self.names: dict[str, Any] = {} if names is None else names

    def get(self, name: str) -> Any:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.around
        return Undefined(f"'{name[:64]}' is undefined")


class Output:
    """What statements write. Each text is paid for here, whoever made it: it may be the same one many times."""

    __slots__ = ("_budget", "_pieces")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._pieces: list[str] = []

    def emit(self, text: str) -> None:
        self._budget.make(len(text))
        self._pieces.append(text)

    def text(self) -> str:
        self._budget.make(sum(map(len, self._pieces)))
        return concat(self._pieces)


class Interpreter:
    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.line: int | None = None  # of the statement that is being run
        self._given = ""  # what a filter block filters
        self._names: dict[int, set[str]] = {}  # that the bodies of macros use, by id of their nodes

    def render(self, tree: nodes.Template, variables: Mapping[str, Any]) -> str:
        functions = {name: Function(name, make(self)) for name, make in GLOBALS.items()}
        out = Output(self.budget)
        self._run(tree.body, Scope(Scope(None, functions), dict(variables)), out)
        return out.text()

    # --- statements ---------------------------------------------------------------------------------------

    def _run(self, body: list[nodes.Node], scope: Scope, out: Output) -> str | None:
        """Runs statements until the end, or until one of them is break or continue, which it returns."""
        for node in body:
            self.budget.step()
            self.line = node.lineno
            run = _STATEMENTS.get(type(node))
            if run is None:
                raise TemplateFault(f"the statement {type(node).__name__.lower()} is not for chat templates")
            signal = run(self, node, scope, out)
            if signal:
                return signal
        return None

    def _text_of(self, body: list[nodes.Node], scope: Scope) -> str:
        out = Output(self.budget)
        with self.budget:
            self._run(body, scope, out)
        return out.text()

    def _output(self, node: nodes.Output, scope: Scope, out: Output) -> None:
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                out.emit(child.data)
            else:
                self.line = child.lineno
                out.emit(to_text(self.budget, self.evaluate(child, scope)))

    def _if(self, node: nodes.If, scope: Scope, out: Output) -> str | None:
        for branch in (node, *node.elif_):
            self.line = branch.lineno
            if truth(self.evaluate(branch.test, scope)):
                return self._run(branch.body, scope, out)
        return self._run(node.else_, scope, out)

    def _for(self, node: nodes.For, scope: Scope, out: Output) -> str | None:
        items = elements(self.budget, self.evaluate(node.iter, scope))
        return self._loop(node, items, scope, out, 0)

    def _loop(
        self, node: nodes.For, items: list[Any], scope: Scope, out: Output, depth: int
    ) -> str | None:
        def recurse(inner: Any, /) -> str:
            inner_out = Output(self.budget)
            with self.budget:
                self._loop(node, elements(self.budget, inner), scope, inner_out, depth + 1)
            return inner_out.text()

        chosen = iter(items) if node.test is None else self._chosen(node, items, scope)
        loop = Loop(chosen, depth, recurse if node.recursive else None)
        for item in loop:
            inner = Scope(scope, {"loop": loop})
            self._assign(node.target, item, inner)
            if self._run(node.body, inner, out) == _BREAK:
                break
        if loop.index0 < 0:
            return self._run(node.else_, Scope(scope), out)
        return None

    def _chosen(self, node: nodes.For, items: list[Any], scope: Scope) -> Iterator[Any]:
        """The items that pass the loop's own `if`, each tested when its turn comes."""
        assert node.test is not None
        for item in items:
            inner = Scope(scope)
            self._assign(node.target, item, inner)
            if truth(self.evaluate(node.test, inner)):
                yield item

    def _break(self, node: nodes.Break, scope: Scope, out: Output) -> str:
        return _BREAK

    def _continue(self, node: nodes.Continue, scope: Scope, out: Output) -> str:
        return _CONTINUE

    def _set(self, node: nodes.Assign, scope: Scope, out: Output) -> None:
        self._assign(node.target, self.evaluate(node.node, scope), scope)

    def _set_block(self, node: nodes.AssignBlock, scope: Scope, out: Output) -> None:
        text = self._text_of(node.body, Scope(scope))
        self._assign(node.target, self._filtered(node.filter, text, scope) if node.filter else text, scope)

    def _filter_block(self, node: nodes.FilterBlock, scope: Scope, out: Output) -> None:
        text = self._text_of(node.body, Scope(scope))
        out.emit(to_text(self.budget, self._filtered(node.filter, text, scope)))

    def _filtered(self, node: nodes.Filter, text: str, scope: Scope) -> Any:
        self._given = text
        return self.evaluate(node, scope)

    def _with(self, node: nodes.With, scope: Scope, out: Output) -> str | None:
        inner = Scope(scope)
        for target, value in zip(node.targets, node.values, strict=True):
            self._assign(target, self.evaluate(value, scope), inner)
        return self._run(node.body, inner, out)

    def _block(self, node: nodes.Block, scope: Scope, out: Output) -> str | None:
        return self._run(node.body, Scope(scope), out)

    def _macro(self, node: nodes.Macro, scope: Scope, out: Output) -> None:
        scope.names[node.name] = self._macro_function(node, node.name, scope)

    def _call_block(self, node: nodes.CallBlock, scope: Scope, out: Output) -> None:
        caller = self._macro_function(node, "caller", scope)
        out.emit(to_text(self.budget, self._call(node.call, scope, {"caller": caller})))

    def _assign(self, target: nodes.Node, value: Any, scope: Scope) -> None:
        if isinstance(target, nodes.Name):
            scope.names[target.name] = value
        elif isinstance(target, nodes.NSRef):
            namespace = scope.get(target.name)
            if not isinstance(namespace, Namespace):
                raise TemplateFault(f"{target.name} is {type_name(namespace)}, expected a namespace")
            namespace.values[target.attr] = value
        elif isinstance(target, nodes.Tuple):
            values = elements(self.budget, value)
            if len(values) != len(target.items):
                raise TemplateFault(f"expected {len(target.items)} values to unpack, got {len(values)}")
            for item, part in zip(target.items, values, strict=True):
                self._assign(item, part, scope)
        else:
            raise TemplateFault(f"cannot assign to {type(target).__name__.lower()}")

    # --- macros -------------------------------------------------------------------------------------------

    def _macro_function(self, node: nodes.Macro | nodes.CallBlock, name: str, scope: Scope) -> Function:
        def call(*args: Any, **kwargs: Any) -> str:
            line = self.line
            text = self._text_of(node.body, self._bind(node, name, scope, args, kwargs))
            self.line = line
            return text

        return Function(name, call)

    def _bind(
        self,
        node: nodes.Macro | nodes.CallBlock,
        name: str,
        scope: Scope,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Scope:
        """The scope of a macro's body: its arguments, and of varargs, kwargs and caller what it uses."""
        if id(node) not in self._names:
            self._names[id(node)] = set(self._names_in(node.body))
        self.budget.step(len(node.args))
        used = self._names[id(node)]
        inner = Scope(scope)
        first_default = len(node.args) - len(node.defaults)
        for i, parameter in enumerate(node.args):
            if i < len(args):
                value = args[i]
                if parameter.name in kwargs:
                    raise TemplateFault(f"macro {name} got two values for {parameter.name}")
            elif parameter.name in kwargs:
                value = kwargs.pop(parameter.name)
            elif i >= first_default:
                value = self.evaluate(node.defaults[i - first_default], inner)
            else:
                value = Undefined(f"macro {name[:64]} was called without {parameter.name[:64]}")
            inner.names[parameter.name] = value
        if "caller" in used and "caller" not in inner.names:
            inner.names["caller"] = kwargs.pop("caller", Undefined("no caller is defined"))
        if "kwargs" in used and "kwargs" not in inner.names:
            inner.names["kwargs"] = kwargs
        elif kwargs:
            raise TemplateFault(f"macro {name} takes no argument {next(iter(kwargs))[:64]!r}")
        if "varargs" in used and "varargs" not in inner.names:
            inner.names["varargs"] = args[len(node.args) :]
        elif len(args) > len(node.args):
            raise TemplateFault(f"macro {name} takes at most {len(node.args)} arguments")
        return inner

    def _names_in(self, body: list[nodes.Node]) -> Iterator[str]:
        for node in body:
            for part in walk(node):
                self.budget.step()
                if isinstance(part, nodes.Name):
                    yield part.name

    # --- expressions --------------------------------------------------------------------------------------

    def evaluate(self, node: nodes.Node, scope: Scope) -> Any:
        budget = self.budget
        budget.steps -= 1
        if budget.steps < 0:
            budget.look()
        evaluate = _EXPRESSIONS.get(type(node))
        if evaluate is None:
            raise TemplateFault(f"the expression {type(node).__name__.lower()} is not for chat templates")
        return evaluate(self, node, scope)

    def _constant(self, node: nodes.Const, scope: Scope) -> Any:
        return bounded(node.value)

    def _data(self, node: nodes.TemplateData, scope: Scope) -> Any:
        return node.data

    def _name(self, node: nodes.Name, scope: Scope) -> Any:
        return scope.get(node.name)

    def _list(self, node: nodes.List, scope: Scope) -> list[Any]:
        return [self.evaluate(item, scope) for item in node.items]

    def _tuple(self, node: nodes.Tuple, scope: Scope) -> tuple[Any, ...]:
        return tuple([self.evaluate(item, scope) for item in node.items])

    def _dict(self, node: nodes.Dict, scope: Scope) -> dict[Any, Any]:
        result = {}
        for pair in node.items:
            result[key(self.budget, self.evaluate(pair.key, scope))] = self.evaluate(pair.value, scope)
        return result

    def _conditional(self, node: nodes.CondExpr, scope: Scope) -> Any:
        if truth(self.evaluate(node.test, scope)):
            return self.evaluate(node.expr1, scope)
        if node.expr2 is None:
            return Undefined("the inline if was false and has no else")
        return self.evaluate(node.expr2, scope)

    def _and(self, node: nodes.And, scope: Scope) -> Any:
        left = self.evaluate(node.left, scope)
        return self.evaluate(node.right, scope) if truth(left) else left

    def _or(self, node: nodes.Or, scope: Scope) -> Any:
        left = self.evaluate(node.left, scope)
        return left if truth(left) else self.evaluate(node.right, scope)

    def _not(self, node: nodes.Not, scope: Scope) -> bool:
        return not truth(self.evaluate(node.node, scope))

    def _negative(self, node: nodes.Neg, scope: Scope) -> Any:
        return negative(self.evaluate(node.node, scope))

    def _positive(self, node: nodes.Pos, scope: Scope) -> Any:
        return positive(self.evaluate(node.node, scope))

    def _binary(self, node: nodes.BinExpr, scope: Scope) -> Any:
        left = self.evaluate(node.left, scope)
        return BINARY[type(node).__name__](self.budget, left, self.evaluate(node.right, scope))

    def _concat(self, node: nodes.Concat, scope: Scope) -> str:
        return join_as_text(self.budget, [self.evaluate(part, scope) for part in node.nodes])

    def _compare(self, node: nodes.Compare, scope: Scope) -> bool:
        left = self.evaluate(node.expr, scope)
        for operand in node.ops:
            right = self.evaluate(operand.expr, scope)
            if not COMPARISONS[operand.op](self.budget, left, right):
                return False
            left = right
        return True

    def _attribute(self, node: nodes.Getattr, scope: Scope) -> Any:
        return attribute(self.budget, self.evaluate(node.node, scope), node.attr)

    def _subscript(self, node: nodes.Getitem, scope: Scope) -> Any:
        value = self.evaluate(node.node, scope)
        if not isinstance(node.arg, nodes.Slice):
            return subscript(self.budget, value, self.evaluate(node.arg, scope))
        bounds = (node.arg.start, node.arg.stop, node.arg.step)
        return sliced(self.budget, value, slice(*(b and self.evaluate(b, scope) for b in bounds)))

    # --- calls --------------------------------------------------------------------------------------------

    def _arguments(
        self, node: nodes.Call | nodes.Filter | nodes.Test, scope: Scope
    ) -> tuple[list[Any], dict[str, Any]]:
        args = [self.evaluate(arg, scope) for arg in node.args]
        kwargs = {pair.key: self.evaluate(pair.value, scope) for pair in node.kwargs}
        if node.dyn_args is not None:
            args += elements(self.budget, self.evaluate(node.dyn_args, scope))
        if node.dyn_kwargs is not None:
            more = self.evaluate(node.dyn_kwargs, scope)
            if not isinstance(more, dict) or not all(isinstance(name, str) for name in more):
                raise TemplateFault("a mapping with names is expected after **")
            self.budget.step(len(more))
            kwargs |= {str(name): value for name, value in more.items()}
        return args, kwargs

    def _call(self, node: nodes.Call, scope: Scope, more: Mapping[str, Any] | None = None) -> Any:
        function = self.evaluate(node.node, scope)
        args, kwargs = self._arguments(node, scope)
        kwargs |= more or {}
        if isinstance(function, Undefined):
            function.fail()
        if isinstance(function, Loop) and function.recurse is not None:
            return function.recurse(*args, **kwargs)
        if not isinstance(function, Function):
            raise TemplateFault(f"{type_name(function)} cannot be called")
        return function.call(*args, **kwargs)

    def _filter(self, node: nodes.Filter, scope: Scope) -> Any:
        value = self._given if node.node is None else self.evaluate(node.node, scope)
        args, kwargs = self._arguments(node, scope)
        return self.apply_filter(node.name, value, args, kwargs)

    def _test(self, node: nodes.Test, scope: Scope) -> bool:
        value = self.evaluate(node.node, scope)
        args, kwargs = self._arguments(node, scope)
        return self.apply_test(node.name, value, args, kwargs)

    def apply_filter(self, name: Any, value: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        self.budget.step()
        if not isinstance(name, str) or name not in FILTERS:
            raise TemplateFault(f"there is no filter {str(name)[:64]!r}")
        return FILTERS[name](self, value, *args, **kwargs)

    def apply_test(self, name: Any, value: Any, args: Any, kwargs: dict[str, Any]) -> bool:
        self.budget.step()
        if not isinstance(name, str) or name not in TESTS:
            raise TemplateFault(f"there is no test {str(name)[:64]!r}")
        return TESTS[name](self.budget, value, *args, **kwargs)


_I = Interpreter
_STATEMENTS: dict[type, Callable[..., str | None]] = {
    nodes.Output: _I._output,
    nodes.If: _I._if,
    nodes.For: _I._for,
    nodes.Break: _I._break,
    nodes.Continue: _I._continue,
    nodes.Assign: _I._set,
    nodes.AssignBlock: _I._set_block,
    nodes.FilterBlock: _I._filter_block,
    nodes.With: _I._with,
    nodes.Block: _I._block,
    nodes.Macro: _I._macro,
    nodes.CallBlock: _I._call_block,
}
_EXPRESSIONS: dict[type, Callable[..., Any]] = {
    nodes.Const: _I._constant,
    nodes.TemplateData: _I._data,
    nodes.Name: _I._name,
    nodes.List: _I._list,
    nodes.Tuple: _I._tuple,
    nodes.Dict: _I._dict,
    nodes.CondExpr: _I._conditional,
    nodes.And: _I._and,
    nodes.Or: _I._or,
    nodes.Not: _I._not,
    nodes.Neg: _I._negative,
    nodes.Pos: _I._positive,
    **{getattr(nodes, name): _I._binary for name in BINARY},
    nodes.Concat: _I._concat,
    nodes.Compare: _I._compare,
    nodes.Getattr: _I._attribute,
    nodes.Getitem: _I._subscript,
    nodes.Call: _I._call,
    nodes.Filter: _I._filter,
    nodes.Test: _I._test,
}
