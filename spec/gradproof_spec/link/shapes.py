"""The shape obligations: the runtime's shape rule, run on symbolic integers, gives the specification's extents.

It is the shipped function that is run, on every path. Under the domain of the specification no path may raise, and on
each the result must be the extents of the output; the other way round, a path that returns must lie in the domain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import index
from typing import Any

import gradproof
from gradproof.errors import GradproofError
from gradproof.op import OPS as RUNTIME

from ..obligations import Obligation, Outcome, Verdict
from ..op import OPS, Case, Op
from ..solver import Solver
from ..symbolic import SymbolicInteger, Unsupported, explore, symbols
from ..terms import TRUE, Condition, Index, atom_conditions, equal, to_index, variable
from .cases import runtime_attributes, runtime_shapes


@dataclass
class NotShown(Exception):
    what: str
    unknown: bool = False


class SymbolicSize:
    """Extents and attributes by name, as symbolic integers."""

    def __init__(self, case: Case) -> None:
        self._size = case.size()

    def __getattr__(self, name: str) -> SymbolicInteger:
        return SymbolicInteger(getattr(self._size, name))


def on_integers(case: Case) -> tuple[list[Any], dict[str, Any], Any]:
    """Input shapes, attributes and output shape of the runtime's shape rule, as symbolic integers."""
    shapes, out = runtime_shapes(case, SymbolicSize(case))
    attributes = runtime_attributes(case, {name: SymbolicInteger(variable(name)) for name in case.symbols})
    return shapes, attributes | {p: symbols(p, ()) for p in case.op.reals}, out


def require(solver: Solver, hypotheses: Sequence[Condition], goal: Condition, what: str) -> None:
    answer = solver.valid(hypotheses, goal)
    if answer is not True:
        raise NotShown(what, unknown=answer is None)


def prove_case(case: Case) -> int:
    """The number of paths, or NotShown."""
    solver = Solver(known=lambda x: case.element_condition(x.args[0], x))
    domain = case.hypotheses()
    shapes, attributes, extents = on_integers(case)
    rule = RUNTIME[case.op.name].shape
    found = explore(
        lambda: rule(*shapes, **attributes), hypotheses=domain, catch=(GradproofError,), feasible=solver.satisfiable
    )
    if not found.complete:
        raise NotShown(found.reason, unknown=True)
    for path in found.paths:
        conditions = [*domain, *path.conditions]
        if path.exception is not None:
            infeasible = solver.satisfiable(conditions)
            if infeasible is not False:
                raise NotShown(
                    f"inside the domain the shape rule raises {type(path.exception).__name__}: {path.exception}",
                    infeasible is None,
                )
            continue
        if len(path.result) != len(extents):
            raise NotShown(f"the shape rule gives {len(path.result)} axes, the specification {len(extents)}")
        for axis, (got, want) in enumerate(zip(path.result, extents, strict=True)):
            what = f"the extent of axis {axis} is {got!r}, must be {want!r}"
            require(solver, conditions, equal(term(got), term(want)), what)
    for fact, what in window_facts(case):
        require(solver, domain, fact, what)
    return len(found.paths)


def term(n: Any) -> Index:
    if isinstance(n, SymbolicInteger):
        return n.term
    try:
        return to_index(index(n))
    except TypeError:
        raise NotShown(f"an extent is {n!r}, not an integer") from None


def window_facts(case: Case) -> Iterator[tuple[Condition, str]]:
    """Windows of an input axis: the last one fits, and one more would not. An axis that a transposed convolution
    computes: a convolution has as many windows on it as there were."""
    size, attributes = case.size(), case.op.attributes
    present = {axis for t in (*case.inputs, case.output) for axis in t.axes}
    for axis, window, windows in (("D", "T", "R"), ("H", "U", "P"), ("W", "V", "Q")):
        if axis not in present or f"stride_{axis.lower()}" not in attributes:
            continue
        extent, taps, count = (getattr(size, name) for name in (axis, window, windows))
        stride, padding = (getattr(size, f"{name}_{axis.lower()}") for name in ("stride", "padding"))
        dilation = getattr(size, f"dilation_{axis.lower()}") if f"dilation_{axis.lower()}" in attributes else 1
        length, padded = dilation * (taps - 1) + 1, extent + 2 * padding
        if axis in case.op.extents:
            yield equal((padded - length) // stride + 1, count), f"a convolution of {axis} does not give {windows}"
        else:
            yield stride * (count - 1) + length <= padded, f"the last window along {axis} does not fit"
            yield stride * count + length > padded, f"one more window along {axis} would fit"
        yield count >= 1, f"there is no window along {axis}"


def require_raises_outside(case: Case) -> None:
    """Where the shape rule returns and the output is not empty, the domain holds: nothing else is accepted."""
    solver = Solver(known=lambda x: case.element_condition(x.args[0], x))
    size = case.size()
    axes = [s for s in case.symbols if s not in case.op.attributes]
    free = tuple(getattr(size, a) >= 0 for a in axes)
    declared = [c for c in (case.op.domain(size) if case.op.domain else ()) if c != TRUE and not atom_conditions(c)]
    shapes, attributes, _ = on_integers(case)
    found = explore(
        lambda: RUNTIME[case.op.name].shape(*shapes, **attributes),
        hypotheses=free,
        catch=(GradproofError,),
        feasible=solver.satisfiable,
    )
    if not found.complete:
        raise NotShown(found.reason, unknown=True)
    for path in found.paths:
        if path.exception is None:
            not_empty = [term(n) >= 1 for n in path.result]
            for c in declared:
                require(
                    solver,
                    [*free, *path.conditions, *not_empty],
                    c,
                    f"the shape rule accepts what the domain excludes: {c} need not hold",
                )


def check(op: Op) -> Outcome:
    paths = 0
    for case in op.cases:
        try:
            paths += prove_case(case)
            require_raises_outside(case)
        except NotShown as e:
            verdict = Verdict.UNKNOWN if e.unknown else Verdict.REFUTED
            return Outcome(verdict, f"{verdict}  shape[{op.name}]\n\n  {e.what} (case {case.id or 'only'})")
        except Unsupported as e:
            return Outcome(Verdict.UNSUPPORTED, f"UNSUPPORTED  shape[{op.name}]\n\n  {e}")
    return Outcome(Verdict.PROVED, data={"cases": len(op.cases), "paths": paths})


def obligations() -> Iterator[Obligation]:
    for op in OPS.values():
        windows = "; the last window fits and one more would not" if "P" in op.extents else ""
        yield Obligation(
            "shape",
            op.name,
            "",
            f"OPS[{op.name!r}].shape on symbolic integers = the extents of the output{windows}",
            f"all integer extents and attributes; {len(op.cases)} forms",
            partial(check, op),
        )


__all__ = ["check", "gradproof", "obligations"]
