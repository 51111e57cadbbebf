"""docs/add_an_op.md is true: its changes, applied to a copy of the sources, give an op that is proved."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
PAGE = CHECKOUT / "docs/add_an_op.md"
DIFF = re.compile(r"^```diff\n--- (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTED = re.compile(r"^(\w+) +((\w+)\[cube[^\]]*\])", re.MULTILINE)


def changed(text, hunk):
    """The text with one hunk applied: lines with ` ` and `-` are found once, those with ` ` and `+` replace them."""
    lines = hunk.splitlines()
    old = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "+")
    new = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "-")
    assert text.count(old) == 1, f"found {text.count(old)} times:\n{old}"
    return text.replace(old, new)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("with-cube")
    for root in ("runtime", "spec"):
        shutil.copytree(CHECKOUT / root, folder / root, ignore=shutil.ignore_patterns("__pycache__"))
    for path, hunks in DIFF.findall(PAGE.read_text(encoding="utf-8")):
        text = (folder / path).read_text(encoding="utf-8")
        for hunk in re.split(r"^@@\n", hunks, flags=re.MULTILINE):
            text = changed(text, hunk)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def run(copy, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(copy / root) for root in ("runtime", "spec"))}
    return subprocess.run([sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True,
                          check=False)


def test_the_op_of_the_page_is_proved(copy):
    result = run(copy, "-c", "from gradproof_spec.cli import main; main()", "prove", "cube")
    assert result.returncode == 0, result.stdout + result.stderr
    kinds = {kind: verdict for verdict, _, kind in EXPECTED.findall(result.stdout)}
    assert kinds == {"bounds": "PROVED", "derivative": "PROVED", "adjoint": "PROVED", "kink": "NOT_APPLICABLE",
                     "shape": "PROVED", "flat": "PROVED", "kernel": "PROVED", "lowering": "PROVED", "float": "TESTED",
                     "refutes": "CAUGHT"}


def test_both_sides_have_it_in_the_same_place(copy):
    program = ("import gradproof, gradproof_spec.ops; from gradproof_spec.op import OPS; "
               "assert list(OPS) == list(gradproof.OPS); print(list(OPS).index('cube'), gradproof.cube(3.0))")
    result = run(copy, "-c", program)
    assert result.stdout == "32 27.0\n", result.stdout + result.stderr
