"""The wrappers of benchmarks/compare_checkers.py give the known answers on a few cases, and the table counts them."""
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import compare_checkers as cc

from gradproof_spec import check_jax, check_torch
from gradproof_spec.obligations import Verdict

CASES = {case.name: case for case in cc.CASES}
DOUBLE = [name for name in cc.CHECKERS if "float32" not in name]


def answers(name, checkers=tuple(cc.CHECKERS)):
    return {checker: cc.CHECKERS[checker](CASES[name]) for checker in checkers}


# in order: integer arguments; residuals; a JVP alone. PyTorch's differences in float32 are noise, except on linear maps
@pytest.mark.parametrize("name", ["gather", "layer-norm-residuals", "tanh-jvp"])
def test_right_ones_are_accepted(name):
    assert set(answers(name, DOUBLE).values()) == {cc.ACCEPTED}
    assert cc.CHECKERS["jax check_grads, float32"](CASES[name]) == cc.ACCEPTED


@pytest.mark.parametrize("name", ["squared-relu-no-two", "tanh-jvp-no-square", "cumsum-forwards"])
def test_plainly_wrong_ones_are_refused_by_all(name):
    assert set(answers(name).values()) == {cc.REFUSED}


@pytest.mark.parametrize("name", ["elu-zero-at-zero", "relu6-unbounded", "entropy-bits-mistyped"])
def test_hidden_ones_are_refused_by_gradproof_alone(name):
    numerical = answers(name, [checker for checker in DOUBLE if checker != "gradproof.check"])
    assert set(numerical.values()) == {cc.ACCEPTED}
    assert cc.CHECKERS["gradproof.check"](CASES[name]) == cc.REFUSED


def test_the_wrapped_cases_are_opaque_to_a_trace():
    """Which is why check_torch and check_jax are not compared."""
    case = CASES["squared-relu-no-two"]
    sample = cc.Sample(case, np.float64)
    for check, function in ((check_torch, cc.torch_function), (check_jax, cc.jax_function)):
        assert check(function(sample), shapes=case.shapes).verdict is Verdict.UNSUPPORTED


@pytest.mark.parametrize("case", cc.CASES, ids=lambda case: case.name)
def test_samples_lie_in_the_domain(case):
    sample, again = cc.Sample(case, np.float32), cc.Sample(case, np.float32)
    assert sample.allowed(dict(zip(case.shapes, sample.arguments(sample.primals), strict=True)))
    assert all(low <= i < high for n, (low, high) in case.integers.items() for i in sample.point[n].reshape(-1))
    assert all(np.array_equal(sample.point[n], again.point[n]) for n in case.shapes)
    assert sample.value(*sample.primals).dtype == np.float32


def test_a_failing_checker_has_no_verdict():
    def fails(case):
        raise RuntimeError("no\nluck")

    answer = cc.outcome(fails, CASES["gather"]).answer
    assert answer == "RuntimeError: no"
    assert cc.row("x", [cc.Outcome(CASES["gather"], answer, 2.0)]).endswith("| 1 | 2.0 s, 2.0 s |")


def test_the_table_counts():
    cases = [CASES[name] for name in ("gather", "sort", "elu-zero-at-zero", "relu6-unbounded", "cumsum-forwards")]
    given = {"gather": cc.ACCEPTED, "sort": cc.REFUSED, "elu-zero-at-zero": cc.ACCEPTED, "relu6-unbounded": "UNKNOWN",
             "cumsum-forwards": cc.REFUSED}
    text = cc.table({"x": [cc.Outcome(case, given[case.name], 0.01) for case in cases]}, cases)
    assert "| x | 1 | 1 | 1 | 1 | 1 | 0 | 0 | 0 | 0 | 1 | 10 ms, 10 ms |" in text
    assert "**x** misses of tie elu-zero-at-zero." in text
    assert "Without a verdict: relu6-unbounded (UNKNOWN)." in text


def test_only_what_is_between_the_markers_is_replaced():
    document = f"before\n{cc.BEGIN}\nold\n{cc.END}\nafter {cc.END}\n"
    assert cc.replaced(document, "new\n") == f"before\n{cc.BEGIN}\nnew\n{cc.END}\nafter {cc.END}\n"
    with pytest.raises(SystemExit, match="has no"):
        cc.replaced("before", "new\n")
