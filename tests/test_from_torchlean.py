"""docs/from_torchlean.md: every name of the five pages has a row, and what a row names exists."""
import ast
import importlib
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from gradproof_spec.prove import all_obligations

CHECKOUT = Path(__file__).resolve().parents[1]
TEXT = (CHECKOUT / "docs/from_torchlean.md").read_text(encoding="utf-8")
# The declarations of each page as they were counted on it, constructors and fields included. The signatures of many
# are lost in the stored pages; those were counted by their documentation, and named after the source.
DECLARED = {
    "NN.Runtime.Autograd.Compiled.IRExec": 22,
    "NN.Runtime.Autograd.Compiled.Core": 7,
    "NN.Runtime.Autograd.Compiled.IRExec.Correctness.Ops.LinearAlgebra": 3,
    "NN.Runtime.Autograd.Torch.LinkedSession": 114,
    "NN.Runtime.Autograd.Compiled.GraphM": 95,
}
SECTION = re.compile(r"^### `([\w.]+)`\n(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)
WITHOUT = "no counterpart, because "
OBLIGATION = re.compile(r"[a-z]+\[[a-z0-9_.-]+\]")
TEST = re.compile(r"(tests|proofs)/[\w/]+\.py::\w+")


def cells(table):
    """The rows of a Markdown table, without its head."""
    rows = [line.strip("|").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows[1:]]


PAGES = {page: cells(body) for page, body in SECTION.findall(TEXT)}
ROWS = [pytest.param(*row, id=f"{page.rpartition('.')[2]}-{row[0].strip('`')}")
        for page, rows in PAGES.items() for row in rows]
DIFFERENCES = cells(TEXT.partition("## What differs on purpose")[2].partition("\n## ")[0])


def quoted(cell):
    return re.findall(r"`([^`]+)`", cell)


def resolved(name):
    """The object that a dotted name stands for: a module, an attribute, or a field of a dataclass."""
    parts = name.split(".")
    if parts[0] not in ("gradproof", "gradproof_spec"):
        raise LookupError(name)
    found = importlib.import_module(parts[0])
    for position, part in enumerate(parts[1:], 1):
        if part in getattr(found, "__dataclass_fields__", {}):
            found = found.__dataclass_fields__[part]
            continue
        try:
            found = getattr(found, part)
        except AttributeError:
            found = importlib.import_module(".".join(parts[: position + 1]))
    return found


@cache
def functions(file):
    tree = ast.parse((CHECKOUT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@cache
def obligations():
    return frozenset(obligation.id for obligation in all_obligations())


def check_test(name):
    """A test of a file, or an obligation."""
    if OBLIGATION.fullmatch(name):
        assert name in obligations(), f"there is no obligation {name}"
        return
    assert TEST.fullmatch(name), f"{name} is no test"
    file, _, function = name.partition("::")
    assert (CHECKOUT / file).is_file(), f"there is no file {file}"
    assert function.startswith("test_")
    assert function in functions(file), f"{file} has no {function}"


def test_the_table_has_every_declaration_of_the_five_pages():
    assert {page: len(rows) for page, rows in PAGES.items()} == DECLARED


@pytest.mark.parametrize("page", DECLARED)
def test_no_name_stands_twice(page):
    names = Counter(row[0] for row in PAGES[page])
    assert [name for name, count in names.items() if count > 1] == []
    assert all(re.fullmatch(r"`[\w.Γ]+`", name) for name in names)


@pytest.mark.parametrize("page", DECLARED)
def test_the_text_above_a_table_counts_its_rows(page):
    above = TEXT.partition(f"### `{page}`\n")[2].strip().splitlines()[0]
    assert above.startswith(f"{DECLARED[page]} names, behind `Runtime.Autograd.")


@pytest.mark.parametrize(("name", "ours", "test"), ROWS)
def test_a_row_names_what_exists(name, ours, test):
    if ours.startswith(WITHOUT):
        assert len(ours) > len(WITHOUT) + 10
        assert test == "—"
        return
    first = re.match(r"`([^`]+)`", ours)
    assert first, f"{name} has neither a counterpart nor a reason"
    if OBLIGATION.fullmatch(first[1]):
        check_test(first[1])
    else:
        resolved(first[1])
    assert quoted(test), f"{name} has no test"
    for each in quoted(test):
        check_test(each)


@pytest.mark.parametrize("row", [pytest.param(row, id=re.sub(r"\W+", "-", row[0]).strip("-")) for row in DIFFERENCES])
def test_a_difference_is_shown_by_what_exists(row):
    assert len(row) == 4
    assert all(row)
    assert quoted(row[3])
    for each in quoted(row[3]):
        check_test(each)


def test_there_are_differences_and_the_important_ones():
    topics = " ".join(row[0] for row in DIFFERENCES)
    assert len(DIFFERENCES) >= 20
    for topic in ("safe_log", "broadcast_to", "softmax", "random numbers", "leaves after ops", "const", "gathers",
                  "lowered IR programs", "window lengths"):
        assert topic in topics


def test_every_name_of_gradproof_on_the_page_exists():
    names = {name for name in re.findall(r"`(gradproof(?:_spec)?(?:\.\w+)+)`", TEXT)}
    assert len(names) > 100
    for name in sorted(names):
        resolved(name)


@pytest.mark.parametrize("name", ["gradproof.Grph", "gradproof.Graph.denot", "gradproof.ir.Lowering.grph", "numpy.sum"])
def test_a_name_that_does_not_exist_is_seen(name):
    with pytest.raises((LookupError, ImportError)):
        resolved(name)


@pytest.mark.parametrize("name", [
    "adjoint[ad]", "adjoint", "tests/test_terms.py::test_x", "tests/test_x.py::test_y", "tests/test_terms.py", "—"])
def test_a_test_that_does_not_exist_is_seen(name):
    with pytest.raises(AssertionError):
        check_test(name)
