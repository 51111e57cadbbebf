"""TRUSTED. The ties at square roots: where u = 0, sqrt(u) is a tie at which the forward may have no derivative.

Let r = sqrt(u) occur in an output F, and F(x, r, other roots) be smooth around a point p with u(p) = 0. F has no
derivative at p if it is steep or bent there, and plain:

    steep    a first derivative of u is not 0, so that r has an infinite slope; the derivative of F by r is not 0, and
             that by every other root is of the same sign (or the root smooth: its argument is positive)
    bent     or, along an axis i, the first derivatives of the roots' arguments are 0 and u's second one is positive:
             F(p + t) + F(p - t) - 2 F(p) = 2 |t| sum_w dF/dw sqrt(d_ii(argument of w) / 2) + o(t), and the sum is not 0
    plain    no comparison in F is tied (which is a tie of its own)

So sqrt(x^4), sqrt(u)^2 and u sqrt(u) are no such ties: there a derivative exists, and the gradient must be right.

What the derivative is there is read off the terms, as if 0/0 were 0: dF/dx where r has no slope. It is that if u has
no slope at p (as where u >= 0 around p), F is smooth in x and r, and no other root is bent there with a slope of its
own; or if F has no slope and no second derivative in r, and u a slope at most, as |x|^(3/2). Where this is not so,
nothing is claimed: `open_roots`. As little is where two comparisons are tied along one surface, whose sides the terms
do not tell apart: `open_comparisons`, relu(x) - relu(-x) at 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace as replace_fields
from functools import reduce
from operator import or_

from ..solver import Solver
from ..symbolic.ledger import sign
from ..terms import (
    FALSE,
    TRUE,
    ZERO,
    Condition,
    Scalar,
    Term,
    access,
    atom_conditions,
    equal,
    function,
    replace,
    subterms,
    where,
)
from .reference import gradient
from .ties import Kind, Tie, are_equal, is_locally_constant, pairs_of, with_side

MOST_ROOTS = 40


def root_ties(
    outputs: Sequence[Scalar], variables: Sequence[Scalar], hypotheses: Sequence[Condition], solver: Solver
) -> list[Tie]:
    """The ties u = 0 of the roots sqrt(u) in the outputs, each with where on it the outputs have no derivative."""
    found = []
    for root in roots_of(outputs)[:MOST_ROOTS]:
        u = root.args[1]
        tied = equal(u, ZERO)
        if sign(u) == 2 or solver.satisfiable([*hypotheses, tied]) is False:
            continue
        rough = FALSE
        for output in outputs:
            if root in subterms(output):
                rough = rough | without_derivative(output, root, variables)
        if rough == FALSE or solver.satisfiable([*hypotheses, tied, rough]) is False:
            continue
        everywhere = solver.valid([*hypotheses, tied], rough) is True
        found.append(Tie((u, ZERO), Kind.KINK, TRUE if everywhere else rough, thin=True))
    return found


def open_roots(
    outputs: Sequence[Scalar], variables: Sequence[Scalar], hypotheses: Sequence[Condition], solver: Solver
) -> list[Tie]:
    """Where roots are of 0 and the derivative of the terms is not known to be that of the outputs: at the edge of where
    they are defined, and where another root is of 0 or a comparison is tied as well."""
    found: list[Tie] = []

    def add(tie: Tie) -> None:
        tied = equal(*tie.pair)
        if solver.satisfiable([*hypotheses, tied, tie.where]) is not False:
            everywhere = solver.valid([*hypotheses, tied], tie.where) is True
            found.append(replace_fields(tie, where=TRUE) if everywhere else tie)

    for root in roots_of(outputs):
        u = root.args[1]
        tied = equal(u, ZERO)
        if sign(u) == 2 or solver.satisfiable([*hypotheses, tied]) is False:
            continue
        edge = reduce(or_, (~equal(derivatives(root, x)[0], ZERO) for x in variables), FALSE)
        inner, at_edge = set(subterms(u)), FALSE
        together: dict[tuple[Scalar, Scalar], Condition] = {}
        for output in outputs:
            if root not in subterms(output):
                continue
            sloping = ~equal(slope_by(output, root), ZERO)
            rough = sloping | ~equal(slope_by(output, root, 2), ZERO)
            at_edge = at_edge | (edge & rough)
            for pair in pairs_of([output]):
                if not is_locally_constant(pair, variables):
                    case = rough if pair in pairs_of([u]) else sloping
                    together[pair] = together.get(pair, FALSE) | (tied & case)
            for w in roots_of([output]):
                if w != root and root not in subterms(w):
                    case = TRUE if w in inner else sloping & is_bent(root, variables) & is_bent(w, variables)
                    pair = (w.args[1], ZERO)
                    together[pair] = together.get(pair, FALSE) | (tied & case)
        add(Tie((u, ZERO), Kind.OPEN, at_edge, thin=True))
        for pair, case in together.items():
            add(Tie(pair, Kind.OPEN, case))
    return found


def is_bent(root: Scalar, variables: Sequence[Scalar]) -> Condition:
    """Else, where its argument is 0, the root is less than any slope."""
    return reduce(or_, (~equal(d, ZERO) for x in variables for d in derivatives(root, x)), FALSE)


def open_comparisons(
    outputs: Sequence[Scalar], variables: Sequence[Scalar], hypotheses: Sequence[Condition], solver: Solver
) -> list[Tie]:
    """Where two comparisons are tied, and their surfaces touch: the gradients of the differences are parallel."""
    pairs = [p for p in pairs_of(outputs) if not is_locally_constant(p, variables)]
    slopes = [[s for _, s in sorted(gradient(a - b, variables).items(), key=lambda p: p[0].digest)] for a, b in pairs]
    found, shifts = [], dict[int, bool]()

    def is_shift(k: int) -> bool:
        """Both sides are the same everywhere, as of a maximum that cancels."""
        if k not in shifts:
            below, above = ([with_side(t, pairs[k], side) for t in outputs] for side in (-1, 1))
            shifts[k] = are_equal(zip(below, above, strict=True), hypotheses, solver)
        return shifts[k]

    for j, k in itertools.combinations(range(len(pairs)), 2):
        touching = parallel(slopes[j], slopes[k])
        if touching == FALSE or is_shift(j) or is_shift(k):
            continue
        case = equal(*pairs[k]) & touching
        if solver.satisfiable([*hypotheses, equal(*pairs[j]), case]) is not False:
            everywhere = solver.valid([*hypotheses, equal(*pairs[j])], case) is True
            found.append(Tie(pairs[j], Kind.OPEN, TRUE if everywhere else case))
            if everywhere and solver.valid([*hypotheses, equal(*pairs[k])], equal(*pairs[j])) is True:
                found.append(Tie(pairs[k], Kind.OPEN))
    return found


def parallel(a: Sequence[Scalar], b: Sequence[Scalar]) -> Condition:
    found = TRUE
    for (p, q), (r, s) in itertools.combinations(zip(a, b, strict=True), 2):
        minor = p * s - r * q
        if minor.op == "number" and minor != ZERO:
            return FALSE
        if minor != ZERO:
            found = found & equal(minor, ZERO)
    return found


def roots_of(terms: Sequence[Scalar]) -> list[Scalar]:
    found = {x: None for t in terms for x in subterms(t) if is_root(x)}
    return sorted(found, key=lambda x: x.digest)  # type: ignore[arg-type]


def is_root(x: Term) -> bool:
    return x.op == "function" and x.args[0] == "sqrt" and any(y.op == "access" for y in subterms(x))


def without_derivative(output: Scalar, root: Scalar, variables: Sequence[Scalar]) -> Condition:
    """Where u = 0: what is enough for the output to have no derivative."""
    slope, others = slope_by(output, root), [w for w in roots_of([output]) if w != root]
    apart = {w: slope_by(output, w) for w in others if root not in subterms(w) and w not in subterms(root)}
    found = FALSE
    for x in variables:
        first, second = derivatives(root, x)
        steep, total = ~equal(first, ZERO) & ~equal(slope, ZERO), slope * function("sqrt", second)
        bent = equal(first, ZERO) & (second > 0) if apart else second > 0
        for w, by_w in apart.items():
            first, second = derivatives(w, x)
            smooth, touches = w.args[1] > 0, equal(w.args[1], ZERO)
            steep = steep & (smooth | (by_w * slope > 0))
            bent = bent & (smooth | (equal(first, ZERO) & (second >= 0)))
            total = total + where(touches, by_w * function("sqrt", second), ZERO)
        found = found | steep | (bent & ~equal(total if apart else slope, ZERO))
    for w in others:
        found = found if w in apart else found & (w.args[1] > 0)
    for c in atom_conditions(output):
        found = found & ~equal(*c.args)
    return found


def derivatives(root: Scalar, x: Scalar) -> tuple[Scalar, Scalar]:
    """The first two by x of the root's argument."""
    first = gradient(root.args[1], [x])[x]
    return first, gradient(first, [x])[x]


def slope_by(output: Scalar, root: Scalar, order: int = 1) -> Scalar:
    """The derivative of the output by the root, as if it were a variable, where the root is 0."""
    r = access("the root")
    by_root = replace(output, lambda t: r if t == root else None)
    for _ in range(order):
        by_root = gradient(by_root, [r])[r]
    return replace(by_root, lambda t: ZERO if t == r else None)
