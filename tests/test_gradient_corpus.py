"""`check` on the corpus of gradients that people write: right ones are proved, wrong ones refuted, none misjudged."""

import subprocess
import sys

import pytest
from corpus import CASES

from gradproof_spec import check
from gradproof_spec.obligations import Verdict

# What is not decided, and why. At most five.
UNDECIDED: dict[str, str] = {}
IDS = [case.name for case in CASES]


def checked(case):
    return check(
        case.forward, case.vjp, jvp=case.jvp, shapes=case.shapes, params=case.params, integers=case.integers,
        domain=case.domain, residuals=case.residuals,
    )  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_case(case):
    result = checked(case)
    if case.name in UNDECIDED:
        assert result.verdict in (Verdict.UNKNOWN, Verdict.UNSUPPORTED)
        assert UNDECIDED[case.name] in result.message
    else:
        assert result.verdict is (Verdict.PROVED if case.right else Verdict.REFUTED), result.message


def test_few_are_undecided():
    assert len(UNDECIDED) <= 5
    assert set(UNDECIDED) <= set(IDS)


WITH_SCRIPTS = [c for c in CASES if not c.right and c.vjp and c.name not in UNDECIDED][::7]


@pytest.mark.parametrize("case", WITH_SCRIPTS, ids=lambda case: case.name)
def test_the_script_of_a_counterexample_runs_alone(case, tmp_path):
    result = checked(case)
    scripts = [result.script] if result.counterexample else []
    assert scripts or any(word in result.message for word in ("is None", "has shape", "returns"))
    for script in scripts:
        path = tmp_path / "shown.py"
        path.write_text(script, encoding="utf-8")
        done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "by the backward function" in done.stdout
