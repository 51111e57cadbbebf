"""Bring your own gradient: `check` proves that a backward pass is the derivative of its forward, or shows an input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..obligations import Verdict
from ..symbolic import Unsupported
from .all_shapes import check_all_shapes, extents_named
from .files import checked
from .on_symbols import assignments, prepare, run_backward
from .programs import ResultsDiffer, Undecided
from .proof import proved
from .question import CheckError, Question, told
from .result import Result
from .search import search, without_form


def check(
    forward: Callable[..., Any],
    vjp: Callable[..., Any] | None = None,
    *,
    jvp: Callable[..., Any] | None = None,
    shapes: Mapping[str, tuple[int | str, ...]],
    params: Mapping[str, Any] | None = None,
    integers: Mapping[str, tuple[int, int]] | None = None,
    domain: Callable[..., Any] | None = None,
    residuals: bool = False,
    surrogate: Callable[..., Any] | None = None,
) -> Result:
    """Is `vjp` (or `jvp`) the derivative of `forward`, for all reals at these shapes?

    shapes: name -> extents. An extent that is a name, as in {"x": ("N", "D"), "w": ("D",)}, is any integer >= 1, equal
    names equal ones: the claim is then about all shapes, and PROVED means that.

    forward(*args, **params) -> array or tuple of arrays, in plain NumPy; args in the order of `shapes`.
    vjp(g, *args, **params) -> a cotangent per float argument. jvp(primals, tangents, **params) -> tangents.
    params: numbers are exact; "real" or "positive" in place of one: for all of them. integers: name -> (low, high), an
    argument of integers low <= i < high, tried at all of them. domain(*args, **params) -> conditions. residuals:
    forward gives (y, residuals), vjp(residuals, g). surrogate: the function whose derivative is meant.

    The verdict is PROVED, REFUTED with a counterexample that was reproduced in floats, VACUOUS where the domain is
    empty, UNSUPPORTED where a function is not modelled on symbols, else UNKNOWN. Raises CheckError.

    >>> import numpy as np
    >>> def square(x):
    ...     return x * x
    >>> print(check(square, lambda g, x: 2 * g * x, shapes={"x": (2,)}).verdict)
    PROVED
    >>> print(check(square, lambda g, x: 2 * g * x, shapes={"x": ("N", "D")}).over)
    all shapes: x (N, D), any N, D >= 1; all reals, all paths
    >>> print(check(square, lambda g, x: g * x, shapes={"x": ()}).message.splitlines()[0])
    REFUTED  square
    """
    question = asked(forward, vjp, jvp, shapes, params, integers, domain, residuals, surrogate)
    if extents_named(shapes):
        return check_all_shapes(question, shapes, at_shapes)
    return at_shapes(question)


def at_shapes(question: Question) -> Result:
    """The check at given shapes."""
    result: Result | None = None
    assumptions: dict[str, None] = {}
    undecided: Result | None = None
    try:
        for values in assignments(question):
            found = one(question, values)
            if found.verdict is Verdict.VACUOUS and question.integers:  # not in the domain
                result = found if result is None else result
                continue
            if found.verdict is Verdict.REFUTED or (found.verdict is not Verdict.PROVED and not question.integers):
                return found
            if found.verdict is not Verdict.PROVED:
                undecided = undecided or found
                continue
            assumptions |= dict.fromkeys(found.assumptions)
            result = found
        if undecided is not None:
            return undecided
        if result is not None and result.verdict is Verdict.PROVED:
            result = told(question, Verdict.PROVED, "", None, assumptions=list(assumptions))
    except Unsupported as fault:
        return told(question, Verdict.UNSUPPORTED, f"what the symbolic run does not model: {fault}", None)
    except Undecided as fault:
        return told(question, Verdict.UNKNOWN, str(fault), None)
    except CheckError:
        raise
    except Exception as fault:  # of the user's code, on symbols: a write into an argument, a branch that raises
        what = f"a function raises {type(fault).__name__}: {fault} (arguments are read-only here)"
        return told(question, Verdict.UNSUPPORTED, what, None)
    assert result is not None
    return result


def is_extent(k: Any) -> bool:
    return (type(k) is int and k >= 0) or (isinstance(k, str) and k.isidentifier())


def one(question: Question, integers: dict[str, Any]) -> Result:
    """For one value of the integer arguments."""
    checked = prepare(question, integers)
    if isinstance(checked, Result):
        return checked
    if question.way == "none":
        return told(question, Verdict.PROVED, "", checked)
    try:
        result = run_backward(checked)
    except ResultsDiffer as fault:
        shown = without_form(checked)
        verdict = Verdict.UNKNOWN if shown is None else Verdict.REFUTED
        return told(question, verdict, f"the backward is no gradient: {fault}.", checked, shown)
    if result is None:
        result = search(checked)
    return proved(checked) if result is None else result


def asked(forward: Any, vjp: Any, jvp: Any, shapes: Any, params: Any, integers: Any, domain: Any, residuals: bool,
          surrogate: Any) -> Question:  # fmt: skip
    if not callable(forward) or (vjp is not None and jvp is not None):
        raise CheckError("pass a forward function, and vjp or jvp, not both")
    if not isinstance(shapes, Mapping) or not shapes:
        raise CheckError("shapes must be a dict from the arguments' names to tuples, such as {'x': (2, 3)}")
    for n, shape in shapes.items():
        if not isinstance(shape, tuple) or not all(map(is_extent, shape)):
            raise CheckError(f"shapes[{n!r}] = {shape!r} is no tuple of extents: integers >= 0, or names such as 'N'")
    ranges = dict(integers or {})
    for n, limits in ranges.items():
        if n not in shapes or len(limits) != 2 or not limits[0] < limits[1]:
            raise CheckError(f"integers[{n!r}] = {limits!r}: give (low, high), low < high, for an argument in shapes")
    for n in (*shapes, *(params or {})):
        if n != n.strip():
            raise CheckError(f"an argument named {n!r}: without space around it, please")
    way, backward = ("vjp", vjp) if vjp is not None else ("jvp", jvp) if jvp is not None else ("none", None)
    if residuals and way != "vjp":
        raise CheckError("residuals=True needs vjp: backward(residuals, g)")
    return Question(forward, backward, way, dict(shapes), dict(params or {}), ranges, domain, residuals, surrogate)


__all__ = ["CheckError", "Result", "check", "checked"]
