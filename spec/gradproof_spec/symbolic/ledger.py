"""TRUSTED. What a symbolic run owes: divisors != 0, arguments of log > 0 and of sqrt >= 0, indices in bounds.

A side condition is written down when the operation happens, before anything folds, with the branches taken so far.
It is excused only where its value reaches the outputs, and only through guards (`where`) that exclude the bad case.
While a ledger is open `0 * t` is kept as a term, so a quotient multiplied by 0 still counts as reaching the output.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import TracebackType
from typing import Any, ClassVar

import numpy as np

from ..terms import FALSE, TRUE, ZERO, Condition, Scalar, Term, equal

Prove = Callable[[Sequence[Condition], Condition], "bool | None"]


@dataclass(frozen=True)
class SideCondition:
    """`goal` must hold wherever `conditions` (the path until then) do. `term` is the value it protects, if any."""

    kind: str  # divisor, log, sqrt, index
    goal: Condition
    conditions: tuple[Condition, ...]
    term: Scalar | None = None


@dataclass
class Ledger:
    """The record of one execution. `with Ledger() as ledger:` makes it the one that the meanings write to."""

    active: ClassVar[Ledger | None] = None
    conditions: list[Condition] = field(default_factory=list)  # decided so far, in order
    side_conditions: dict[SideCondition, None] = field(default_factory=dict)  # a dict: ordered, without repeats
    decimal_constants: dict[str, Fraction | Scalar] = field(default_factory=dict)  # floats read as what they stand for
    notes: dict[str, None] = field(default_factory=dict)  # what is assumed besides
    refused: list[Exception] = field(default_factory=list)  # every Unsupported that was raised
    partitions: dict[Condition, tuple[Condition, ...]] = field(default_factory=dict)  # of which exactly one holds

    def __enter__(self) -> Ledger:
        if Ledger.active is not None:
            raise RuntimeError("a symbolic run inside another one")
        Ledger.active, Scalar.on_divisor = self, self.divisor
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        Ledger.active = Scalar.on_divisor = None

    def record(self, kind: str, goal: Condition, term: Scalar | None = None) -> None:
        if goal != TRUE:
            self.side_conditions[SideCondition(kind, goal, tuple(self.conditions), term)] = None

    def divisor(self, x: Scalar) -> None:
        """Called by `terms.reciprocal` itself, so also for what has escaped the array layer."""
        self.record("divisor", ~equal(x, ZERO), Scalar("reciprocal", x))


# ---------------------------------------------------------------- discharging
def undischarged(side_conditions: Iterable[SideCondition], outputs: Any, hypotheses: Sequence[Condition], prove: Prove,
                 positive: Collection[str] = ()) -> list[SideCondition]:
    """The side conditions that none of these shows: constant, sign, `prove`, `prove` under the guards of all uses.

    `outputs`: all that the run's values reached, arrays or terms, nested: what it returned AND the path's conditions.
    `positive`: names of inputs known to be > 0.
    """
    signs: dict[Scalar, int] = {}
    guards: dict[Term, Condition] | None = None
    left = []
    for s in side_conditions:
        known = [*hypotheses, *s.conditions]
        if s.goal == TRUE or _by_sign(s, positive, signs) or prove(known, s.goal) is True:
            continue
        if guards is None:
            guards = selected_under(outputs)
        guard = guards.get(s.term, FALSE) if s.term is not None else FALSE  # FALSE: it reaches no output
        if guard not in (TRUE, FALSE) and prove([*known, guard], s.goal) is True:
            continue
        left.append(s)
    return left


def _by_sign(s: SideCondition, positive: Collection[str], signs: dict[Scalar, int]) -> bool:
    if s.term is None:
        return False
    return sign(s.term.args[-1], positive, signs) >= (1 if s.kind == "sqrt" else 2)


def sign(t: Scalar, positive: Collection[str] = (), known: dict[Scalar, int] | None = None) -> int:
    """2 if t > 0 by its form, 1 if t >= 0, else 0."""
    known = {} if known is None else known
    for x in reversed(_postorder([t])):  # operands first
        if isinstance(x, Scalar) and x not in known:
            known[x] = _sign(x, positive, known)
    return known[t]


def _sign(t: Scalar, positive: Collection[str], known: dict[Scalar, int]) -> int:
    a = [known[x] if isinstance(x, Scalar) else 0 for x in t.args]
    if t.op == "number":
        return 2 if t.args[0] > 0 else 1 if t.args[0] == 0 else 0
    if t.op == "access":
        return 2 if t.args[0] in positive else 0
    if t.op == "function":
        return {"exp": 2, "sqrt": max(a[1], 1)}.get(t.args[0], 0)
    if t.op == "constant":
        return 2
    if t.op == "mul":
        return max(min(a), 1 if t.args[0] == t.args[1] else 0)
    if t.op == "add":
        return max(a) if min(a) > 0 else 0
    if t.op == "reciprocal":
        return 2 if a[0] == 2 else 0
    if t.op == "where":
        return min(a[1:])
    return 1 if t.op == "indicator" else 0


def selected_under(outputs: Any) -> dict[Term, Condition]:
    """For every term in the outputs the condition under which some output depends on it: the `where`s around it."""
    roots = list(_terms(outputs))
    guards = {r: TRUE for r in roots}
    for t in _postorder(roots):  # users first
        g = guards[t]
        uses = [(x, g) for x in t.args if isinstance(x, Term)]
        if t.op == "where":
            c, a, b = t.args
            uses = [(c, g), (a, g & c), (b, g & ~c)]
        for x, condition in uses:
            guards[x] = guards.get(x, FALSE) | condition
    return guards


def _postorder(roots: Sequence[Term]) -> list[Term]:
    """Every distinct subterm of the roots, each before its own arguments."""
    order: list[Term] = []
    done: set[Term] = set()
    todo = [(r, False) for r in roots]
    while todo:
        t, leaving = todo.pop()
        if leaving:
            order.append(t)
        elif t not in done:
            done.add(t)
            todo.append((t, True))
            todo.extend((x, False) for x in t.args if isinstance(x, Term))
    return order[::-1]


def _terms(outputs: Any) -> Iterable[Term]:
    if isinstance(outputs, Term):
        yield outputs
    elif isinstance(outputs, np.ndarray):
        if outputs.dtype == object:
            yield from (e for e in outputs.view(np.ndarray).ravel() if isinstance(e, Term))
    elif isinstance(outputs, dict):
        yield from _terms(list(outputs.values()))
    elif isinstance(outputs, (list, tuple)):
        for x in outputs:
            yield from _terms(x)
