"""The same verdicts and the same figures in any order, with any hash seed, and on a busy machine."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from gradproof_spec import (
    any_shape,
    flat,
    lemmas,
    ops,  # noqa: F401  registers every op
    planted,
)
from gradproof_spec.link import kernels
from gradproof_spec.obligations import Obligation
from gradproof_spec.prove import run

SAMPLE = (
    "bounds[matmul]",
    "bounds[gather_rows]",
    "derivative[log_softmax]",
    "derivative[maximum]",
    "adjoint[softmax]",
    "adjoint[matmul]",
    "kink[relu]",
    "flat[mul]",
    "kernel[softmax-vjp-3-axis0]",
    "kernel[max_pool-forward-batch0-k2]",
    "lemma[first-argmax]",
    "refutes[gather_rows-no-bounds-guard]",
    "refutes[mul-ga-uses-a]",
    "refutes[softmax-vjp-without-the-sum]",
)


@cache
def obligations() -> dict[str, Obligation]:
    modules = (any_shape, flat, kernels, lemmas, planted)
    found = {o.id: o for module in modules for o in module.obligations()}
    return {name: found[name] for name in SAMPLE}


def results(order: tuple[str, ...]) -> dict[str, list[object]]:
    """Verdict, message and data (queries, cases, tiers, paths) of each."""
    entries = [run(obligations()[name]) for name in order]
    return {e.id: [str(e.verdict), e.outcome.message, json.loads(json.dumps(e.outcome.data))] for e in entries}


@cache
def reference() -> dict[str, list[object]]:
    return results(SAMPLE)


def test_the_sample_passes_and_counts():
    assert {v[0] for v in reference().values()} == {"PROVED", "CAUGHT"}
    assert all(
        data.get("queries")
        for name, (_, _, data) in reference().items()
        if name.startswith(("derivative", "adjoint", "flat"))
    )


def test_in_another_order():
    """Every one of them a second time, so that no memory of the first shows."""
    order = random.Random(1).sample(SAMPLE, len(SAMPLE))
    assert results(tuple(order)) == reference()


def in_a_new_process(hash_seed: str, order: tuple[str, ...]) -> subprocess.Popen[str]:
    code = f"import json, test_reproducible as t; print(json.dumps(t.results({order!r})))"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )


@pytest.mark.parametrize(("hash_seed", "load"), [("1", 0), ("4242", 2)])
def test_in_a_new_process(hash_seed, load):
    """Another PYTHONHASHSEED, half of them; the second time beside two processes that keep the machine busy."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(load)]
    try:
        order = random.Random(hash_seed).sample(SAMPLE, len(SAMPLE) // 2)
        with in_a_new_process(hash_seed, tuple(order)) as proving:
            found = json.loads(proving.communicate(timeout=120)[0])
    finally:
        for p in busy:
            p.kill()
            p.wait()
    assert found == {name: reference()[name] for name in order}
