"""TRUSTED. The gradient of what a program computes, from its terms: reverse mode, each subterm once.

A condition counts as locally constant: that is the derivative wherever the two sides of the condition differ, and also
where they are equal and both branches have the same value and derivative (ties.py decides that).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..derivative import DERIVATIVES
from ..terms import MINUS_ONE, ONE, ZERO, Scalar, Term, to_scalar, where

LOCALLY_CONSTANT = ("floor", "nint")  # but where they jump: ties.py leaves that out


def postorder(terms: Iterable[Term]) -> list[Term]:
    """Every subterm once, after all of its own subterms. Without recursion: sums may be long."""
    order: list[Term] = []
    seen: set[Term] = set()
    todo: list[tuple[Term, bool]] = [(t, False) for t in terms]
    while todo:
        t, ready = todo.pop()
        if ready:
            order.append(t)
        elif t not in seen:
            seen.add(t)
            todo.append((t, True))
            todo.extend((x, False) for x in t.args if isinstance(x, Term) and x not in seen)
    return order


def gradient(value: Scalar, variables: Sequence[Scalar]) -> dict[Scalar, Scalar]:
    """∂value/∂x for each x, an element of an input."""
    adjoint: dict[Term, Scalar] = {value: ONE}

    def flow(x: Term, share: Scalar) -> None:
        adjoint[x] = adjoint[x] + share if x in adjoint else share

    for t in reversed(postorder([value])):
        if t not in adjoint or not isinstance(t, Scalar):
            continue
        s, a = adjoint[t], t.args
        if t.op == "add":
            flow(a[0], s)
            flow(a[1], s)
        elif t.op == "mul":
            flow(a[0], s * a[1])
            flow(a[1], s * a[0])
        elif t.op == "reciprocal":
            flow(a[0], MINUS_ONE * s * t * t)
        elif t.op == "function" and a[0] not in LOCALLY_CONSTANT:
            flow(a[1], s * DERIVATIVES[a[0]](a[1]))
        elif t.op == "where":
            flow(a[1], where(a[0], s, ZERO))
            flow(a[2], where(a[0], ZERO, s))
        elif t.op not in ("access", "number", "constant", "indicator", "integer", "function"):
            raise ValueError(f"no derivative rule for {t.op}")
    return {x: adjoint.get(x, ZERO) for x in variables}


def weighted(values: Iterable[Scalar], weights: Iterable[Scalar]) -> Scalar:
    """Σ weight · value."""
    total = ZERO
    for value, weight in zip(values, weights, strict=True):
        total = total + weight * to_scalar(value)
    return total
