"""A sample of the audit of autograd's rules: what is known to be right is proved, what is known to be wrong refuted."""

import importlib.util
import sys
from pathlib import Path

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from gradproof_spec.gradient_check import Result
from gradproof_spec.obligations import Verdict

SCRIPT = Path(__file__).resolve().parents[2] / "examples/audit_autograd.py"
SPECIFICATION = importlib.util.spec_from_file_location("audit_autograd", SCRIPT)
audit = importlib.util.module_from_spec(SPECIFICATION)
sys.modules["audit_autograd"] = audit  # dataclasses look their module up
SPECIFICATION.loader.exec_module(audit)
case, R = audit.case, audit.R

RIGHT = {
    "multiply": case(anp.multiply, R(2, 1), R(3)),
    "maximum": case(anp.maximum, R(2), R(2)),
    "var": case(audit.raw._primitive_var, R(2, 2), axis=0, ddof=1),
    "matmul": case(anp.matmul, R(1, 2), R(2, 2, 3)),
    "repeated-index": case(audit.ArrayBox.__getitem__, R(3), [0, 0, 2]),
    "inverse": case(audit.anpla.inv, R(2, 2), domain=audit.invertible(2)),
}
WRONG = {
    "transpose": (case(anp.transpose, R(2, 2, 2), (-1, 0, 1)), audit.VALUE),
    "repeat": (case(anp.repeat, R(2, 3), 2, axis=-1), audit.VALUE),
    "diag": (case(anp.diag, R(2, 3)), audit.SHAPE),
    "prod": (case(anp.prod, R(2)), audit.NOT_FINITE),
    "einsum": (case(anp.einsum, "ii->i", R(2, 2)), audit.RAISES),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_rules_are_proved(name):
    found = audit.judge(RIGHT[name])
    assert found.verdict == "PROVED", found.reason
    assert found.compared >= audit.POINTS and not found.contradiction


@pytest.mark.parametrize("name", WRONG)
def test_wrong_rules_are_refuted_with_an_input_at_which_autograd_is_wrong(name):
    one, kind = WRONG[name]
    found = audit.judge(one)
    assert found.wrong and found.kind() == kind, found
    assert audit.replayed(found)[1] and not found.contradiction


def test_floats_contradict_a_wrong_verdict(monkeypatch):
    """The comparison with differences can fail: a rule that is wrong everywhere, called proved."""
    def proved(*args, **kwargs):
        return Result(Verdict.PROVED, "PROVED")

    monkeypatch.setattr(audit, "check", proved)
    assert audit.judge(case(anp.tile, R(2, 2), 2)).contradiction


def test_what_autograd_does_not_have_is_not_called_wrong():
    assert audit.judge(case(anp.sort, R(2, 2))).verdict == "NOT IMPLEMENTED"


def test_the_reproduction_is_of_plain_autograd():
    found = audit.judge(case(anp.diag, R(2, 3)))
    lines = audit.reproduction(found)
    assert len(lines) == 3 and "gradproof" not in "".join(lines)
    x, g = found.arrays["x"], found.g
    assert autograd.grad(lambda x: anp.sum(g * anp.diag(x, k=0)))(x).shape == (2, 2) != np.shape(x)
