"""A counterexample as a script of its own: NumPy and the formulas, no solver and nothing of ours."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from .op import Case
from .terms import Condition, Index, Scalar, Term, conjuncts, product_factors, variable

if TYPE_CHECKING:
    from .refute import Counterexample


def code(t: Term) -> str:
    """The term as a Python expression over arrays, extents and indices of the same names."""
    if isinstance(t, Index):
        return _index(t)
    if isinstance(t, Condition):
        return _condition(t)
    assert isinstance(t, Scalar)
    return _scalar(t)


def _name(n: str) -> str:
    return n.replace("#", "_")


def _index(t: Index) -> str:
    a = t.args
    if t.op == "constant":
        return str(a[0])
    if t.op == "variable":
        return _name(a[0])
    if t.op == "apply":
        base, _, part = a[0].partition(".")
        arguments = ", ".join(map(code, a[1:]))
        return f"{base}_{part}({arguments})" if part else f"{base}[{arguments}]"
    return f"({code(a[0])} {t.op} {code(a[1])})"


def _condition(t: Condition) -> str:
    if t.op in ("true", "false"):
        return str(t.op == "true")
    if t.op == "not":
        return f"(not {code(t.args[0])})"
    relation = {"index==": "==", "value==": "==", "index<=": "<=", "value<=": "<=", "value<": "<"}.get(t.op, t.op)
    return f"({code(t.args[0])} {relation} {code(t.args[1])})"


def _scalar(t: Scalar) -> str:
    a = t.args
    if t.op == "number":
        q: Fraction = a[0]
        return str(q) if q.denominator == 1 else f"({q.numerator} / {q.denominator})"
    if t.op == "integer":
        return code(a[0])
    if t.op == "access":
        return f"{a[0]}[{', '.join(map(code, a[1:])) or '()'}]"
    if t.op == "mul":
        factors = product_factors(t)
        guards = [code(c) for f in factors if f.op == "indicator" for c in conjuncts(f.args[0])]
        rest = " * ".join(code(f) for f in factors if f.op != "indicator") or "1"
        return f"(({rest}) if {' and '.join(guards)} else 0)" if guards else f"({rest})"
    if t.op == "add":
        return f"({code(a[0])} + {code(a[1])})"
    if t.op == "reciprocal":
        return f"(1 / {code(a[0])})"
    if t.op == "function":
        return f"{'math' if a[0] == 'erf' else 'np'}.{a[0]}({code(a[1])})"
    if t.op == "constant":
        return f"np.{a[0]}"
    if t.op == "indicator":
        return f"(1 if {code(a[0])} else 0)"
    if t.op == "where":
        return f"({code(a[1])} if {code(a[0])} else {code(a[2])})"
    return f"sum({code(a[2])} for {_name(a[0])} in range({code(a[1])}))"


def selections(case: Case) -> list[str]:
    """Definitions of the first best candidate; Python's max keeps the first of equals."""
    lines = []
    for s in case.op.selections.values():
        names = case.selection_arguments(s)
        real, value = case.candidate(s, [variable(n) for n in names], [variable(c) for c in s.candidates])
        loops = " ".join(f"for {c} in range({code(getattr(case.size(), c.upper()))})" for c in s.candidates)
        cell = f"({', '.join(s.candidates)},)"
        for k, c in enumerate(s.candidates):
            lines += [
                f"def {s.name}_{c}({', '.join(names)}):",
                f"    return max((({code(value)}, {cell}) {loops} if {code(real)}), key=lambda p: p[0])[1][{k}]",
                "",
            ]
    return lines


def script(found: Counterexample) -> str:
    """A script that computes both sides of the refuted statement at the counterexample."""
    from .refute import extents

    case = found.case
    lines = [
        f'"""Counterexample to {found.kind}[{case.op.name}]: both sides, computed from the formulas."""',
        "import numpy as np",
        "",
    ]
    lines += [f"{k} = {v}" for k, v in found.sizes.items()]
    point = {**found.primals, "d" + found.x: {found.i: Fraction(1)}, "g": {found.o: Fraction(1)}}
    names = dict.fromkeys(
        [n for t in case.inputs if not t.integer for n in (t.name, "d" + t.name)] + ["g", *case.op.reals]
    )
    for name in names:
        shape = () if name in case.op.reals else extents(case, name, found.sizes)
        lines.append(f"{name} = np.zeros({shape})")
        lines += [f"{name}[{c if c else '()'}] = {float(v)!r}" for c, v in point.get(name, {}).items() if v]
    for name, values in found.integers.items():
        lines.append(f"{name} = {{{', '.join(f'{c[0] if len(c) == 1 else c}: {v}' for c, v in values.items())}}}")
    lines += ["", *selections(case)]
    left = found.left if isinstance(found.left, Fraction) else (found.left.lo + found.left.hi) / 2
    jvp = code(case.jvp(found.o))
    lines += [
        f'print("jvp:", {jvp})',
        f'print("vjp:", {code(case.vjp(found.x, found.i))})',
        f'print("must be:", {float(left)!r})',
    ]
    if any("math.erf" in line for line in lines):
        lines.insert(1, "import math")
    return "\n".join(lines) + "\n"
