"""A sample of the audit of autograd's rules: what is known to be right is proved, what is known to be wrong refuted."""

import importlib
import sys
from pathlib import Path

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from gradproof_spec.gradient_check import Result
from gradproof_spec.obligations import Verdict

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
auditing = importlib.import_module("auditing")
audit = importlib.import_module("audit_autograd")
tried = importlib.import_module("autograd_configurations")
R, judge, case = auditing.R, auditing.judge, audit.case


def jvp(*args, **kwargs):
    return audit.forward_mode(case(*args, **kwargs))


RIGHT = {
    "multiply": case(anp.multiply, R(2, 1), R(3)),
    "maximum": case(anp.maximum, R(2), R(2)),
    "var": case(tried.raw._primitive_var, R(2, 2), axis=0, ddof=1),
    "matmul": case(anp.matmul, R(1, 2), R(2, 2, 3)),
    "repeated-index": case(tried.ArrayBox.__getitem__, R(3), [0, 0, 2]),
    "inverse": case(tried.anpla.inv, R(2, 2), domain=tried.invertible(2)),
    "jvp-divide": jvp(anp.divide, R(2), R(2), domain="y != 0"),
    "jvp-repeat": jvp(anp.repeat, R(2, 3), 2, axis=-1),
    "jvp-split": jvp(anp.split, R(2, 2), 2, axis=1),
    "jvp-stack": jvp(tried.raw.array_from_args, (), {}, R(2), R(2), plain=lambda a, k, *xs: np.stack(xs),
                     spelled="array([x, y])"),
}
WRONG = {
    "transpose": (case(anp.transpose, R(2, 2, 2), (-1, 0, 1)), auditing.VALUE),
    "repeat": (case(anp.repeat, R(2, 3), 2, axis=-1), auditing.VALUE),
    "diag": (case(anp.diag, R(2, 3)), auditing.SHAPE),
    "prod": (case(anp.prod, R(2)), auditing.NOT_FINITE),
    "einsum": (case(anp.einsum, "ii->i", R(2, 2)), auditing.RAISES),
    "jvp-sort": (jvp(anp.sort, R(2, 2)), auditing.SHAPE),
    "jvp-prod": (jvp(anp.prod, R(2)), auditing.NOT_FINITE),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_rules_are_proved(name):
    found = judge(RIGHT[name])
    assert found.verdict == "PROVED", found.reason
    assert found.compared >= auditing.POINTS and not found.contradiction


@pytest.mark.parametrize("name", WRONG)
def test_wrong_rules_are_refuted_with_an_input_at_which_autograd_is_wrong(name):
    one, kind = WRONG[name]
    found = judge(one)
    assert found.wrong and found.kind() == kind, found
    assert auditing.replayed(found)[1] and not found.contradiction


@pytest.mark.parametrize("wrong", [case(anp.tile, R(2, 2), 2), jvp(anp.sort, R(2, 2))], ids=["vjp", "jvp"])
def test_floats_contradict_a_wrong_verdict(monkeypatch, wrong):
    """The comparison with differences can fail: a rule that is wrong everywhere, called proved."""
    def proved(*args, **kwargs):
        return Result(Verdict.PROVED, "PROVED")

    monkeypatch.setattr(auditing, "check", proved)
    assert judge(wrong).contradiction


def test_what_autograd_does_not_have_is_not_called_wrong():
    assert judge(case(anp.sort, R(2, 2))).verdict == "NOT IMPLEMENTED"


def test_the_reproduction_is_of_plain_autograd():
    found = judge(case(anp.diag, R(2, 3)))
    lines = auditing.reproduction(found)
    assert len(lines) == 3 and "gradproof" not in "".join(lines)
    x, g = found.arrays["x"], found.direction
    assert autograd.grad(lambda x: anp.sum(g * anp.diag(x, k=0)))(x).shape == (2, 2) != np.shape(x)


def test_verdicts_are_kept_and_found_anew(tmp_path, monkeypatch, capsys):
    """--results: a run in two pieces writes the page of one in one piece; a page needs every verdict."""
    rows = [case(anp.diag, R(2, 3)), case(anp.sin, R()), jvp(anp.sin, R())]
    one = auditing.replace(audit.AUDIT, table=lambda: rows, document=tmp_path / "page.md", untried=None)
    kept = ["--results", str(tmp_path / "kept")]
    assert auditing.main(one, ["sin", *kept]) == 0
    with pytest.raises(SystemExit):
        auditing.main(one, ["sin", "--write", *kept])
    capsys.readouterr()
    assert auditing.main(one, ["--missing", "--write", "--jobs", "2", *kept]) == 0
    page = one.document.read_text()
    assert auditing.main(one, ["--write"]) == 0 and one.document.read_text() == page
    assert "**diag**: the rule takes every matrix" in page and "anp.diag(x)" in page
    assert "| sin | 1 | 1 |  |  |  | 1 | 1 |  |  |  |" in page
