"""The documentation shows what happens: ```python blocks print the ```text that follows, ```console commands too."""
import contextlib
import doctest
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
README = CHECKOUT / "README.md"
TRUST = CHECKOUT / "docs/trust.md"
DOCUMENTS = [README, *sorted((CHECKOUT / "docs").glob("*.md"))]
LEAST = 2  # examples with their output in the README
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BETWEEN = 200  # characters of prose at most between a block and its output
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
TABLE = re.compile(r"^(\| op \|.*?\n)\n", re.MULTILINE | re.DOTALL)


def examples(document):
    """(line, code, output shown or None), in order."""
    text = document.read_text(encoding="utf-8")
    blocks = list(FENCED.finditer(text))
    for block, following in zip(blocks, [*blocks, None][1:], strict=True):
        if block[1] == "python":
            shown = following is not None and following[1] == "text" and following.start() - block.end() < BETWEEN
            yield text[: block.start()].count("\n") + 2, block[2], following[2] if shown else None


def commands(document):
    """(command, output shown) of the lines `$ gradproof ...` in ```console blocks."""
    for block in FENCED.finditer(document.read_text(encoding="utf-8")):
        if block[1] == "console":
            yield from re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block[2], re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_examples_print_what_is_shown(document, tmp_path, monkeypatch):
    """The blocks of a document run one after another in one namespace; `...` stands for what may differ (times)."""
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for line, code, shown in examples(document):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile("\n" * (line - 1) + code, str(document), "exec"), namespace)
        if shown is not None:
            assert doctest.OutputChecker().check_output(shown, output.getvalue(), FLAGS), (
                f"{document.name}:{line} prints\n\n{output.getvalue()}\nbut the document shows\n\n{shown}")


COMMANDS = [pytest.param(document, command, shown, id=f"{document.name}-{command}".replace(" ", "_"))
            for document in DOCUMENTS for command, shown in commands(document)]


@pytest.mark.parametrize(("document", "command", "shown"), COMMANDS)
def test_commands_print_what_is_shown(document, command, shown, tmp_path):
    """Line by line, in any order: proofs are reported as they end."""
    program, *arguments = command.split()
    assert program == "gradproof"
    result = subprocess.run([Path(sys.executable).with_name(program), *arguments], cwd=tmp_path, capture_output=True,
                            text=True, check=False)
    printed = result.stdout.splitlines()
    for line in shown.splitlines():
        pattern = r"\s+".join(".*".join(map(re.escape, word.split("..."))) for word in line.split())
        assert any(re.fullmatch(rf"\s*{pattern}\s*", p) for p in printed), f"{line!r} is not among\n\n{result.stdout}"
    assert "\n...\n" in f"\n{shown}" or len(shown.splitlines()) == len(printed), result.stdout


def test_the_readme_shows_examples_with_their_output():
    written = README.read_text(encoding="utf-8")
    assert not written or len([shown for _, _, shown in examples(README) if shown is not None]) >= LEAST


def test_the_table_of_the_readme_is_the_list_of_obligations():
    from gradproof_spec.report.table import markdown

    shown = TABLE.search(README.read_text(encoding="utf-8"))
    assert shown and shown[1] == markdown(), f"python -m gradproof_spec.report.table prints\n\n{markdown()}"


def test_the_trusted_modules_are_those_that_say_so():
    """docs/trust.md lists exactly the modules whose first line says TRUSTED."""
    package = CHECKOUT / "spec/gradproof_spec"
    saying = {p.relative_to(package).as_posix() for p in package.rglob("*.py")
              if p.read_text(encoding="utf-8").startswith('"""TRUSTED.')}
    section = TRUST.read_text(encoding="utf-8").partition("## The trusted modules")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`([\w/]+\.py)`", " ".join(rows))) == saying


def test_obligations_that_the_documents_name_exist():
    from gradproof_spec.obligations import KINDS
    from gradproof_spec.prove import all_obligations

    known = {o.id for o in all_obligations()}
    for document in DOCUMENTS:
        named = set(re.findall(rf"`((?:{'|'.join(KINDS)})\[[a-z0-9_.-]+\])`", document.read_text(encoding="utf-8")))
        assert named <= known, f"{document.name}: {sorted(named - known)}"


def test_links_of_the_documents_lead_somewhere():
    broken = []
    for document in DOCUMENTS:
        text = re.sub(r"`[^`\n]*`", "", document.read_text(encoding="utf-8"))  # without code
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if "://" not in target and not (document.parent / target).exists():
                broken.append(f"{document.name}: {target}")
    assert broken == []
