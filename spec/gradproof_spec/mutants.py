"""Mutants: every rule with one small change, which the checks must refute (or which is proved to be the same rule).

The operators are fixed; removing one is a defect. They are applied at every place of the JVP and of each VJP:

    sign            a + b becomes a - b; the whole rule is negated
    dropped term    a + b becomes a, and b; a product loses the factors that its tangent or cotangent does not need
    wrong extent    a sum runs over another extent of the op, or one element more or less
    off by one      an index of an access is moved by one
    dropped guard   a conjunct of a guard is left out
    loose guard     a < b on values becomes a <= b
    swapped index   two neighbouring indices of an access change places
    both alike      JVP and VJP changed together: negated; strict and loose guards; an input forgotten
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from .any_shape import NotProved, Proof, Unsupported
from .derivative import is_linear, mentions
from .obligations import Obligation, Outcome, Verdict
from .op import OPS, Case, Op
from .refute import changed_rules, quick_search, thorough_search
from .terms import (
    ZERO,
    Condition,
    Index,
    Scalar,
    Term,
    conjuncts,
    indicator,
    numbered_binders,
    rename_binders,
    replace,
    scalar_sum,
    substitute,
    subterms,
)


@dataclass(frozen=True)
class Mutant:
    operator: str
    rules: dict[str, Scalar]  # "jvp" or an input's name -> the changed rule


# ---------------------------------------------------------------- making them
def changes(t: Term, case: Case, linear: frozenset[str]) -> Iterator[tuple[str, Term]]:
    """Every changed version of one node."""
    a = t.args
    if isinstance(t, Scalar) and t.op == "add":
        yield "sign", a[0] - a[1]
        yield "dropped term", a[0]
        yield "dropped term", a[1]
    elif isinstance(t, Scalar) and t.op == "mul":
        for kept, other in ((a[0], a[1]), (a[1], a[0])):
            if mentions(kept, linear) and not mentions(other, linear) and other.op not in ("number", "indicator"):
                yield "dropped term", kept
    elif t.op == "sum":
        size = case.size()
        for other in sorted({x for x in case.output.axes + tuple(e for i in case.inputs for e in i.axes)}):
            extent = getattr(size, other)
            if extent != a[1]:
                yield "wrong extent", scalar_sum(a[0], extent, a[2])
                break
        yield "wrong extent", scalar_sum(a[0], a[1] - 1, a[2])
        yield "wrong extent", scalar_sum(a[0], a[1] + 1, a[2])
    elif t.op == "access":
        for k, i in enumerate(a[1:], 1):
            yield "off by one", Scalar("access", *a[:k], i + 1, *a[k + 1 :])
        for k in range(1, len(a) - 1):
            if a[k] != a[k + 1]:
                yield "swapped index", Scalar("access", *a[:k], a[k + 1], a[k], *a[k + 2 :])
    elif t.op == "indicator":
        parts = conjuncts(a[0])
        for k in range(len(parts)):
            yield "dropped guard", indicator(*parts[:k], *parts[k + 1 :])
    elif t.op == "value<":
        yield "loose guard", Condition("value<=", *a)


def mutants_of(rule: Scalar, case: Case, linear: frozenset[str]) -> Iterator[tuple[str, Scalar]]:
    yield "sign", -rule
    seen = {rule, -rule}
    for node in sorted(subterms(rule), key=lambda x: (x.op, x.digest)):
        for label, new in changes(node, case, linear):
            mutant = replace(rule, {node: new}.get)
            if mutant not in seen and is_linear(mutant, linear):
                seen.add(mutant)
                yield label, mutant


def rules(case: Case) -> dict[str, Scalar]:
    found = {
        "jvp": case.jvp(case.indices(case.output.name)),
        **{x: case.vjp(x, case.indices(x)) for x in case.differentiable},
    }
    return {name: numbered_binders(rule) for name, rule in found.items()}  # the same sum is one place to change


def linear_names(case: Case, name: str) -> frozenset[str]:
    return frozenset({"d" + x for x in case.differentiable} if name == "jvp" else {"g"})


def mutants(case: Case, rule: str) -> Iterator[Mutant]:
    """The mutants of "jvp", of the VJP of an input, or of "both" alike."""
    original = rules(case)
    if rule != "both":
        for operator, new in mutants_of(original[rule], case, linear_names(case, rule)):
            yield Mutant(operator, {rule: new})
        return
    yield Mutant("negated", {n: -r for n, r in original.items()})
    loose = {n: replace(r, _loosen) for n, r in original.items()}
    if loose != original:
        yield Mutant("loose guards", loose)
    for x in case.differentiable:
        zero = {t: ZERO for t in subterms(original["jvp"]) if t.op == "access" and t.args[0] == "d" + x}
        yield Mutant("input forgotten", {"jvp": replace(original["jvp"], zero.get), x: ZERO})


def _loosen(t: Term) -> Term | None:
    return Condition("value<=", *t.args) if t.op == "value<" else None


def changed(case: Case, new: dict[str, Scalar]) -> Case:
    """The case with some rules replaced by terms in its own index names."""
    op = copy.copy(case.op)
    op.vjps = dict(op.vjps)
    for name, term in new.items():
        if name == "jvp":
            op.jvp_rule = _rule(term, case.index_names(case.output.name))
        elif op.variadic:
            op.vjps[op.variadic] = _variadic_rule(case, op.vjps[op.variadic], name, _rule(term, case.index_names(name)))
        else:
            op.vjps[name] = _rule(term, case.index_names(name))
    return Case(op, case.label, case.batch, case.inputs, case.output)


def _rule(term: Scalar, names: tuple[str, ...]) -> Callable[..., Scalar]:
    def rule(index: tuple[Index, ...]) -> Scalar:
        return rename_binders(substitute(term, dict(zip(names, index, strict=True))))

    return rule


def _variadic_rule(
    case: Case, others: Callable[..., Scalar], name: str, changed_rule: Callable[..., Scalar]
) -> Callable[..., Scalar]:
    """A variadic VJP with the rule of one input replaced."""
    position = [t.name for t in case.inputs].index(name)

    def rule(which: int, index: tuple[Index, ...]) -> Scalar:
        if which == position:
            return changed_rule(index)
        return case.call(others, case.inputs[which], index, which=which)  # type: ignore[no-any-return]

    return rule


# ---------------------------------------------------------------- judging them
def judge(case: Case, mutant: Mutant, memory: dict[Any, Any] | None = None) -> tuple[str, str]:
    """("caught", by which kind), ("equivalent", what proved it) or ("undecided", why).

    First a quick search, then a proof that the rule is the same after all, then a thorough search. The mutants of a
    case may share a memory: most of a rule, and the rules that are not changed, have been evaluated before.
    """
    new = changed(case, mutant.rules)
    one = () if "jvp" in mutant.rules else tuple(mutant.rules)
    with changed_rules(new, case, {name: numbered_binders(rule) for name, rule in mutant.rules.items()}):
        for kind in ("adjoint", "derivative", "bounds", "kink"):
            if quick_search(kind, new, count_faults=True, inputs=one, memory=memory):
                return "caught", kind
    difference = not_proved_equal(case, mutant)
    if difference is None:
        return "equivalent", "the prover: the same for all shapes"
    for kind in ("bounds", "adjoint", "derivative", "kink"):
        if thorough_search(kind, new, count_faults=True):
            return "caught", kind
    return "undecided", f"{mutant.operator}: {difference}: {mutant.rules}"


def not_proved_equal(case: Case, mutant: Mutant) -> str | None:
    """None if every changed rule is proved equal to the original for all shapes, else what is not."""
    proof = Proof(case)
    try:
        for name, rule in mutant.rules.items():
            target = "g" if name == "jvp" else name
            hypotheses = proof.hypotheses + case.in_bounds(target, case.indices(target))
            what = f"{name} is not proved equal to the original"
            proof.require_equal(rename_binders(rule), rules(case)[name], hypotheses, what)
    except (NotProved, Unsupported) as e:
        return str(e)
    return None


def smallest_case(op: Op) -> Case:
    """The form that shows most: two inputs rather than one, no batch axis."""
    plain = [c for c in op.cases if c.batch == 0]
    middle = [c for c in plain if c.label in ("2 inputs", "rank 1 to 2", "rank 2 to 1")]
    return (middle or plain)[0]


def check_mutants(op: Op, rule: str) -> Outcome:
    """All mutants of one rule ("both" for those that change JVP and VJP alike)."""
    case = smallest_case(op)
    counts = {"made": 0, "caught": 0, "equivalent": 0, "undecided": 0}
    by_operator: dict[str, int] = {}
    undecided, equivalent = [], []
    memory: dict[Any, Any] = {}
    for mutant in mutants(case, rule):
        counts["made"] += 1
        by_operator[mutant.operator] = by_operator.get(mutant.operator, 0) + 1
        verdict, why = judge(case, mutant, memory)
        counts[verdict] += 1
        if verdict == "undecided":
            undecided.append(why)
        if verdict == "equivalent":
            equivalent.append(f"{mutant.operator}: {next(iter(mutant.rules.values()))}")
    data = {**counts, "operators": by_operator, "equivalents": equivalent}
    if undecided:
        return Outcome(
            Verdict.MISSED, f"MISSED  refutes[{op.name}-mutants-{rule}]\n\n  " + "\n  ".join(undecided[:5]), data
        )
    return Outcome(
        Verdict.CAUGHT, f"{counts['caught']} of {counts['made']} caught, {counts['equivalent']} proved equivalent", data
    )


def obligations() -> Iterator[Obligation]:
    for op in OPS.values():
        inputs = smallest_case(op).differentiable
        for rule in ("jvp", *inputs, "both") if inputs else ():
            name = rule if rule in ("jvp", "both") else f"vjp-{rule}"
            yield Obligation(
                "refutes",
                op.name,
                f"mutants-{name}",
                "every mutant of the JVP and VJP together is refuted"
                if rule == "both"
                else f"every mutant of the {name} rule is refuted, or proved to be the same rule",
                "the fixed mutation operators at every place",
                partial(check_mutants, op, rule),
            )
