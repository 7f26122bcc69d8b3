"""Files stay short, functions shorter; names say what is inside."""

import ast
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.house.tracked import ROOT, name, python

LIMITS = {"src": 500, "scripts": 500, "bench": 500, "tests": 700}
LONGEST_FUNCTION = 40
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "misc"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, Function):
            yield node


def length(node: Function) -> int:
    """Lines of a function from `def` to its end, without its docstring and the functions inside it."""
    assert node.end_lineno is not None
    lines = node.end_lineno - node.lineno + 1
    for inner in node.body:
        if isinstance(inner, Function):
            assert inner.end_lineno is not None
            start = min([inner.lineno, *(item.lineno for item in inner.decorator_list)])
            lines -= inner.end_lineno - start + 1
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and ast.get_docstring(node):
        assert first.end_lineno is not None
        lines -= first.end_lineno - first.lineno + 1
    return lines


def test_no_file_is_too_long():
    long = {
        name(path): lines
        for folder, limit in LIMITS.items()
        for path in python(folder)
        if (lines := len(path.read_text().splitlines())) > limit
    }
    assert not long


def test_no_function_of_the_product_is_too_long_without_a_reason():
    """A longer one carries `# long: why` on its first line. Migrations are lists of columns, not decisions."""
    long = []
    for path in python("src"):
        if "migrations" in path.parts:
            continue
        lines = path.read_text().splitlines()
        for node in functions(path):
            signed = "# long: " in lines[node.lineno - 1]
            if length(node) > LONGEST_FUNCTION and not signed:
                long.append(f"{name(path)}:{node.lineno} {node.name}: {length(node)} lines")
    assert not long


def test_half_of_the_functions_are_very_short():
    assert median(length(node) for path in python("src") for node in functions(path)) < 12


def test_no_module_has_a_name_that_says_nothing():
    assert not [name(path) for path in python("src") if EMPTY_NAMES & {path.stem, path.parent.name}]


def test_every_package_defines_its_words():
    bare = [
        name(path)
        for path in python("src")
        if path.name == "__init__.py" and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not bare


def test_every_folder_of_tests_is_a_package():
    folders = {path.parent for path in python("tests")}
    assert not [name(folder) for folder in folders if not (folder / "__init__.py").exists()]


def test_the_product_is_below_src():
    assert (ROOT / "src" / "ferryman" / "py.typed").exists()
