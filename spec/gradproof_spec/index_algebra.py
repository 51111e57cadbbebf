"""TRUSTED. Integer index expressions as polynomials over variables, quotients, remainders and index functions."""
from __future__ import annotations

from functools import lru_cache

from .terms import Index, to_index

IndexPolynomial = dict[tuple[Index, ...], int]  # sorted factors -> coefficient


def index_polynomial(i: Index) -> IndexPolynomial:
    """i = sum of coefficient * product of factors."""
    a = i.args
    if i.op == "constant":
        return {(): a[0]} if a[0] else {}
    if i.op == "+":
        r = dict(index_polynomial(a[0]))
        for m, c in index_polynomial(a[1]).items():
            r[m] = r.get(m, 0) + c
        return {m: c for m, c in r.items() if c}
    if i.op == "*":
        r = {}
        for m, c in index_polynomial(a[0]).items():
            for n, d in index_polynomial(a[1]).items():
                key = tuple(sorted(m + n, key=_key))
                r[key] = r.get(key, 0) + c * d
        return {m: c for m, c in r.items() if c}
    if i.op == "variable":
        return {(i,): 1}
    if i.op == "apply":
        return {(Index("apply", a[0], *map(canonical, a[1:])),): 1}
    inner = canonical(a[0]) // canonical(a[1]) if i.op == "//" else canonical(a[0]) % canonical(a[1])
    return {(inner,): 1} if inner.op == i.op else index_polynomial(inner)


def _key(i: Index) -> tuple[str, bytes]:
    return (str(i.args[0]) if i.op == "variable" else "~", i.digest)


def from_polynomial(p: IndexPolynomial) -> Index:
    total = to_index(0)
    for m in sorted(p, key=lambda m: (-len(m), [_key(i) for i in m])):
        term = to_index(p[m])
        for factor in m:
            term = term * factor
        total = total + term
    return total


@lru_cache(maxsize=1 << 16)
def canonical(i: Index) -> Index:
    """The same integer, written one way."""
    return from_polynomial(index_polynomial(i))


def negate(p: IndexPolynomial) -> IndexPolynomial:
    return {m: -c for m, c in p.items()}
