"""TRUSTED. Runs a Python function on every feasible path of its branches on symbolic conditions.

Where Python needs the truth of a Condition (`if`, `while`, a Boolean index) the run takes one side, and the function is
run again later for the other. A side is dropped only where the solver shows it impossible: unknown keeps it.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from ..solver import satisfiable
from ..terms import FALSE, TRUE, Condition, Scalar
from .array import SymbolicArray, intercepting
from .ledger import Ledger, SideCondition
from .meanings import Unsupported
from .user_calculus import users_code

Decision = tuple[Condition, bool]
MOST_BRANCHES = 64  # that one run of users' code may open: each is one more path at least


@dataclass(frozen=True)
class Path:
    """One execution: its result or the exception it raised, what it decided, what it owes."""

    result: Any
    exception: Exception | None
    conditions: tuple[Condition, ...]
    side_conditions: list[SideCondition]


@dataclass
class Exploration:
    paths: list[Path] = field(default_factory=list)
    complete: bool = True
    reason: str = ""
    decimal_constants: dict[str, Fraction | Scalar] = field(default_factory=dict)  # floats that were read as decimals
    notes: dict[str, None] = field(default_factory=dict)  # of the ledgers


def explore(function: Callable[[], Any], hypotheses: Sequence[Condition] = (), max_paths: int = 1000,
            catch: tuple[type[Exception], ...] = (),
            feasible: Callable[[Sequence[Condition]], bool | None] = satisfiable, users: bool = False) -> Exploration:
    """function() on every path that the hypotheses allow. Exceptions not of the types in `catch` propagate.

    `users`: with the wider meanings of `user_code`, for functions that were not written for us.
    """
    if Condition.decide is not None:
        raise RuntimeError("explore() inside explore()")
    found, pending = Exploration(), [[]]  # type: ignore[var-annotated]
    while pending:
        if len(found.paths) == max_paths:
            found.complete, found.reason = False, f"stopped after {max_paths} paths, at least {len(pending)} more"
            break
        run = _Run(pending.pop(), hypotheses, feasible, users)
        found.paths.append(run.execute(function, catch))
        pending.extend(run.alternatives)
        found.decimal_constants |= run.ledger.decimal_constants
        found.notes |= run.ledger.notes
    return found


class _Run:
    """One execution that repeats the given decisions and then takes, at every new branch, the true side first."""

    def __init__(self, script: list[Decision], hypotheses: Sequence[Condition],
                 feasible: Callable[[Sequence[Condition]], bool | None], users: bool = False) -> None:
        self.users = users
        self.script, self.hypotheses, self.feasible = script, list(hypotheses), feasible
        self.decisions: list[Decision] = []
        self.known: dict[Condition, bool] = {}
        self.alternatives: list[list[Decision]] = []
        self.ledger = Ledger()

    def execute(self, function: Callable[[], Any], catch: tuple[type[Exception], ...]) -> Path:
        result, exception = None, None
        for h in self.hypotheses:
            self._learn(h, True)
        with self.ledger, users_code() if self.users else intercepting(SymbolicArray):
            Condition.decide = self.decide
            try:
                result = function()
            except catch as error:
                exception = error
            finally:
                Condition.decide = None
        if self.users and exception is None and self.ledger.refused:
            raise self.ledger.refused[0]  # the function caught it and went on
        if len(self.decisions) < len(self.script):
            raise RuntimeError("the function is not deterministic: a repeated run took fewer branches")
        return Path(result, exception, tuple(self.ledger.conditions), list(self.ledger.side_conditions))

    def decide(self, c: Condition) -> bool:
        c = self._reduce(c)
        if c.op in ("true", "false"):
            return c.op == "true"
        if c.op == "not":
            return not self.decide(c.args[0])
        step = len(self.decisions)
        if self.users and len(self.alternatives) == MOST_BRANCHES:
            raise Unsupported(f"more than {MOST_BRANCHES} branches on values in one run: a loop until convergence has "
                              f"no end on symbols, use a fixed number of steps; for a choice use np.where")
        if step < len(self.script):
            expected, value = self.script[step]
            if expected != c:
                raise RuntimeError(f"the function is not deterministic: it asked {c!r}, then {expected!r}")
        elif self._feasible(c) is False:
            value = False
        else:
            value = True
            if self._feasible(~c) is not False:
                self.alternatives.append([*self.decisions, (c, False)])
        self.decisions.append((c, value))
        self.ledger.conditions.append(c if value else ~c)
        self._learn(c, value)
        return value

    def _feasible(self, c: Condition) -> bool | None:
        Condition.decide, Scalar.on_divisor = None, None  # the solver works on terms too: not part of the run
        try:
            return self.feasible([*self.hypotheses, *self.ledger.conditions, c])
        finally:
            Condition.decide, Scalar.on_divisor = self.decide, self.ledger.divisor

    def _reduce(self, c: Condition) -> Condition:
        """c with its decided parts replaced by their truth values."""
        if c in self.known:
            return TRUE if self.known[c] else FALSE
        if c.op == "not":
            return ~self._reduce(c.args[0])
        if c.op == "and":
            return self._reduce(c.args[0]) & self._reduce(c.args[1])
        return self._reduce(c.args[0]) | self._reduce(c.args[1]) if c.op == "or" else c

    def _learn(self, c: Condition, value: bool) -> None:
        self.known[c] = value
        if c.op == "not":
            self._learn(c.args[0], not value)
        elif c.op == ("and" if value else "or"):
            for x in c.args:
                self._learn(x, value)
        elif c.op in ("value<", "value<="):  # a < b is the negation of b <= a
            other = Condition("value<=" if c.op == "value<" else "value<", c.args[1], c.args[0])
            self.known[other] = not value
