"""A sample of the audit of MyGrad: what is known to be right is proved, what is known to be wrong refuted."""

import importlib
import sys
from pathlib import Path

import mygrad as mg
import numpy as np
import pytest

from gradproof_spec.gradient_check import Result
from gradproof_spec.obligations import Verdict

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
auditing = importlib.import_module("auditing")
audit = importlib.import_module("audit_mygrad")
judge, case, Whole = auditing.judge, audit.case, auditing.Whole

RIGHT = {
    "multiply": case("mg.multiply(x, y)", x=(2, 1), y=(3,)),
    "arctan2": case("mg.arctan2(x, y)", "y != 0", x=(2,), y=()),
    "where": case("mg.sin(x, out=np.zeros(2), where=np.array([True, False]))", x=(2,)),
    "var": case("mg.var(x, axis=(0, -1), ddof=1)", x=(2, 1, 2)),
    "cumsum": case("mg.cumsum(x, axis=-2)", x=(2, 2)),
    "repeat": case("mg.repeat(x, [0, 2, 1], axis=-1)", x=(2, 3)),
    "einsum": case("mg.einsum('ij,ji->', x, x)", x=(2, 2)),
    "matmul": case("mg.matmul(x, y)", x=(2, 1, 2), y=(2, 1)),
    "getitem": case("x[i, i]", x=(2, 2), i=Whole(-2, 2, (2,))),
    "setitem": case("z = +x; z[[0, 0]] = y; z", x=(3,), y=(2,)),
    "view": case("z = +x; v = z.T; v[0] = y; z", x=(2, 2), y=(2,)),
    "conv": case("mg.nnet.conv_nd(x, y, stride=2, padding=1)", x=(1, 1, 2), y=(1, 1, 2)),
    "batchnorm": case("mg.nnet.batchnorm(x, gamma=y, eps=1e-5)", x=(2, 1), y=(1,)),
    "hinge": case("mg.nnet.multiclass_hinge(x, i)", x=(1, 2), i=Whole(0, 2, (1,))),
}
NOT_FINITE, RAISES, VALUE = auditing.NOT_FINITE, auditing.RAISES, auditing.VALUE
WRONG = {
    "maximum": (case("mg.maximum(x, x)", x=(1,)), VALUE),
    "setitem": (case("z = +x; z[np.array([0, 0], dtype=np.int32)] = y; z", x=(2,), y=(2,)), VALUE),
    "norm": (case("mg.linalg.norm(x, axis=1, keepdims=0)", "x != 0", x=(2, 2)), VALUE),
    "sech": (case("mg.sech(x)", x=()), NOT_FINITE),
    "where": (case("mg.sqrt(x, out=np.zeros(2), where=np.array([True, False]))", "x[0] > 0", x=(2,)), NOT_FINITE),
    "sum": (case("mg.sum(x, axis=0)", x=()), RAISES),
    "repeat": (case("mg.repeat(x, np.int64(2))", x=(2,)), RAISES),
    "repeat-empty": (case("mg.repeat(x, 2)", x=(0,)), RAISES),
    "two-views": (case("z = +x.T; v = z.T.reshape(4); v[0] = y; z", x=(2, 2), y=()), RAISES),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_operations_are_proved(name):
    found = judge(RIGHT[name])
    assert found.verdict == "PROVED", found.reason
    assert found.compared >= auditing.POINTS and not found.contradiction


@pytest.mark.parametrize("name", WRONG)
def test_wrong_operations_are_refuted_with_an_input_at_which_mygrad_is_wrong(name):
    one, kind = WRONG[name]
    found = judge(one)
    assert found.wrong and found.kind() == kind, found
    assert auditing.replayed(found)[1] and not found.contradiction


def test_floats_contradict_a_wrong_verdict(monkeypatch):
    monkeypatch.setattr(auditing, "check", lambda *args, **kwargs: Result(Verdict.PROVED, "PROVED"))
    assert judge(WRONG["setitem"][0]).contradiction


def test_the_reproduction_is_of_plain_mygrad():
    found = judge(WRONG["setitem"][0])
    lines = auditing.reproduction(found)
    assert len(lines) == 3 and "gradproof" not in "".join(lines)
    x, y = mg.tensor(found.arrays["x"]), mg.tensor(found.arrays["y"])
    z = +x
    z[np.array([0, 0], dtype=np.int32)] = y
    z.backward(found.direction)
    assert y.grad[0] == found.direction[0] != 0  # overwritten by y[1]: it has no effect


def test_the_table_runs_nearly_all_operations():
    cases = audit.table()
    assert len({c.text() for c in cases}) == len(cases) > 250
    tried = set().union(*map(audit.operations, cases))
    missing = set(audit.concrete(audit.Operation)) - tried
    assert len(tried) >= 90 and not missing, missing


def test_arguments_are_named_in_order():
    with pytest.raises(ValueError, match="name the arguments x, y"):
        case("x + z", x=(2,), z=(2,))
