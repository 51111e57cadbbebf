"""TRUSTED. A user's function run on symbols: on every path, merged into one array of terms per result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from ..solver import Solver
from ..symbolic import Path, as_terms, explore, undischarged
from ..symbolic.ledger import selected_under
from ..terms import (
    FALSE,
    ONE,
    TRUE,
    ZERO,
    Condition,
    Scalar,
    Term,
    conjunction,
    function,
    product_factors,
    reciprocal,
    replace,
    to_scalar,
    where,
)

MOST_PATHS = 200


class Undecided(Exception):
    """The run is not complete: too many paths."""


class ResultsDiffer(Exception):
    """Two paths give results that are not of one form: other shapes, or another number of them."""


@dataclass(frozen=True)
class Program:
    """What a function computes.

    results: the arrays of terms that it returns, None where it returns None. needs: what must hold for it to be defined
    that is not known to hold, each with the kind of operation that needs it. decimals: constants that were read as the
    decimal or the number that their author wrote. notes: what else is assumed.
    """

    results: list[Any]
    needs: list[tuple[str, Condition]]
    decimals: dict[str, Fraction | Scalar] = field(default_factory=dict)
    paths: int = 1
    notes: list[str] = field(default_factory=list)

    def terms(self) -> list[Scalar]:
        return [t for array in self.results if array is not None for t in array.ravel()]


def run(
    function: Callable[[], Sequence[Any]], hypotheses: Sequence[Condition], solver: Solver, unused: bool = True
) -> Program:
    """function() -> the arrays (or None) that it returns, on all paths that the hypotheses allow. unused: whether what
    is needed only for values that reach no result counts too."""

    def terms() -> list[Any]:
        return [None if array is None else as_terms(array) for array in function()]

    exploration = explore(terms, hypotheses, max_paths=MOST_PATHS, users=True)
    if not exploration.complete:
        raise Undecided(exploration.reason)
    needs: dict[tuple[str, Condition], None] = {}
    for path in exploration.paths:
        outputs = [path.result, list(path.conditions)]
        guards = selected_under(outputs)
        for owed in undischarged(path.side_conditions, outputs, [*hypotheses, *path.conditions], solver.valid):
            guard = TRUE if owed.term is None else guards.get(owed.term, FALSE)  # FALSE: it reaches no output
            if guard == FALSE and not unused:
                continue
            used = TRUE if guard == FALSE else guard
            needs[owed.kind, ~conjunction(owed.conditions) | ~used | owed.goal] = None
    results = merged(exploration.paths, 0)
    for array in results:
        if array is not None:
            for i in np.ndindex(*array.shape):
                array[i] = simplified(to_scalar(array[i]))
    return Program(
        results, list(needs), dict(exploration.decimal_constants), len(exploration.paths), list(exploration.notes)
    )


def simplified(t: Scalar) -> Scalar:
    """1 / (a sqrt(b)) = sqrt(b) / (a b) for numbers a and b > 0: sqrt(2) is written in many ways."""

    def step(x: Term) -> Scalar | None:
        if x.op != "reciprocal":
            return None
        numbers, roots = ONE, []
        for factor in product_factors(x.args[0]):
            if factor.op == "number":
                numbers = numbers * factor
            elif factor.op == "function" and factor.args[0] == "sqrt" and factor.args[1].op == "number":
                roots.append(factor)
            else:
                return None
        if not roots or numbers == ZERO:
            return None
        result = reciprocal(numbers)
        for root in roots:
            result = result * root * reciprocal(root.args[1])
        return result

    return replace(t, step)


def expanded(t: Scalar, positive: Callable[[Scalar], bool]) -> Scalar:
    """tanh(x) = 1 - 2 / (exp(2 x) + 1), and the logarithm of a product or quotient of what is positive as a sum."""

    def step(x: Term) -> Scalar | None:
        if x.op != "function" or x.args[0] not in ("tanh", "log"):
            return None
        inner = replace(x.args[1], step)
        if x.args[0] == "tanh":
            return ONE - 2 * reciprocal(function("exp", 2 * inner) + ONE)
        factors = product_factors(inner)
        bases = [factor.args[0] if factor.op == "reciprocal" else factor for factor in factors]
        if (len(factors) < 2 and factors[0].op != "reciprocal") or not all(map(positive, bases)):
            return None
        total = ZERO
        for factor, base in zip(factors, bases, strict=True):
            term = function("log", base)
            total = total - term if factor.op == "reciprocal" else total + term
        return total

    return replace(t, step)


def merged(paths: Sequence[Path], depth: int) -> list[Any]:
    """The results of paths that agree on their first `depth` decisions: a choice at the next one."""
    if len(paths) == 1:
        return list(paths[0].result)
    condition = paths[0].conditions[depth]
    yes = [path for path in paths if path.conditions[depth] == condition]
    no = [path for path in paths if path.conditions[depth] != condition]
    if not no:
        return merged(yes, depth + 1)
    first, second = merged(yes, depth + 1), merged(no, depth + 1)
    if len(first) != len(second):
        raise ResultsDiffer("it returns another number of results")
    return [choice(condition, a, b) for a, b in zip(first, second, strict=True)]


def choice(condition: Condition, a: Any, b: Any) -> Any:
    if a is None and b is None:
        return None
    if a is None or b is None:
        raise ResultsDiffer(f"it returns None where {~condition if a is not None else condition}, else an array")
    if a.shape != b.shape:
        raise ResultsDiffer(f"it returns shape {a.shape} where {condition}, else {b.shape}")
    result = np.empty(a.shape, dtype=object)
    for i in np.ndindex(*a.shape):
        result[i] = where(condition, to_scalar(a[i]), to_scalar(b[i]))
    return result
