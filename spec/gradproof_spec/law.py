"""TRUSTED. What a law is: an identity between ops, one function from a case to both sides; its proof and refutation.

The laws themselves are in laws.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from inspect import signature
from typing import Any

from .any_shape import BoundsWalk, NotProved, Proof
from .evaluate import DivisionByZero, Environment, Exact, Intervals, OutOfBounds, Undecided
from .normal_form import to_term
from .obligations import Obligation, Outcome, Verdict
from .op import OPS, Case, Op, SpecificationError, TensorType
from .refute import (
    NoPoint,
    attribute_values,
    cells,
    differ,
    drawn,
    element,
    environment,
    extents,
    in_domain,
    number,
    shapes,
    spread,
    telling_shapes,
)
from .terms import Condition, Index, Scalar, Tensor, atom_conditions, to_scalar

Sides = tuple[Scalar, Scalar]


@dataclass(frozen=True)
class Law:
    """op: whose cases give extents, indices and domain. `where`: further hypotheses on its extents and attributes.

    forms   labels of the forms that the law is about; all if empty
    at      the tensor over whose elements it ranges: an input, or g for the output
    """

    op: str
    name: str
    claim: str
    sides: Callable[[Case, tuple[Index, ...]], Sides]
    where: Callable[[Any], Sequence[Condition]]
    forms: tuple[str, ...] = ()
    at: str = "g"

    def cases(self, op: Op) -> list[Case]:
        return [case for case in op.cases if not self.forms or case.label in self.forms]


LAWS: list[Law] = []


def law(
    op: str,
    name: str,
    claim: str,
    where: Callable[[Any], Sequence[Condition]] = lambda size: (),
    forms: tuple[str, ...] = (),
    at: str = "g",
) -> Callable[[Any], Any]:
    def register(sides: Callable[[Case, tuple[Index, ...]], Sides]) -> Callable[[Case, tuple[Index, ...]], Sides]:
        LAWS.append(Law(op, name, claim, sides, where, forms, at))
        return sides

    return register


class Computed(Tensor):
    """A tensor given by a formula: `Computed(lambda i: x[i] + 1)[j]`."""

    def __init__(self, element: Callable[..., Scalar]) -> None:
        self.element = element

    def __getitem__(self, indices: Any) -> Scalar:
        return to_scalar(self.element(*indices) if isinstance(indices, tuple) else self.element(indices))


def forward_of(op: str, case: Case, *arguments: Any) -> Scalar:
    """Another op's forward rule, called with positional arguments as it is written."""
    rule = OPS[op].forward_rule
    if OPS[op].selections and not all(type(a) is Tensor for a in arguments if isinstance(a, Tensor)):
        raise SpecificationError(f"{op} selects among the elements of its own tensor: a formula cannot stand for it")
    assert rule is not None
    if OPS[op].selections and (op != case.op.name or any(
            a.name != p for a, p in zip(arguments, signature(rule).parameters, strict=False) if isinstance(a, Tensor))):
        raise SpecificationError(f"{op} selects among the elements of its own tensor: no other can stand for it")
    return to_scalar(rule(*arguments))


# ---------------------------------------------------------------- proving and refuting
SHAPES, POINTS = 8, 2


class LawEnvironment(Environment):
    """Also reads tensors that the law brings along: they have an element wherever it asks for one."""

    def _access(self, name: str, indices: list[int]) -> Any:
        own = {t.name for t in self.case.inputs} | {"d" + t.name for t in self.case.inputs} | {"g", *self.case.op.reals}
        return super()._access(name, indices) if name in own else self.tensors[name](*indices)


class Drawn(dict[str, Any]):
    """Any tensor by name: an element is drawn when it is first read."""

    def __init__(self, case: Case, sizes: dict[str, int], rng: random.Random) -> None:
        super().__init__()
        self.case, self.sizes, self.rng = case, sizes, rng
        self.attributes = attribute_values(case, sizes, rng)
        self.elements: dict[tuple[Any, ...], Fraction] = {}
        self.integers: dict[tuple[Any, ...], int] = {}

    def __missing__(self, name: str) -> Any:
        def read(*i: int) -> Fraction:
            if name in self.case.op.reals:
                return self.attributes[name][()]
            if (name, i) not in self.elements:
                self.elements[name, i] = drawn(self.case, name, self.sizes, self.rng, self.attributes)
            return self.elements[name, i]

        return read

    def integer(self, tensor: TensorType, *i: int) -> int:
        low, high = (0, 1) if tensor.kind == "bool" else (-1, 3)
        return self.integers.setdefault((tensor.name, i), self.rng.randint(low, high))


