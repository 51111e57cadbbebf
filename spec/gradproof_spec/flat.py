"""The flat route: derivative and adjoint at small shapes by sympy.diff and z3, without our derivative and normal form.

The rules are instantiated at a shape; the forward goes to sympy (guards become Piecewise, never Max or Abs, whose
derivatives in sympy are conventions), sympy differentiates, and z3 decides each entry of the Jacobian in one query.

Encoding (trusted): exp(a) is a positive unknown per term of its exponent, exp(a + b) their product; sqrt(v) is s with
s > 0 and s s = v; log, sin, cos, tanh, erf are unknowns; 1/b is r with r b = 1, and 1/(b c) = (1/b)(1/c).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import prod
from typing import Any

import sympy

from .evaluate import Environment, Symbols
from .obligations import Obligation, Outcome, Verdict
from .op import OPS, Case, Op
from .refute import cells, extents, shapes
from .solver import check
from .terms import Condition, Scalar, access, indicator, to_condition, to_scalar

SHAPES_PER_CASE = 3
MOST_ELEMENTS, MOST_ENTRIES = 14, 40


# ---------------------------------------------------------------- terms to sympy
def to_sympy(t: Scalar, positive: frozenset[str]) -> Any:
    done: dict[Scalar, Any] = {}

    def go(t: Scalar) -> Any:
        if t not in done:
            done[t] = convert(t)
        return done[t]

    def convert(t: Scalar) -> Any:
        a = t.args
        if t.op == "number":
            return sympy.Rational(a[0].numerator, a[0].denominator)
        if t.op == "access":
            return symbol(t, positive)
        if t.op == "constant":
            return getattr(sympy, a[0])
        if t.op == "add":
            return go(a[0]) + go(a[1])
        if t.op == "mul":
            return go(a[0]) * go(a[1])
        if t.op == "reciprocal":
            return 1 / go(a[0])
        if t.op == "function":
            return getattr(sympy, a[0])(go(a[1]))
        if t.op == "indicator":
            return sympy.Piecewise((1, relation(a[0])), (0, True))
        if t.op == "where":
            return sympy.Piecewise((go(a[1]), relation(a[0])), (go(a[2]), True))
        raise ValueError(f"{t.op} does not occur at a concrete shape")

    def relation(c: Condition) -> Any:
        if c.op == "and":
            return sympy.And(relation(c.args[0]), relation(c.args[1]))
        if c.op == "or":
            return sympy.Or(relation(c.args[0]), relation(c.args[1]))
        if c.op == "not":
            return sympy.Not(relation(c.args[0]))
        make = {"value<": sympy.Lt, "value<=": sympy.Le, "value==": sympy.Eq}[c.op]
        return make(go(c.args[0]), go(c.args[1]))

    return go(t)


def symbol(t: Scalar, positive: frozenset[str]) -> Any:
    name = "_".join([t.args[0], *(str(i.args[0]) for i in t.args[1:])])
    return sympy.Symbol(name, real=True, positive=True if t.args[0] in positive else None)


# ---------------------------------------------------------------- sympy to SMT-LIB
class Encoding:
    """Sympy expressions as SMT-LIB text over the reals, with the facts about their functions."""

    def __init__(self) -> None:
        self.declared: dict[str, None] = {}
        self.facts: list[str] = []
        self._named: dict[tuple[str, Any], str] = {}
        self.depth = 0  # inside a branch: what is read there need be defined there only

    def _unknown(self, kind: str, key: Any, facts: Any) -> str:
        if (kind, key) not in self._named:
            name = f"|{kind} {len(self._named)}|"
            self._named[kind, key] = name
            self.declared[name] = None
        self.facts += [f.replace("?", self._named[kind, key]) for f in facts()]
        return self._named[kind, key]

    def __call__(self, e: Any) -> str:
        if e.is_Symbol:
            self.declared[f"|{e.name}|"] = None
            if e.is_positive:
                self.facts.append(f"(> |{e.name}| 0.0)")
            return f"|{e.name}|"
        if e is sympy.pi:
            return self._unknown("pi", e, lambda: ["(< 3.0 ? 4.0)"])
        if isinstance(e, (sympy.sin, sympy.cos, sympy.tanh, sympy.erf)):
            return self._unknown(type(e).__name__, self(e.args[0]), lambda: [])
        if e.is_Rational:
            text = f"(/ {abs(int(e.p))}.0 {int(e.q)}.0)"
            return text if e >= 0 else f"(- {text})"
        if e.is_Add or e.is_Mul:
            return f"({'+' if e.is_Add else '*'} {' '.join(map(self, e.args))})"
        if isinstance(e, sympy.exp) or (e.is_Pow and e.base == sympy.E):
            return self._exp(e.args[0] if isinstance(e, sympy.exp) else e.exp)
        if e.is_Pow:
            return self._power(e.base, e.exp)
        if isinstance(e, sympy.log):
            inner = self(e.args[0])
            return self._unknown("log", inner, lambda: [])
        if isinstance(e, sympy.Piecewise):
            text = self.inside(self, e.args[-1][0])
            for value, condition in reversed(e.args[:-1] if e.args[-1][1] == sympy.true else e.args):
                text = f"(ite {self.inside(self.relation, condition)} {self.inside(self, value)} {text})"
            return text
        raise ValueError(f"no encoding for {type(e).__name__}")

    def inside(self, encode: Callable[[Any], str], e: Any) -> str:
        self.depth += 1
        try:
            return encode(e)
        finally:
            self.depth -= 1

    def _where(self, condition: str, fact: str) -> str:
        return f"(=> {condition} {fact})" if self.depth else fact

    def _exp(self, exponent: Any) -> str:
        parts = []
        for term in sympy.Add.make_args(sympy.expand(exponent)):
            c, rest = term.as_coeff_Mul()
            unknown = self._unknown("exp", (rest, int(c.q)), lambda: ["(> ? 0.0)"])
            n = int(c.p)
            parts += [unknown if n > 0 else self._reciprocal(unknown)] * abs(n)
        return f"(* 1.0 {' '.join(parts)})"

    def _power(self, base: Any, exponent: Any) -> str:
        if base.is_Mul and exponent.is_Integer:
            return f"(* {' '.join(self._power(b, exponent) for b in base.args)})"
        if base.is_Pow and exponent.is_Integer:
            return self._power(base.base, base.exp * exponent)
        if exponent.q == 2:
            inner = self(base)
            root = self._unknown("sqrt", inner, lambda: [
                self._where(f"(> {inner} 0.0)", f"(and (> ? 0.0) (= (* ? ?) {inner}))")])
            unit = root if exponent > 0 else self._reciprocal(root)
            return f"(* 1.0 {' '.join([unit] * abs(int(exponent.p)))})"
        inner = self(base)
        unit = inner if exponent > 0 else self._reciprocal(inner)
        return f"(* 1.0 {' '.join([unit] * abs(int(exponent)))})"

    def _reciprocal(self, inner: str) -> str:
        return self._unknown("reciprocal", inner, lambda: [
            self._where(f"(distinct {inner} 0.0)", f"(= (* ? {inner}) 1.0)")])

    def relation(self, c: Any) -> str:
        if c in (sympy.true, sympy.false):
            return str(c == sympy.true).lower()
        if isinstance(c, (sympy.And, sympy.Or)):
            return f"({'and' if isinstance(c, sympy.And) else 'or'} {' '.join(map(self.relation, c.args))})"
        if isinstance(c, sympy.Not):
            return f"(not {self.relation(c.args[0])})"
        if isinstance(c, sympy.ITE):
            return f"(ite {' '.join(map(self.relation, c.args))})"
        head = {sympy.Lt: "<", sympy.Le: "<=", sympy.Gt: ">", sympy.Ge: ">=", sympy.Eq: "=", sympy.Ne: "distinct"}[
            type(c)
        ]
        return f"({head} {self(c.lhs)} {self(c.rhs)})"

    def assumes(self, text: str) -> bool:
        """Is anything assumed that could contradict itself: a fact about an unknown, or a kink left out?"""
        return bool(self.facts) or "(" in text.removeprefix("(and true")

    def query(self, goal: str) -> str:
        declarations = [f"(declare-const {n} Real)" for n in self.declared]
        return "\n".join([*declarations, *(f"(assert {f})" for f in dict.fromkeys(self.facts)), f"(assert {goal})"])


# ---------------------------------------------------------------- instances
def instance(
    case: Case,
    sizes: Mapping[str, int],
    integers: Mapping[str, Any],
    tangent: tuple[str, tuple[int, ...]] | None = None,
    cotangent: tuple[int, ...] | None = None,
    shared: dict[Any, Any] | None = None,
) -> Environment:
    """Rules at a concrete shape as terms in the primals; dx = e_i and g = e_o are unit vectors.

    shared   memory of the instances at one shape, for what mentions neither dx nor g
    """

    def read(name: str) -> Any:
        if tangent is not None and name == "d" + tangent[0]:
            return lambda *i: to_scalar(int(i == tangent[1]))
        if name == "g":
            return lambda *i: to_scalar(int(i == cotangent))
        if name in ("d" + t.name for t in case.inputs):
            return lambda *i: to_scalar(0)
        return lambda *i: access(name, *i)

    names = [n for t in case.inputs for n in (t.name, "d" + t.name)] + ["g", *case.op.reals]
    return Environment(
        case,
        dict(sizes),
        {n: read(n) for n in names},
        {n: (lambda *i, v=v: v[i]) for n, v in integers.items()},
        Symbols(),
        shared,
    )


def chosen_shapes(case: Case) -> list[dict[str, int]]:
    """Three shapes without empty tensors and few enough elements, as different as there are."""
    good, tensors = [], [case.shape(n) for n in (*(t.name for t in case.inputs), "g")]
    for sizes in shapes(case):
        here = Environment(case, dict(sizes), {})
        counts = [prod(map(here.index, extents)) for extents in tensors]
        entries = sum(c for c, t in zip(counts, case.inputs, strict=False) if not t.kind) * counts[-1]
        if min(counts) > 0 and sum(counts) <= MOST_ELEMENTS and entries <= MOST_ENTRIES:
            good.append(sizes)
    good.sort(key=lambda s: (-len(set(s.values())), -sum(s.values()), sorted(s.items())))
    return good[:SHAPES_PER_CASE]


def integer_tensors(case: Case, sizes: Mapping[str, int]) -> dict[str, dict[tuple[int, ...], int]]:
    """One index tensor: an index outside, then a repeat."""
    patterns = {"int": [-1, 0, 0, 1, 7], "bool": [1, 0, 1, 1, 0]}
    return {
        t.name: {c: patterns[t.kind][k % 5] for k, c in enumerate(cells(extents(case, t.name, sizes)))}
        for t in case.inputs
        if t.integer
    }


def shapes_per_case(op: Op) -> int:
    return SHAPES_PER_CASE if len(op.cases) <= SHAPES_PER_CASE else 1


def check_flat(op: Op) -> Outcome:
    if not any(c.differentiable for c in op.cases):
        return Outcome(Verdict.NOT_APPLICABLE, "no input is differentiable")
    done: list[dict[str, Any]] = []
    queries = 0
    per_case = shapes_per_case(op)
    for case in op.cases:
        chosen = chosen_shapes(case)[:per_case]
        if case.differentiable and not chosen:
            text = f"no shape of the form {case.id} is small enough"
            return Outcome(Verdict.UNKNOWN, f"UNKNOWN  flat[{op.name}]\n\n  {text}")
        for sizes in chosen:
            for o in cells(extents(case, "g", sizes)):
                for x in case.differentiable:
                    try:
                        found = list(statements(case, sizes, x, o))
                    except ValueError as e:
                        return Outcome(Verdict.UNSUPPORTED, f"UNSUPPORTED  flat[{op.name}]\n\n  {e}")
                    for what, encoding, assumed, goal in found:
                        if encoding.assumes(assumed) and check(encoding.query(assumed)) == "unsat":
                            return Outcome(Verdict.VACUOUS, f"VACUOUS  flat[{op.name}]\n\n  no point is off the kinks")
                        text = encoding.query(goal)
                        answer = check(text)
                        queries += 2
                        if answer != "unsat":
                            return _failed(op, sizes, what, x, o, answer, text)
            done.append({"case": case.id or "only", **sizes})
    if len(done) < SHAPES_PER_CASE:
        return Outcome(Verdict.UNKNOWN, f"UNKNOWN  flat[{op.name}]\n\n  only {len(done)} shapes are small enough")
    return Outcome(Verdict.PROVED, data={"shapes": done, "queries": queries})


Statement = tuple[str, Encoding, str, str]


def statements(case: Case, sizes: Mapping[str, int], x: str, o: tuple[int, ...]) -> Iterator[Statement]:
    """(name, encoding, what is assumed, the assumption and the negated claim) at one output element, for all of x."""
    integers, positive = integer_tensors(case, sizes), case.positive
    forward = to_sympy(instance(case, sizes, integers).scalar(case.forward(o)), positive)
    slopes, jvps, vjps = [], [], []
    jvp, shared = case.jvp(o), dict[Any, Any]()
    moving = {symbol(access(n, *i), positive) for n in case.differentiable for i in cells(extents(case, n, sizes))}
    at = instance(case, sizes, integers)
    elements = [access(n, *i) for n in case.op.elements if n not in integers and n != case.output.name
                for i in (((),) if n in case.op.reals else cells(extents(case, n, sizes)))]
    known = [to_condition(at.condition(c)) for c in (
        *case.value_hypotheses(), *(case.element_condition(x.args[0], x) for x in elements))]
    for i in cells(extents(case, x, sizes)):
        slopes.append(sympy.diff(forward, symbol(access(x, *i), positive)))
        jvps.append(to_sympy(instance(case, sizes, integers, (x, i), shared=shared).scalar(jvp), positive))
        vjps.append(to_sympy(instance(case, sizes, integers, None, o).scalar(case.vjp(x, i)), positive))
    for what, left, right in (("derivative", slopes, jvps), ("adjoint", jvps, vjps)):
        encoding = Encoding()
        boundaries = [c for c in sorted(forward.atoms(sympy.core.relational.Relational), key=str)
                      if what == "derivative" and c.free_symbols & moving]
        off = [f"(= 1.0 {encoding(to_sympy(indicator(c), positive))})" for c in known]
        off += [f"(distinct {encoding.inside(encoding, c.lhs)} {encoding.inside(encoding, c.rhs)})" for c in boundaries]
        different = [f"(distinct {encoding(a)} {encoding(b)})" for a, b in zip(left, right, strict=True)]
        assumed = f"(and true {' '.join(off)})"
        yield what, encoding, assumed, f"(and {assumed} (or false {' '.join(different)}))"


def _failed(op: Op, sizes: Mapping[str, int], what: str, x: str, o: tuple[int, ...], answer: str, text: str) -> Outcome:
    verdict = Verdict.REFUTED if answer == "sat" else Verdict.UNKNOWN
    sides = ("sympy's derivative of the forward", "the JVP") if what == "derivative" else ("the JVP", "the VJP")
    lines = [
        f"{verdict}  flat[{op.name}]",
        "",
        f"  {what}: {sides[0]} and {sides[1]} differ between d{x} and output element {list(o)}"
        if answer == "sat"
        else f"  {what}: z3 did not decide d{x} to output element {list(o)}",
        "",
        f"  at       {' '.join(f'{k}={v}' for k, v in sizes.items())}",
    ]
    return Outcome(verdict, "\n".join(lines), smtlib=text)


def obligations() -> Iterator[Obligation]:
    for op in OPS.values():
        yield Obligation(
            "flat",
            op.name,
            "",
            "sympy.diff(forward) = jvp and <jvp(dx), g> = <dx, vjp(g)>, entry by entry",
            f"{shapes_per_case(op)} small shapes of each form, all reals off kinks",
            partial(check_flat, op),
        )
