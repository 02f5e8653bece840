"""An option is said once: signature, documentation, types and flags come from the library's table."""

import inspect

import pytest
import sterna
from cli_process import out
from sterna import _core
from sterna.cli import find_command
from sterna.option_types import LoadOptions

LOAD = {o.name: o for o in _core.options() if o.call == "load"}
GENERATE = {o.name: o for o in _core.options() if o.call == "generate"}


def test_load_has_a_signature_of_its_own() -> None:
    parameters = inspect.signature(sterna.load).parameters
    assert list(parameters) == ["path", *LOAD, "progress", "threads"]
    for name, option in LOAD.items():
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[name].default == option.default
    assert str(parameters["n_batch"]) == "n_batch: 'int | None' = 512"
    assert str(parameters["kv_type"]) == "kv_type: 'str | None' = 'f16'"
    for name, option in LOAD.items():
        assert f"\n{name}: {option.help.split()[0]}" in sterna.load.__doc__


def test_types_and_documentation() -> None:
    assert list(LoadOptions.__annotations__) == list(LOAD)
    assert list(sterna.GenerateOptions.__annotations__) == [*GENERATE, "stop"]
    for name in GENERATE:
        assert f"\n    {name}: " in sterna.GenerateOptions.__doc__
    assert "default: 0.8." in sterna.GenerateOptions.__doc__


def test_names_that_are_none(mini) -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'n_contexts'"):
        sterna.load(n_contexts=5)
    with pytest.raises(TypeError, match="unexpected keyword argument 'n_batch', expected one of max_tokens"):
        mini.generate([5], n_batch=5)
    with pytest.raises(TypeError):
        _core.Model.load(b"", {"frob": 1}, None)
    with pytest.raises(TypeError):
        mini._core.generate([5], {"frob": 1}, on_token=None, keep_going=None)


@pytest.mark.parametrize("command", ["run", "chat"])
def test_every_option_has_its_flags(command) -> None:
    flags = find_command(command).options()
    for option in (*LOAD.values(), *GENERATE.values()):
        for name in option.flags.split():
            assert flags[name].dest == option.name
            assert (flags[name].read is None) == (option.type == "bool")


def test_defaults_of_flags_are_those_of_the_library() -> None:
    flags = find_command("run").options()
    for option in (*LOAD.values(), *GENERATE.values()):
        if option.name not in ("kv_type", "seed"):  # -ctk says it, too; one is drawn
            assert flags[option.flags.split()[0]].default == option.default
    text = " ".join(out("run", "-h").split())
    for said in (
        "; default: 512",
        "; default: 0.95",
        "f16 (the default)",
        "-1 as a flag: a new one each time",
    ):
        assert said in text


def test_bounds_of_the_library_are_bounds_of_python(mini) -> None:
    """A number just beyond them is refused, whichever option it is."""
    for option in GENERATE.values():
        beyond = [option.low - 1, option.high + 1] if option.type == "int" else []
        for value in beyond:
            if abs(value) < 2**31:
                with pytest.raises(ValueError, match=rf"\[generate\] {option.name}, got {int(value)}, exp"):
                    mini.generate([5], **{option.name: int(value)})


def test_a_row_of_the_table() -> None:
    lookup = GENERATE["lookup"]
    assert (lookup.low, lookup.high, lookup.default, lookup.type) == (0, 64, 0, "int")
    assert LOAD["screen"].choices == ("auto", "on", "off") and GENERATE["repeat_penalty"].open
    assert repr(lookup).startswith("<sterna.OptionInfo call='generate' name='lookup'")
