"""TRUSTED. The formal derivative of a term by one element of a tensor, and syntactic linearity.

Nine rules and a table. A guard [c] and a selection count as locally constant: that is the derivative wherever the
guard is off its boundary; the hypotheses that say so are derived in `any_shape`, not here.
"""
from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from .terms import (
    MINUS_ONE,
    ONE,
    PI,
    ZERO,
    Index,
    Scalar,
    equal,
    function,
    indicator,
    reciprocal,
    scalar_sum,
    subterms,
    to_scalar,
    where,
)

HALF = Scalar("number", Fraction(1, 2))

DERIVATIVES: dict[str, Callable[[Scalar], Scalar]] = {
    "exp": lambda x: function("exp", x),
    "log": reciprocal,
    "sqrt": lambda x: HALF * reciprocal(function("sqrt", x)),
    "tanh": lambda x: ONE - function("tanh", x) * function("tanh", x),
    "sin": lambda x: function("cos", x),
    "cos": lambda x: MINUS_ONE * function("sin", x),
    "atan": lambda x: reciprocal(ONE + x * x),
    "erf": lambda x: to_scalar(2) * reciprocal(function("sqrt", PI)) * function("exp", MINUS_ONE * x * x),
}


def mentions(t: Scalar, tensors: frozenset[str]) -> bool:
    return any(x.op == "access" and x.args[0] in tensors for x in subterms(t))


def derivative(t: Scalar, tensor: str, at: tuple[Index, ...]) -> Scalar:
    """The partial derivative of t by tensor[at]."""
    names = frozenset({tensor})

    def d(t: Scalar) -> Scalar:
        if not mentions(t, names) or t.op == "indicator":
            return ZERO
        a = t.args
        if t.op == "access":  # Kronecker delta: 1 where the indices are those of the element
            return indicator(*map(equal, a[1:], at))
        if t.op == "add":
            return d(a[0]) + d(a[1])
        if t.op == "mul":
            x, y = t.args
            product: Scalar = d(x) * y + x * d(y)
            return product
        if t.op == "reciprocal":
            return MINUS_ONE * t * t * d(a[0])
        if t.op == "function":
            return DERIVATIVES[a[0]](a[1]) * d(a[1])
        if t.op == "where":
            return where(a[0], d(a[1]), d(a[2]))
        if t.op == "sum":
            return scalar_sum(a[0], a[1], d(a[2]))
        raise ValueError(f"no derivative rule for {t.op}")

    return d(t)


def is_linear(t: Scalar, tensors: frozenset[str]) -> bool:
    """Homogeneous of degree 1 in the named tensors, by its syntax."""
    a = t.args
    if t == ZERO:
        return True
    if t.op == "access":
        return a[0] in tensors
    if t.op == "add":
        return is_linear(a[0], tensors) and is_linear(a[1], tensors)
    if t.op == "mul":
        return any(is_linear(x, tensors) and not mentions(y, tensors) for x, y in ((a[0], a[1]), (a[1], a[0])))
    if t.op == "where":
        return (is_linear(a[1], tensors) and is_linear(a[2], tensors)
                and not any(x.op == "access" and x.args[0] in tensors for x in subterms(a[0])))
    if t.op == "sum":
        return is_linear(a[2], tensors)
    return False


__all__ = ["DERIVATIVES", "ONE", "derivative", "is_linear", "mentions"]
