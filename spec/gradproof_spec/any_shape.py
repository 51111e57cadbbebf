"""TRUSTED. Proofs for all shapes and all reals: bounds, derivative, adjoint, kink.

jvp is linear in the tangents and vjp in the cotangent (checked by syntax), so each is given by its kernel: the
coefficient of dx[i] in output o. For each input X, with o and i free:

    K_D = d forward[o] / d X[i]     K_J = d jvp[o] / d dX[i]     K_V = d vjp_X[i] / d g[o]

`derivative` is K_D = K_J off kinks, `adjoint` is K_J = K_V, pointwise for all o and i in range: then
<jvp(dx), g> = sum over o, i of g[o] K dx[i] = <dx, vjp(g)>, the sums being exchanged (lemma exchange).
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations, product
from typing import Any

from .derivative import derivative as formal_derivative
from .derivative import is_linear, mentions
from .index_algebra import canonical, from_polynomial, index_polynomial
from .normal_form import TooLarge, ZeroDivisor, normal_form, to_term
from .obligations import Obligation, Outcome, Verdict
from .op import OPS, Case, Op, Selection
from .rewriting import Rewriter, witnesses
from .solver import Solver
from .terms import (
    FALSE,
    MINUS_ONE,
    ONE,
    TRUE,
    ZERO,
    Condition,
    Index,
    Scalar,
    Term,
    access,
    atom_conditions,
    conjunction,
    conjuncts,
    equal,
    free_variables,
    fresh_name,
    in_range,
    indicator,
    product_factors,
    replace,
    scalar_sum,
    substitute,
    subterms,
    to_index,
    variable,
)

SHAPES_FOR_AXIOMS = 12


class Unsupported(Exception):
    """The statement is outside what the prover can express; the message says what."""


class Wrong(Exception):
    """The specification contradicts itself: REFUTED without a search."""


class NotProved(Exception):
    """A step failed. `what` says which in words, `residual` is what was left."""

    def __init__(self, what: str, residual: str = "") -> None:
        super().__init__(what)
        self.what, self.residual = what, residual


@dataclass
class Proof:
    """The machinery for one case of an op."""

    case: Case

    def __post_init__(self) -> None:
        self.solver = Solver(axioms=self.case.selection_axioms(), known=self.case.known)
        self.rewriter = Rewriter(self.solver)
        self.hypotheses = tuple(h for h in self.case.hypotheses() if not _is_product_equation(h))
        self.o = self.case.indices(self.case.output.name)

    def at_output(self) -> tuple[Condition, ...]:
        return self.hypotheses + self.case.in_bounds("g", self.o)

    def inputs(self) -> Iterator[tuple[str, tuple[Index, ...], tuple[Condition, ...]]]:
        """Each differentiable input with free indices i of its own and all ranges as hypotheses."""
        for x in self.case.differentiable:
            i = self.case.indices(x, prefix="i_")
            yield x, i, self.at_output() + self.case.in_bounds(x, i)

    def require_equal(self, a: Scalar, b: Scalar, hypotheses: Sequence[Condition], what: str) -> None:
        if not self.rewriter.equal_terms(a, b, hypotheses):
            raise NotProved(what, str(to_term(self.rewriter.residual)))


def _is_product_equation(c: Condition) -> bool:
    """Is it an equation between products of extents? No proof needs one, and with it z3 reasons about polynomials.

    Fewer hypotheses can only lose proofs. An equation with a constant (a product that is 1) fixes extents: it is kept.
    """
    if c.op != "index==" or any(i.op == "constant" for i in c.args):
        return False
    return any(len(m) > 1 for side in c.args for m in index_polynomial(side))


# ---------------------------------------------------------------- adjoint and derivative
def prove_adjoint(case: Case) -> Solver:
    proof = Proof(case)
    require_satisfiable(proof)
    for x, i, hypotheses in proof.inputs():
        k_j = formal_derivative(case.jvp(proof.o), "d" + x, i)
        k_v = formal_derivative(case.vjp(x, i), "g", proof.o)
        what = f"the coefficient of d{x} in the JVP is not the coefficient of g in the VJP for {x}"
        proof.require_equal(k_j, k_v, hypotheses, what)
    return proof.solver


def prove_derivative(case: Case) -> Solver:
    proof = Proof(case)
    off_kinks = tuple(~k.tie for k in kinks(case) if not k.smooth)
    require_satisfiable(proof, off_kinks)
    forward, jvp = case.forward(proof.o), off_ties(case, case.jvp(proof.o))
    for x, i, hypotheses in proof.inputs():
        k_d = formal_derivative(forward, x, i)
        k_j = formal_derivative(jvp, "d" + x, i)
        what = f"the coefficient of d{x} in the JVP is not the derivative of the forward by {x}"
        proof.require_equal(k_d, k_j, hypotheses + off_kinks, what)
    return proof.solver


def require_satisfiable(proof: Proof, more: Sequence[Condition] = ()) -> None:
    """The hypotheses have a model with at least one element in every tensor."""
    case = proof.case
    conditions = [*case.hypotheses(), *proof.at_output(), *more]
    for x in case.differentiable:
        conditions += case.in_bounds(x, case.indices(x, prefix="i_"))
    conditions += case.element_hypotheses(prefix="i_")
    if proof.solver.satisfiable(conditions) is not True:
        raise Vacuous("the hypotheses are not known to be satisfiable")


# ---------------------------------------------------------------- kinks, derived from the guards of the forward
@dataclass(frozen=True)
class Kink:
    """A boundary a = b of a value guard of the forward.

    element, value   an access and the value it has on the boundary (the boundary, solved for one element)
    smooth           forward and derivative agree on both sides, so the boundary is no kink
    """

    guard: Condition
    element: Scalar
    value: Scalar
    smooth: bool

    @property
    def tie(self) -> Condition:
        return equal(self.guard.args[0], self.guard.args[1])

    @property
    def name(self) -> str:
        return f"{self.element} = {self.value}"

    def on_boundary(self, t: Scalar) -> Scalar:
        return replace(t, lambda x: self.value if x == self.element else None)

    def side(self, t: Scalar, holds: bool) -> Scalar:
        """t beside the boundary: where the guard holds, or where it does not (for a = b: a < b, b < a)."""
        a, b = self.guard.args
        truth = {a < b: holds, a <= b: holds, b < a: not holds, b <= a: not holds, self.tie: False}

        def step(x: Term) -> Term | None:
            return (TRUE if truth[x] else FALSE) if isinstance(x, Condition) and x in truth else None

        return replace(t, step)


def kinks(case: Case) -> list[Kink]:
    """The boundaries of the value guards in the forward, one per pair of compared values."""
    forward = case.forward(case.indices(case.output.name))
    found: dict[Condition, Kink] = {}
    proof = Proof(case)
    reachable, where = proof.solver, proof.at_output()
    outside = free_variables(forward)
    for guard in sorted(value_guards(case, forward), key=lambda c: (c.op == "value==", str(c))):
        tie = equal(guard.args[0], guard.args[1])
        if tie in found or reachable.valid(where, ~tie) is True:
            continue
        if not free_variables(guard) <= outside:
            raise Unsupported(f"the guard {guard} compares values inside a sum")
        element, value = _solve_tie(guard, frozenset(case.differentiable))
        kink = Kink(guard, element, value, False)
        found[tie] = Kink(guard, element, value, _is_smooth(case, kink, forward))
    for kink in found.values():
        for other in found.values():
            difference = other.guard.args[0] - other.guard.args[1]
            if other is not kink and not normal_form(kink.on_boundary(difference)):
                raise Unsupported(f"the guards {kink.guard} and {other.guard} have the same boundary")
    return list(found.values())


def _apart(proof: Proof, kink: Kink, other: Kink) -> bool:
    """Whatever indices and attributes are, is there a point on the boundary of `kink` off that of `other`?

    There is if they never meet, or if an element that the first boundary leaves free moves the second.
    """
    difference = kink.on_boundary(other.guard.args[0] - other.guard.args[1])
    if proof.solver.valid(proof.at_output(), ~equal(difference, ZERO)) is True:
        return True
    p = normal_form(difference)
    read = {x for f in p for a, _ in f.monomial for x in subterms(a) if x.op == "access"} | {kink.element}

    def moves(e: Scalar) -> bool:
        if sum(e in subterms(a) for f in p for a, _ in f.monomial) != 1:
            return False  # it may cancel
        if not is_open(proof.case.element_condition(e.args[0], access(e.args[0]))):
            return False  # its domain may be a point
        same = [conjunction([equal(i, j) for i, j in zip(e.args[1:], x.args[1:], strict=True)])
                for x in read - {e} if x.args[0] == e.args[0]]
        return all(proof.solver.valid(proof.at_output(), ~c) is True for c in same)

    return any(not f.binders and not f.guards and len(f.monomial) == 1 and f.monomial[0][1] == 1
               and f.monomial[0][0].op == "access" and f.monomial[0][0].args[0] not in proof.case.op.reals
               and moves(f.monomial[0][0]) for f in p)


def value_guards(case: Case, t: Scalar | Condition) -> list[Condition]:
    """The comparisons in t that depend on a differentiable input: on others nothing moves when the inputs do."""
    inputs = frozenset(case.differentiable)
    return [c for c in atom_conditions(t) if any(mentions(side, inputs) for side in c.args)]


def is_open(c: Condition) -> bool:
    """Does the condition stay true when real numbers change a little, by its form?"""
    if c.op in ("and", "or"):
        return all(map(is_open, c.args))
    if c.op == "not":
        return c.args[0].op in ("value==", "value<=") or not atom_conditions(c)
    return c.op == "value<" or not atom_conditions(c)


def _solve_tie(guard: Condition, inputs: frozenset[str]) -> tuple[Scalar, Scalar]:
    """The boundary a = b solved for an element of an input: it occurs in it once, with a constant coefficient."""
    difference = normal_form(guard.args[0] - guard.args[1])
    for flat, c in sorted(difference.items(), key=lambda p: [str(a) for a, _ in p[0].monomial]):
        if flat.binders or flat.guards or len(flat.monomial) != 1:
            continue
        (atom, e), = flat.monomial
        others = {f: d for f, d in difference.items() if f != flat}
        elsewhere = any(atom in subterms(a) for f in others for a, _ in f.monomial)
        if atom.op == "access" and atom.args[0] in inputs and e == 1 and not elsewhere:
            return atom, to_term({f: -d / c for f, d in others.items()})
    raise Unsupported(f"the boundary of {guard} cannot be solved for one element")


def _is_smooth(case: Case, kink: Kink, forward: Scalar) -> bool:
    """On the boundary, forward and derivative are those of both sides: then the tie is a point like any other."""
    proof = Proof(case)
    sides = [kink.side(forward, holds) for holds in (True, False)]
    for t in sides:
        if not proof.rewriter.equal_terms(kink.on_boundary(forward), kink.on_boundary(t), proof.at_output()):
            return False
        for x, i, hypotheses in proof.inputs():
            at_tie, beside = (kink.on_boundary(formal_derivative(f, x, i)) for f in (forward, t))
            if not proof.rewriter.equal_terms(at_tie, beside, hypotheses):
                return False
    return True


def prove_kinks(case: Case) -> Solver:
    """Each derived kink is declared; there the JVP is the declared mixture of the one-sided derivatives.

    weight is the share of the branch where the guard holds. 0 <= weight <= 1 and continuity put the mixture into the
    Clarke subdifferential: both branches are active on open sets next to the boundary, because moving `element` alone
    crosses it.
    """
    proof = Proof(case)
    if case.op.kink_domain:
        proof.hypotheses += tuple(case.op.kink_domain(case.size()))
    require_satisfiable(proof)
    derived = {k.name: k for k in kinks(case) if not k.smooth}
    if set(derived) != set(case.op.kinks):
        raise Wrong(f"kinks derived from the guards: {sorted(derived) or 'none'}; "
                    f"declared: {sorted(case.op.kinks) or 'none'}")
    for kink, other in permutations(derived.values(), 2):
        if not _apart(proof, kink, other):
            raise Unsupported(f"the guards {kink.guard} and {other.guard} may have the same boundary")
    for name in {k.element.args[0] for k in derived.values()}:
        if not is_open(case.element_condition(name, access(name))):
            raise Unsupported(f"{name} has a kink and a domain with an edge: next to it only one side may be there")
    forward, jvp = case.forward(proof.o), case.jvp(proof.o)
    for name, kink in derived.items():
        weight = case.op.kinks[name]
        if not 0 <= weight <= 1:
            raise Wrong(f"at {name} the declared weight {weight} is not between 0 and 1")
        yes, no = kink.side(forward, True), kink.side(forward, False)
        for t in (yes, no):
            proof.require_equal(kink.on_boundary(forward), kink.on_boundary(t), proof.at_output(),
                                f"the forward jumps at {name}")
        for x, i, hypotheses in proof.inputs():
            k_yes, k_no = (kink.on_boundary(formal_derivative(t, x, i)) for t in (yes, no))
            k_j = kink.on_boundary(formal_derivative(jvp, "d" + x, i))
            proof.require_equal(k_j, weight * k_yes + (1 - weight) * k_no, hypotheses,
                                f"at {name} the JVP's coefficient of d{x} is not {weight} of one side "
                                f"and {1 - weight} of the other")
    _require_plain_selections(case, derived.values())
    for selection in case.op.selections.values():
        _prove_selection_kink(proof, selection)
    return proof.solver


def _require_plain_selections(case: Case, kinks: Iterable[Kink] = ()) -> None:
    """Candidates depend on no value, and no ties are met together.

    No two selections share elements, nor does one with itself at other arguments, nor with a guard.
    """
    compared: dict[str, str] = {}
    forward = case.forward(case.indices(case.output.name))
    for selection in case.op.selections.values():
        arguments = [variable(n) for n in case.selection_arguments(selection)]
        real, value = compared_element(case, selection, arguments,
                                       [variable(fresh_name(c)) for c in selection.candidates])
        if value_guards(case, real):
            raise Unsupported(f"which candidates of {selection.name} are real depends on the inputs' values")
        if any(x.op == "apply" and x.args[0].rpartition(".")[0] in case.op.selections
               for t in (real, value) for x in subterms(t)):
            raise Unsupported(f"the candidates of {selection.name} depend on another selection")
        other = compared.setdefault(value.args[0], selection.name)
        if other != selection.name:
            raise Unsupported(f"{other} and {selection.name} select among the elements of {value.args[0]}")
        asked = selection.asked(forward)
        if len(asked) > 1 or any(not free_variables(i) <= free_variables(forward) for a in asked for i in a):
            raise Unsupported(f"the forward asks for {selection.name} at several arguments")
        for kink in kinks:
            if mentions(kink.guard.args[0] - kink.guard.args[1], frozenset({value.args[0]})):
                raise Unsupported(f"{kink.guard} reads {value.args[0]}, among whose elements {selection.name} selects")


def _prove_selection_kink(proof: Proof, selection: Selection) -> None:
    """At a tie the rule is the derivative of the first best branch, which is active next to the tie.

    Raising the selected element alone makes it the only best: different candidates must be different elements.
    """
    case = proof.case
    arguments = [variable(n) for n in case.selection_arguments(selection)]
    two = [[variable(fresh_name(c)) for c in selection.candidates] for _ in range(2)]
    hypotheses = [*proof.hypotheses, case.selection_domain(selection, arguments)]
    values = []
    for cell in two:
        real, value = compared_element(case, selection, arguments, cell)
        hypotheses += [real, *case.cell_in_range(selection, cell)]
        values.append(value)
    same = conjunction([equal(a, b) for a, b in zip(values[0].args[1:], values[1].args[1:], strict=True)])
    goal = conjunction([equal(a, b) for a, b in zip(*two, strict=True)])
    if proof.solver.valid([*hypotheses, same], goal) is not True:
        raise NotProved(f"two candidates of {selection.name} may be the same element")
    _require_no_jump(proof, selection)
    forward, jvp = case.forward(proof.o), case.jvp(proof.o)
    if case.op.ties == "shared":
        mean = mean_of_tied(proof, selection, forward)
        for x, i, hyp in proof.inputs():
            proof.require_equal(mean(x, i), formal_derivative(jvp, "d" + x, i), hyp,
                                f"at a tie of {selection.name} the JVP is not the mean over the tied candidates")
        return
    # the rule is that branch's derivative also at ties: no hypothesis excludes them
    for x, i, hyp in proof.inputs():
        proof.require_equal(formal_derivative(forward, x, i), formal_derivative(jvp, "d" + x, i), hyp,
                            f"at a tie of {selection.name} the JVP is not the derivative of the selected branch")


def _require_no_jump(proof: Proof, selection: Selection) -> None:
    """Where two candidates have equal values, the forward is the same whichever is selected."""
    case, forward = proof.case, proof.case.forward(proof.o)
    for arguments in sorted(selection.asked(forward), key=str):
        sides, cells, real = [], [], []
        for _ in range(2):
            cell = [variable(fresh_name(c)) for c in selection.candidates]
            is_real, value = compared_element(case, selection, arguments, cell)
            best = selection.cell(arguments)
            sides.append(canonical_accesses(replaced(forward, dict(zip(best, cell, strict=True)))))
            cells.append(canonical_accesses(value))
            real += [is_real, *case.cell_in_range(selection, cell)]
        tied = replaced(sides[1], {cells[1]: cells[0]})
        what = f"the forward jumps at a tie of {selection.name}"
        proof.require_equal(sides[0], tied, (*proof.at_output(), *real), what)


def selected(case: Case, selection: Selection, forward: Scalar) -> tuple[Index, ...]:
    """The arguments at which the forward uses a selection: one tuple of them."""
    chosen = selection.asked(forward)
    if len(chosen) != 1:
        raise Unsupported(f"ties are shared, but the forward does not use {selection.name} exactly once")
    return chosen.pop()


def compared_element(case: Case, selection: Selection, arguments: Sequence[Index], cell: Sequence[Index],
                     ) -> tuple[Condition, Scalar]:
    """Whether a candidate is real, and the element x[...] whose value, or whose negated value, is compared."""
    real, value = case.candidate(selection, arguments, cell)
    if value.op == "mul" and value.args[0] == MINUS_ONE:
        value = value.args[1]
    if value.op != "access":
        raise Unsupported(f"the candidates of {selection.name} are not elements of a tensor")
    return real, value


def mean_of_tied(proof: Proof, selection: Selection, forward: Scalar) -> Callable[[str, tuple[Index, ...]], Scalar]:
    """The mean of the derivatives of the tied candidates: a convex combination of gradients of active branches."""
    case = proof.case
    arguments = selected(case, selection, forward)
    _, best = compared_element(case, selection, arguments, selection.cell(arguments))
    if not proof.rewriter.equal_terms(forward, best, proof.at_output()):
        raise Unsupported(f"ties are shared, but the forward is not the element that {selection.name} selects")
    cell = [variable(fresh_name(c)) for c in selection.candidates]
    real, value = compared_element(case, selection, arguments, cell)
    tied = indicator(real, equal(value, best))

    def over_cells(body: Scalar) -> Scalar:
        for i, extent in zip(cell, case.cell_extents(selection), strict=True):
            body = scalar_sum(i.args[0], extent, body)
        return body

    return lambda x, i: over_cells(tied * formal_derivative(value, x, i)) / over_cells(tied)


def off_ties(case: Case, jvp: Scalar) -> Scalar:
    """The rule where no two candidates have equal values: there x[e] = x[best] says that e is the best.

    Only for selections among all elements along the candidates' axes, so that x[e] is a candidate wherever it is read.
    """
    if case.op.ties != "shared":
        return jvp
    meaning: dict[Term, Condition] = {}
    for selection in case.op.selections.values():
        arguments = selected(case, selection, case.forward(case.indices("g")))
        cell = [variable(fresh_name(c)) for c in selection.candidates]
        real, value = compared_element(case, selection, arguments, cell)
        extents = map(canonical, case.cell_extents(selection))
        if real != TRUE or any(
            value.args[1:].count(c) != 1 or canonical(case.shape(value.args[0])[value.args[1:].index(c)]) != n
            for c, n in zip(cell, extents, strict=True)
        ):
            raise Unsupported(f"ties are shared, but {selection.name} does not select among all elements of its axes")
        best_cell = selection.cell(arguments)
        _, best = compared_element(case, selection, arguments, best_cell)
        for guard in atom_conditions(jvp):
            for side, other in (guard.args, guard.args[::-1]):
                same_tensor = side.op == "access" and side.args[0] == value.args[0]
                if guard.op == "value==" and other == best and same_tensor and all(
                    c in cell or c == e for c, e in zip(value.args[1:], side.args[1:], strict=True)
                ):
                    at = [side.args[1:][value.args[1:].index(c)] for c in cell]
                    meaning[guard] = conjunction([equal(a, b) for a, b in zip(at, best_cell, strict=True)])
    return replace(jvp, lambda t: meaning.get(t))


def replaced(t: Scalar, values: Mapping[Any, Term]) -> Scalar:
    return replace(t, lambda x: values.get(x))


def canonical_accesses(t: Scalar) -> Scalar:
    def step(x: Term) -> Term | None:
        return canonical(x) if isinstance(x, Index) else None

    return replace(t, step)


# ---------------------------------------------------------------- bounds
def prove_bounds(case: Case) -> Solver:
    proof = Proof(case)
    require_satisfiable(proof)
    _require_selections_exist(case)
    _require_axioms(case)
    walk = BoundsWalk(proof)
    for name, extent in zip(case.output.axes, case.shape("g"), strict=True):
        walk.index(extent, proof.hypotheses, f"the extent {name}")
        walk.require(proof.hypotheses, extent >= 0, f"the extent {name} can be negative")
    for selection in case.op.selections.values():
        walk.candidates(selection)
    o, tangents = proof.o, frozenset("d" + x for x in case.differentiable)
    for what, rule in (("forward", case.forward(o)), ("jvp", case.jvp(o))):
        walk.scalar(rule, proof.at_output(), what)
    if not is_linear(case.jvp(o), tangents):
        raise NotProved(f"the JVP is not linear in {', '.join(sorted(tangents))}")
    for x in case.differentiable:
        i = case.indices(x)
        vjp = case.vjp(x, i)
        walk.scalar(vjp, proof.hypotheses + case.in_bounds(x, i), f"vjp({x})")
        if not is_linear(vjp, frozenset({"g"})):
            raise NotProved(f"the VJP for {x} is not linear in g")
        if (mentions(vjp, tangents) or mentions(case.forward(o), tangents | {"g"})
                or mentions(case.jvp(o), frozenset({"g"}))):
            raise NotProved("a rule reads a tensor it must not: "
                            "the forward no tangent, the JVP no cotangent, the VJP no tangent")
    return proof.solver


class Vacuous(Exception):
    """The hypotheses have no model, or none was found."""


def _require_selections_exist(case: Case) -> None:
    solver = Solver()  # without the selection axioms: they are what is to be justified
    for selection in case.op.selections.values():
        arguments = [variable(n) for n in case.selection_arguments(selection)]
        named = dict(zip(case.selection_arguments(selection), arguments, strict=True))
        choices = case.call(selection.exists, None, (), **named)
        cells: list[list[Index | int]] = [[]]
        for alternatives in choices:
            cells = [[*cell, a] for cell in cells for a in alternatives]
        some: Condition = FALSE
        for cell in cells:
            real, _ = case.candidate(selection, arguments, cell)
            some = some | conjunction([real, *case.cell_in_range(selection, cell)])
        if solver.valid([*case.hypotheses(), case.selection_domain(selection, arguments)], some) is not True:
            raise Vacuous(f"{selection.name} may have no candidate")


def _require_axioms(case: Case) -> None:
    """The axioms of declared index functions hold of their meaning at small shapes inside the domain.

    For all shapes it is the lemma that the op names which says so; this is what notices an axiom outside its domain.
    """
    from .evaluate import Environment
    from .refute import cells, extents, shapes

    declared = case.op.index_functions
    if declared is None:
        return
    for sizes in shapes(case)[:SHAPES_FOR_AXIOMS]:
        here = Environment(case, dict(sizes), {})
        for name, axiom in declared.axioms(case).items():
            base = name.partition(".")[0]
            domain = "g" if declared.names[base] != "g" else case.inputs[0].name
            for i in cells(extents(case, domain, sizes)):
                try:
                    holds = all(here.condition(c) is True for c in axiom(*map(to_index, i)))
                except ZeroDivisionError:
                    holds = False
                if not holds:
                    raise Wrong(f"at {sizes} an axiom of {name} does not hold of {list(i)}")


class BoundsWalk:
    """Every access of a term inside its tensor, every divisor nonzero, log and sqrt inside their domain."""

    def __init__(self, proof: Proof) -> None:
        self.proof, self.case = proof, proof.case
        names = ["g", *(n for t in self.case.inputs for n in (t.name, "d" + t.name))]
        self.shapes = {n: self.case.shape(n) for n in names}

    def require(self, hypotheses: Sequence[Condition], goal: Condition, what: str) -> None:
        if self.proof.solver.valid(hypotheses, goal) is not True:
            raise NotProved(what, f"{goal}    under    {', '.join(map(str, hypotheses))}")

    def candidates(self, selection: Selection) -> None:
        """What a selection compares: read where its arguments and the cell are in range, the value where it is real."""
        case = self.case
        arguments = [variable(n) for n in case.selection_arguments(selection)]
        cell = [variable(fresh_name(c)) for c in selection.candidates]
        real, value = case.candidate(selection, arguments, cell)
        if {x.args[0] for t in (real, value) for x in subterms(t) if x.op == "access"} - {
                *case.op.reals, *(t.name for t in case.inputs)}:
            raise Wrong(f"the candidates of {selection.name} read a tensor that is no input")
        h = (*self.proof.hypotheses, case.selection_domain(selection, arguments),
             *case.cell_in_range(selection, cell))
        self.condition(real, h, selection.name)
        self.scalar(value, (*h, real), selection.name)

    def scalar(self, t: Scalar, h: tuple[Condition, ...], rule: str) -> None:
        a = t.args
        if t.op == "access":
            extents = self.shapes.get(a[0], ())
            if a[0] not in self.shapes and a[0] not in self.case.op.reals:
                raise Wrong(f"{rule} reads {t}: {a[0]} is neither a tensor of the signature nor a real attribute")
            if len(extents) != len(a) - 1:
                raise Wrong(f"{rule} reads {t}: {a[0]} has {len(extents)} axes")
            for i, n in zip(a[1:], extents, strict=True):
                self.require(h, in_range(i, n), f"{rule} reads {t} outside its tensor")
                self.index(i, h, rule)
        elif t.op == "add":
            self.scalar(a[0], h, rule)
            self.scalar(a[1], h, rule)
        elif t.op == "mul":
            self.factors(t, h, rule)
        elif t.op == "where":
            self.condition(a[0], h, rule)
            self.scalar(a[1], (*h, a[0]), rule)
            self.scalar(a[2], (*h, ~a[0]), rule)
        elif t.op == "sum":
            self.require(h, a[1] >= 0, f"{rule} sums over a negative extent")
            self.index(a[1], h, rule)
            self.scalar(a[2], (*h, in_range(variable(a[0]), a[1])), rule)
        elif t.op == "indicator":
            self.condition(a[0], h, rule)
        elif t.op == "integer":
            self.index(a[0], h, rule)
        elif t.op == "reciprocal":
            self.scalar(a[0], h, rule)
            if not self.nonzero(a[0], h):
                raise NotProved(f"{rule} divides by {a[0]}, which may be 0")
        elif t.op == "function":
            self.scalar(a[1], h, rule)
            if a[0] in ("log", "sqrt") and not self.positive(a[1], h):
                raise NotProved(f"{rule} takes {a[0]} of {a[1]}, which may not be positive")

    def factors(self, t: Scalar, h: tuple[Condition, ...], rule: str) -> None:
        """A factor is read only where the index guards beside it hold; an index guard, where those to its left do."""
        factors, guards = product_factors(t), dict[Condition, None]()
        for f in factors:
            own = [c for c in conjuncts(f.args[0]) if not atom_conditions(c)] if f.op == "indicator" else []
            for c in own:
                self.condition(c, (*h, *guards), rule)
            guards |= dict.fromkeys(own)
        for f in factors:
            if f.op != "indicator":
                self.scalar(f, (*h, *guards), rule)
                continue
            own = conjuncts(f.args[0])
            for c in (c for c in own if atom_conditions(c)):
                self.condition(c, (*h, *(g for g in guards if g not in own)), rule)

    def condition(self, c: Condition, h: tuple[Condition, ...], rule: str) -> None:
        for x in c.args:
            if isinstance(x, Condition):
                self.condition(x, h, rule)
            elif isinstance(x, Scalar):
                self.scalar(x, h, rule)
            elif isinstance(x, Index):
                self.index(x, h, rule)

    def index(self, i: Index, h: tuple[Condition, ...], rule: str) -> None:
        integer = {t.name: t for t in self.case.inputs if t.integer}
        for x in subterms(i):
            if x.op in ("//", "%"):
                self.require(h, x.args[1] >= 1, f"{rule} divides the index {x.args[0]} by {x.args[1]}")
            if x.op == "apply" and x.args[0] in integer:
                for j, n in zip(x.args[1:], self.case.shape(x.args[0]), strict=True):
                    self.require(h, in_range(j, n), f"{rule} reads {x} outside its tensor")
            if x.op == "apply" and (name := x.args[0].rpartition(".")[0]) in self.case.op.selections:
                inside = self.case.selection_domain(self.case.op.selections[name], x.args[1:])
                self.require(h, inside, f"{rule} asks for {x} outside the range of its arguments")
            declared = self.case.op.index_functions
            if declared and x.op == "apply" and (name := x.args[0].rpartition(".")[0]) in declared.names:
                domain = "g" if declared.names[name] != "g" else self.case.inputs[0].name
                for c in self.case.in_bounds(domain, x.args[1:]):
                    self.require(h, c, f"{rule} asks for {x} outside the range of its arguments")

    def nonzero(self, t: Scalar, h: tuple[Condition, ...]) -> bool:
        if t.op == "mul":
            return self.nonzero(t.args[0], h) and self.nonzero(t.args[1], h)
        return self.positive(t, h) or self.proof.solver.valid(h, ~equal(t, ZERO)) is True

    def positive(self, t: Scalar, h: tuple[Condition, ...]) -> bool:
        return self.positive_by_form(t, h) or self.proof.solver.valid(h, t > 0) is True

    def positive_by_form(self, t: Scalar, h: tuple[Condition, ...]) -> bool:
        a = t.args
        if t.op == "number":
            return bool(a[0] > 0)
        if t.op == "integer":
            return self.proof.solver.valid(h, a[0] >= 1) is True
        if t.op == "access":
            return a[0] in self.case.positive
        if t.op == "function":
            return a[0] == "exp" or (a[0] == "sqrt" and self.positive(a[1], h))
        if t.op == "mul":
            return self.positive(a[0], h) and self.positive(a[1], h)
        if t.op == "reciprocal":
            return self.positive(a[0], h)
        if t.op == "add":
            return any(self.positive_by_form(x, h) and self.nonnegative(y, h) for x, y in (a, a[::-1]))
        if t.op == "sum":
            return self.positive_sum(t, h)
        return t.op == "constant"

    def nonnegative(self, t: Scalar, h: tuple[Condition, ...]) -> bool:
        a = t.args
        if t.op == "mul":
            return a[0] == a[1] or (self.nonnegative(a[0], h) and self.nonnegative(a[1], h))
        if t.op == "add":
            return self.nonnegative(a[0], h) and self.nonnegative(a[1], h)
        if t.op == "sum":
            return self.nonnegative(a[2], (*h, in_range(variable(a[0]), a[1])))
        return t.op == "indicator" or t == ZERO or self.positive(t, h)

    def positive_sum(self, t: Scalar, h: tuple[Condition, ...]) -> bool:
        """A sum of [guards] z with z > 0 where the guards hold, and indices at which they do."""
        binders: list[tuple[str, Index]] = []
        body = t
        while body.op == "sum":
            name, extent, body = body.args
            binders.append((name, extent))
        guards, rest = guards_and_rest(body)
        inside = (*h, *(in_range(variable(n), e) for n, e in binders), *guards)
        if not all(self.positive(f, inside) for f in rest):
            return False
        somewhere: Condition = FALSE
        for values in product(*(index_candidates(n, guards, h) for n, _ in binders)):
            at = dict(zip((n for n, _ in binders), values, strict=True))
            if not any(free_variables(v) & at.keys() for v in values):
                ranges = [in_range(at[n], substitute(e, at)) for n, e in binders]
                somewhere = somewhere | conjunction([*ranges, *(substitute(g, at) for g in guards)])
        return self.proof.solver.valid(h, somewhere) is True


def guards_and_rest(t: Scalar) -> tuple[list[Condition], list[Scalar]]:
    """The guards of a product, and its other factors."""
    guards: list[Condition] = []
    rest = []
    for f in product_factors(t):
        if f.op == "indicator":
            guards += conjuncts(f.args[0])
        elif f != ONE:
            rest.append(f)
    return guards, rest


def index_candidates(name: str, guards: Sequence[Condition], known: Sequence[Condition]) -> list[Index]:
    """Values of an index at which the guards may hold: 0, the ends that they give, and where the like of them is known.

    Untrusted: they are checked.
    """
    found = {to_index(0): None}
    v = variable(name)
    given = [x for c in known for x in subterms(c) if x.op == "apply"]
    for g in guards:
        found |= dict.fromkeys(witnesses(g, name, guards))
        for read in (x for x in subterms(g) if x.op == "apply" and v in x.args):  # mask[n, v], and mask[n, m] is known
            found |= {x.args[read.args.index(v)]: None for x in given if x.args[0] == read.args[0]}
        if g.op == "value==" and g.args[0].op == g.args[1].op == "access":  # x[.., v, ..] = x[.., e, ..]
            a, b = g.args
            found |= {e: None for p, q in zip(a.args[1:], b.args[1:], strict=False)
                      for v_, e in ((p, q), (q, p)) if v_ == v}
        if g.op == "index<=":
            p = index_polynomial(g.args[1] - g.args[0])  # factor v + rest >= 0
            factor = {tuple(f for k, f in enumerate(m) if k != m.index(v)): c for m, c in p.items() if v in m}
            rest = from_polynomial({m: c for m, c in p.items() if v not in m})
            if factor and not any(v in m for m in factor):
                found[canonical(-(rest // from_polynomial(factor)))] = None
    return list(found)


# ---------------------------------------------------------------- obligations
CLAIMS = {
    "bounds": "accesses inside their tensors; extents >= 0; divisors, log and sqrt in their domain; rules linear; "
              "hypotheses satisfiable",
    "derivative": "jvp(x, dx) = d/dt forward(x + t dx) at t = 0, off kinks",
    "adjoint": "<jvp(dx), g> = <dx, vjp(g)>",
    "kink": "at a kink, met alone, the JVP is the declared mixture of the one-sided derivatives, a Clarke subgradient",
}
PROVERS: dict[str, Callable[[Case], Solver]] = {
    "bounds": prove_bounds, "derivative": prove_derivative, "adjoint": prove_adjoint, "kink": prove_kinks}


def has_kink(case: Case) -> bool:
    """Does a value guard or a selection occur in the forward or in a rule? (sqrt and log are proved > 0 inside.)"""
    o = case.indices(case.output.name)
    rules = [case.forward(o), case.jvp(o), *(case.vjp(x, case.indices(x)) for x in case.differentiable)]
    return bool(case.op.selections) or any(value_guards(case, t) for t in rules)


def check(kind: str, op: Op) -> Outcome:
    """Prove one kind for every case of the op."""
    queries = 0
    if kind == "kink" and not any(map(has_kink, op.cases)):
        return Outcome(Verdict.NOT_APPLICABLE, "no value guard and no selection occurs in the forward or in a rule")
    if kind in ("derivative", "adjoint") and not any(c.differentiable for c in op.cases):
        return Outcome(Verdict.NOT_APPLICABLE, "no input is differentiable")
    for case in op.cases:
        try:
            queries += PROVERS[kind](case).queries
        except Vacuous as e:
            return Outcome(Verdict.VACUOUS, f"VACUOUS  {kind}[{op.name}]\n\n  {e} (case {case.id or 'only'})")
        except Wrong as e:
            return Outcome(Verdict.REFUTED, f"REFUTED  {kind}[{op.name}]\n\n  {e} (case {case.id or 'only'})")
        except Unsupported as e:
            return Outcome(Verdict.UNSUPPORTED, f"UNSUPPORTED  {kind}[{op.name}]\n\n  {e} (case {case.id or 'only'})")
        except (TooLarge, ZeroDivisor) as e:
            return Outcome(Verdict.UNKNOWN,
                           f"UNKNOWN  {kind}[{op.name}]\n\n  {type(e).__name__}: {e} (case {case.id or 'only'})")
        except NotProved as e:
            from .refute import explain

            return explain(kind, case, e.what, e.residual)
    return Outcome(Verdict.PROVED, data={"cases": [c.id or "only" for c in op.cases], "queries": queries})


def obligations() -> Iterator[Obligation]:
    for op in OPS.values():
        for kind, claim in CLAIMS.items():
            over = f"{op.over()}; all reals"
            if kind == "kink" and op.kink_domain:
                over += f"; where {', '.join(map(str, op.kink_domain(op.cases[0].size())))}"
            yield Obligation(kind, op.name, "", claim, over, partial(check, kind, op))

