"""Planted wrong rules of the runtime: NumPy kernels that `kernel` must refute, shape rules that `shape` must.

They stand in ops/<family>.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradproof
from gradproof.op import OPS as RUNTIME

from ..obligations import Obligation, Outcome, Verdict
from ..op import OPS
from . import shapes
from .examples import EXAMPLES
from .kernels import Run, prove_run


@dataclass(frozen=True)
class WrongKernel:
    """`rule` (a key of the table entry's rules) replaced by `wrong`; shown wrong at the named example."""

    op: str
    name: str
    rule: str
    example: str
    wrong: Callable[..., Any]

    @property
    def kind(self) -> str:
        return "shape" if self.rule == "shape" else "kernel"

    @property
    def direction(self) -> str:
        return self.rule.split()[0]


WRONG: list[WrongKernel] = []


def plant(op: str, name: str, rule: str, example: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(wrong: Callable[..., Any]) -> Callable[..., Any]:
        WRONG.append(WrongKernel(op, name, rule, example, wrong))
        return wrong

    return register


def check(fault: WrongKernel) -> Outcome:
    """CAUGHT if, with the wrong rule in the runtime's table, the named kind is refuted."""
    rules = RUNTIME[fault.op].rules
    right = rules[fault.rule]
    rules[fault.rule] = fault.wrong
    try:
        if fault.kind == "shape":
            outcome = shapes.check(OPS[fault.op])
        else:
            example = next(e for e in EXAMPLES if (e.op, e.name) == (fault.op, fault.example))
            outcome = prove_run(Run(example, fault.direction))
    finally:
        rules[fault.rule] = right
    if outcome.verdict is Verdict.REFUTED:
        return Outcome(Verdict.CAUGHT, outcome.message.splitlines()[2].strip(), {"by": fault.kind})
    return Outcome(
        Verdict.MISSED,
        f"MISSED  refutes[{fault.op}-{fault.name}]\n\n  {fault.kind} says {outcome.verdict}\n\n{outcome.message}",
    )


def obligations() -> Iterator[Obligation]:
    for fault in WRONG:
        claim = f"this wrong rule of the runtime is refuted by {fault.kind}"
        yield Obligation("refutes", fault.op, fault.name, claim, "a planted fault", partial(check, fault))


__all__ = ["WRONG", "check", "gradproof", "obligations"]
