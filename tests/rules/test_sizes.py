"""How long a file and a function may be. Who needs more has two ideas in one, or data in code."""

import ast
import textwrap

from functions import functions
from tree import CPP_SUFFIXES, ROOT, cpp_files, files

FILE, LIBRARY_FILE = 600, 400  # lines
FUNCTION, KERNEL = 80, 110
LIBRARY = ("cpp", "include")
SCRIPTS = {".py", ".sh", ".yml", ".yaml", ".cmake"}
GENERATED = {"cpp/llm/text/unicode_tables.inc", "cpp/llm/text/nfc_tables.inc", "cpp/formats/iq_grids.inc"}

# To be mended: lines of what is longer today. Nothing is added, and an entry goes when it is no longer needed.
LONG_FILES: dict[str, int] = {}
LONG_FUNCTIONS = {
}


def too_long(found: dict[str, tuple[int, int]], exceptions: dict[str, int]) -> list[str]:
    """`found`: lines and limit of each name. What is wrong, with the list of exceptions included."""
    wrong = [
        f"{name} has {lines} lines, at most {max(limit, exceptions.get(name, 0))}"
        for name, (lines, limit) in found.items()
        if lines > max(limit, exceptions.get(name, 0))
    ]
    for name in exceptions:
        lines, limit = found.get(name, (0, 0))
        if lines <= limit:
            wrong.append(f"{name}: take it from the list of exceptions")
    return wrong


def test_files() -> None:
    found = {}
    for f in files("", CPP_SUFFIXES | SCRIPTS):
        if str(f) not in GENERATED and "corpus" not in f.parts:
            library = f.parts[0] in LIBRARY and f.suffix in CPP_SUFFIXES
            lines = len((ROOT / f).read_text(encoding="utf-8").splitlines())
            found[str(f)] = lines, LIBRARY_FILE if library else FILE
    wrong = too_long(found, LONG_FILES)
    assert not wrong, "split by idea:\n" + "\n".join(wrong)


def test_cpp_functions() -> None:
    """Tests are left out: a case with a table may be long."""
    found = {}
    for f in cpp_files():
        if f.parts[0] != "tests" and f.suffix != ".inc":
            limit = KERNEL if f.parts[:2] == ("cpp", "kernels") else FUNCTION
            for function in functions((ROOT / f).read_text(encoding="utf-8")):
                name = f"{f}: {function.name}"
                found[name] = max(found.get(name, (0, 0)), (function.lines, limit))
    assert len(found) > 800, "the measure sees too few functions"
    wrong = too_long(found, LONG_FUNCTIONS)
    assert not wrong, "split by idea:\n" + "\n".join(wrong)


def test_python_functions() -> None:
    found = {}
    for f in files("", {".py"}):
        for node in ast.walk(ast.parse((ROOT / f).read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                found[f"{f}:{node.lineno}: {node.name}"] = node.end_lineno - node.lineno + 1, FUNCTION
    wrong = too_long(found, {})
    assert not wrong, "split by idea:\n" + "\n".join(wrong)


def test_exceptions_only_shrink() -> None:
    assert too_long({"f": (90, 80)}, {"f": 90}) == []
    assert too_long({"f": (81, 80)}, {"f": 90}) == []
    for lines in (91, 80):
        assert too_long({"f": (lines, 80)}, {"f": 90})
    assert too_long({}, {"f": 90})


def test_the_measure() -> None:
    source = textwrap.dedent(
        R"""
        // not { a brace
        #define OPEN(x) { \
          x {
        namespace a {
        enum class E { kOne, kTwo };
        const char* const kText[] = {"}", R"(})", "\"{"};
        int big = 1'000 + '{';

        template <class T>
        struct B : C<T> {
         public:
          explicit B(int x) : x_{x}, y_(f({1, 2})) {
            auto g = [](int z) { return z; };
          }
          operator bool() const { return true; }
          int x_{0};
          std::function<void(int)> y_ = {};
        };

        template <class T>
        [[nodiscard]] Result<T> B<T>::f(
            int x) {
          if (x) {
            struct Local { int a; };
          }
        }

        struct alignas(64) D {
          int a = 0;
        };
        }  // namespace a
        """
    )
    assert [(f.name, f.first, f.lines) for f in functions(source)] == [
        ("B", 13, 3),
        ("operator bool", 16, 1),
        ("B<T>::f", 21, 7),
    ]