def counterexample(law: Law, case: Case) -> str | None:
    """Small integers at which the two sides differ, in words."""
    rng = random.Random(f"{law.op} {law.name}")
    index = case.indices(law.at)
    left, right = law.sides(case, index)
    conditions = tuple(law.where(case.size()))
    small, telling = (
        [s for s in among if in_domain(case, s, [c for c in conditions if not atom_conditions(c)])]
        for among in (shapes(case), telling_shapes(case))
    )
    for sizes in (*spread(small, SHAPES), *telling[:SHAPES]):
        for _ in range(POINTS):
            try:
                values = Drawn(case, sizes, rng)
            except NoPoint:
                continue
            if not all(environment(case, sizes, values.attributes, {}, Exact()).condition(c) is True
                       for c in conditions if atom_conditions(c)):
                continue
            integers = {t.name: partial(values.integer, t) for t in case.inputs if t.integer}
            for o in cells(extents(case, law.at, sizes)):
                here = dict(sizes) | dict(zip(case.index_names(law.at), o, strict=True))
                try:
                    a, b = (LawEnvironment(case, dict(here), values, integers, Intervals()).scalar(t)
                            for t in (left, right))
                except (DivisionByZero, NoPoint, Undecided):
                    continue
                except OutOfBounds as e:
                    return f"at {here} a side reads outside its tensor: {e}"
                if differ(a, b):
                    given = [f"{element(n, i)} = {v}" for (n, i), v in (values.elements | values.integers).items() if v]
                    given += [f"{n} = {v[()]}" for n, v in values.attributes.items()]
                    sides = f"the left side is {number(a)}, the right side {number(b)}"
                    return f"at {here} {sides}, with {', '.join(given)}; the rest is 0"
    return None


def equal_sides(proof: Proof, left: Scalar, right: Scalar, hypotheses: Sequence[Condition]) -> bool:
    rewriter = proof.rewriter
    if rewriter.equal_terms(left, right, hypotheses):
        return True
    a, b = (rewriter.simplified_arguments(t, hypotheses) for t in (left, right))
    return rewriter.equal_terms(a, b, hypotheses)


class LawWalk(BoundsWalk):
    """Divisors, log, sqrt and reads of both sides. Tensors that the law brings along have an element everywhere."""

    def scalar(self, t: Scalar, h: tuple[Condition, ...], rule: str) -> None:
        if t.op == "access" and t.args[0] not in self.shapes:
            for i in t.args[1:]:
                self.index(i, h, rule)
            return
        super().scalar(t, h, rule)


def prove(law: Law, op: Op | None = None) -> Outcome:
    """Both sides have the same normal form for every case of the op (or of a wrong one in its place)."""
    label = f"law[{law.op}-{law.name}]"
    cases: list[str] = []
    if not (about := law.cases(op or OPS[law.op])):
        return Outcome(Verdict.VACUOUS, f"VACUOUS  {label}\n\n  no form of {law.op} is named {', '.join(law.forms)}")
    for case in about:
        proof = Proof(case)
        index = case.indices(law.at)
        hypotheses = proof.hypotheses + case.in_bounds(law.at, index) + tuple(law.where(case.size()))
        left, right = law.sides(case, index)
        elements = case.element_hypotheses(prefix="i_")
        if proof.solver.satisfiable([*hypotheses, *elements]) is not True:
            return Outcome(Verdict.VACUOUS, f"VACUOUS  {label}\n\n  the hypotheses are not known to be satisfiable")
        try:
            for side, t in (("left", left), ("right", right)):
                LawWalk(proof).scalar(t, hypotheses, f"the {side} side")
        except NotProved as e:
            if found := counterexample(law, case):
                return Outcome(Verdict.REFUTED, f"REFUTED  {label}\n\n  {law.claim}\n  {found}")
            return Outcome(Verdict.UNKNOWN, f"UNKNOWN  {label}\n\n  {e.what}")
        if not equal_sides(proof, left, right, hypotheses):
            residual = str(to_term(proof.rewriter.residual))
            if found := counterexample(law, case):
                return Outcome(Verdict.REFUTED, f"REFUTED  {label}\n\n  {law.claim}\n  {found}")
            text = f"UNKNOWN  {label}\n\n  {law.claim}\n  left     {residual}"
            return Outcome(Verdict.UNKNOWN, text, {"residual": residual})
        cases.append(case.id or "only")
    return Outcome(Verdict.PROVED, data={"cases": cases})


def obligations() -> Iterator[Obligation]:
    from . import laws  # noqa: F401  states them

    for item in LAWS:
        yield Obligation(
            "law", item.op, item.name, item.claim, f"{OPS[item.op].over()}; all reals", partial(prove, item)
        )
