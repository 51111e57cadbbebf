"""The implementations that benchmarks/training_steps.py compares agree on losses and parameters, at small sizes."""
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import training_steps as ts

WORKLOADS = {w.name: w for w in ts.workloads(small=True)}
NAMES = [name for name in ts.IMPLEMENTATIONS if name != ts.TORCH_COMPILE]  # half a minute of a C++ compiler


@pytest.mark.parametrize("workload", WORKLOADS)
def test_all_agree(workload):
    steps, absent = ts.checked(WORKLOADS[workload], NAMES)
    assert list(steps) == NAMES and not absent


@pytest.mark.parametrize("name", ["w1", "b1", "w2", "b2"])
def test_a_rate_that_is_one_percent_off_is_an_error(name, monkeypatch):
    def other(w):
        step, parameters = ts.by_gradproof(w)
        start = w.params[name]
        return step, lambda: parameters() | {name: start + 1.01 * (parameters()[name] - start)}

    monkeypatch.setitem(ts.IMPLEMENTATIONS, "other", other)
    with pytest.raises(AssertionError, match=f"{name}, other"):
        ts.checked(WORKLOADS["tiny MLP"], [ts.EAGER, "other"])


def test_the_lines_of_a_plan_are_timed_and_its_products_found():
    w = WORKLOADS["MLP"]
    steps, _ = ts.checked(w, [ts.COMPILED])
    lines = ts.Lines(steps[ts.COMPILED], w)
    assert len(lines.products) == 5  # two forward, three backward
    seconds = lines.seconds(3)
    assert len(seconds) == len(lines.lines) and np.all(seconds > 0)
    size, line = lines.largest()
    assert size < 10_000 and line in lines.lines
