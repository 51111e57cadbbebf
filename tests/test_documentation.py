"""The documentation shows what happens: each ```python block runs, and prints the ```text block that follows it."""
import contextlib
import doctest
import io
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
README = CHECKOUT / "README.md"
DOCUMENTS = [README, *sorted((CHECKOUT / "docs").glob("*.md"))]
LEAST = 2  # examples with their output in the README
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BETWEEN = 200  # characters of prose at most between a block and its output
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def examples(document):
    """(line, code, output shown or None), in order."""
    text = document.read_text(encoding="utf-8")
    blocks = list(FENCED.finditer(text))
    for block, following in zip(blocks, [*blocks, None][1:], strict=True):
        if block[1] == "python":
            shown = following is not None and following[1] == "text" and following.start() - block.end() < BETWEEN
            yield text[: block.start()].count("\n") + 2, block[2], following[2] if shown else None


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


def test_the_readme_shows_examples_with_their_output():
    written = README.read_text(encoding="utf-8")
    assert not written or len([shown for _, _, shown in examples(README) if shown is not None]) >= LEAST


def test_links_of_the_documents_lead_somewhere():
    broken = []
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8")):
            if "://" not in target and not (document.parent / target).exists():
                broken.append(f"{document.name}: {target}")
    assert broken == []
