"""TRUSTED. Simplification of flat terms and equality of polynomials for all values of the free indices.

Every rule that depends on the hypotheses is licensed by a solver query that is made here, under the hypotheses, the
ranges of the bound indices and the other guards. Witnesses and candidates may come from anywhere: they are checked.
The sum lemmas that the rules use are proved by induction in `lemmas`:

    delta       if the guards force k = e:  Sum_{k<N} [guards(k)] f(k) = [0 <= e < N] [guards(e)] f(e)
    guard       a guard that the rest implies is dropped; guards that contradict make the term 0
    range       a guard v <= e or e <= v becomes part of the range of v (with a shift)
    congruence  under a guard v = e, v may be written e in the atoms
    constant    Sum_{k<N} t = N t where t does not mention k
    cancel      (Sum_k z(k)) * (1 / Sum_k z(k)) = 1
    clear       an identity may be multiplied by a denominator that is read, and so not 0, wherever any term counts
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import count, islice, permutations, product
from typing import Any

from .index_algebra import canonical, from_polynomial, index_polynomial, negate
from .normal_form import (
    UNIT,
    Flat,
    Monomial,
    Normalizer,
    Polynomial,
    add,
    conjunct_guards,
    multiply,
    of_atom,
    power,
    rename,
    sort_guards,
    substitute_monomial,
    to_term,
)
from .solver import Solver
from .terms import (
    FALSE,
    Condition,
    Index,
    Scalar,
    Term,
    conjunction,
    equal,
    free_variables,
    function,
    in_range,
    replace,
    substitute,
    subterms,
    to_index,
    to_scalar,
    variable,
)

Binders = tuple[tuple[str, Index], ...]
Hypotheses = tuple[Condition, ...]
CLEARING_DEPTH = 2
MAX_BINDERS_TO_PERMUTE, MOST_PAIRINGS = 5, 200


def ranges(binders: Sequence[tuple[str, Index]]) -> Hypotheses:
    return tuple(_range(name, extent) for name, extent in binders)


@lru_cache(maxsize=1 << 14)
def _range(name: str, extent: Index) -> Condition:
    return in_range(variable(name), extent)


class Rewriter:
    def __init__(self, solver: Solver) -> None:
        self.solver = solver
        self.normal_form = Normalizer()
        self.residual: Polynomial = {}
        self._known_uses: dict[Flat, list[Any]] = {}

    def proved(self, hypotheses: Sequence[Condition], goal: Condition) -> bool:
        return self.solver.valid(hypotheses, goal) is True

    # ------------------------------------------------------------ equality
    def equal_terms(self, a: Scalar, b: Scalar, hypotheses: Sequence[Condition]) -> bool:
        """a = b for all values of the free indices that satisfy the hypotheses. Leaves what is left in `residual`."""
        return self.is_zero(add(self.normal_form(a), self.normal_form(b), -1), tuple(hypotheses))

    def is_zero(self, p: Polynomial, hypotheses: Hypotheses, depth: int = CLEARING_DEPTH) -> bool:
        terms: list[tuple[Flat, Fraction]] = []
        for flat, c in p.items():
            terms.extend((f, d) for f, d in self.simplify(flat, c, hypotheses).items())
        terms = list(_collect(terms).items())
        while terms:
            group = self._cancelling_group(terms, hypotheses)
            if group is None:
                left = dict(terms)
                if depth and self._clear_and_retry(left, hypotheses, depth):
                    return True
                self.residual = left
                return False
            terms = [t for t in terms if t[0] not in group]
        return True

    def _cancelling_group(self, terms: list[tuple[Flat, Fraction]], hypotheses: Hypotheses) -> set[Flat] | None:
        """Terms equal up to their coefficients and guards whose guarded coefficients add up to 0."""
        for base, _ in sorted(terms, key=lambda t: (len(t[0].guards), _digests(t[0]))):
            group: list[tuple[Flat, Fraction, list[Condition]]] = []
            for flat, c in terms:
                guards = self.match(flat, base, hypotheses)
                if guards is not None:
                    group.append((flat, c, guards))
            if len({c > 0 for _, c, _ in group}) < 2:
                continue  # terms of one sign cannot cancel
            context = hypotheses + ranges(base.binders)
            if self.solver.guards_cancel(context, [(c, g) for _, c, g in group]):
                return {flat for flat, _, _ in group}
        return None

    def _clear_and_retry(self, p: Polynomial, hypotheses: Hypotheses, depth: int) -> bool:
        denominators = {a.args[0]: None for f in p for a, _ in f.monomial
                        if a.op == "reciprocal" and not free_variables(a) & {n for n, _ in f.binders}}
        roots = {a: None for f in p for a, e in f.monomial
                 if e < 0 and not free_variables(a) & {n for n, _ in f.binders}}
        for d in [*denominators, *roots]:
            cleared = self._multiplied_by(d, p, hypotheses, root=d in roots)
            if cleared is not None and self.is_zero(cleared, hypotheses, depth - 1):
                return True
        return False

    def _multiplied_by(self, d: Scalar, p: Polynomial, hypotheses: Hypotheses, root: bool) -> Polynomial | None:
        """p times the smallest power of d that leaves no 1/d (atoms with a negative power: d itself is the atom)."""
        def is_denominator(a: Scalar) -> bool:
            if root:
                return a == d
            return a.op == "reciprocal" and (a.args[0] == d or self.equal_terms_quietly(a.args[0], d, hypotheses))

        exponents = {f: sum(-e if root else e for a, e in f.monomial if is_denominator(a)) for f in p}
        highest = max(exponents.values())
        with_d = [f for f, e in exponents.items() if e > 0]
        others = [f for f, e in exponents.items() if e <= 0]
        if highest <= 0 or not all(self._is_read_wherever(f, with_d, hypotheses) for f in others):
            return None
        factor = of_atom(d) if root else self.normal_form(d)
        result: Polynomial = {}
        for f, c in p.items():
            rest = f._replace(monomial=tuple((a, e) for a, e in f.monomial if not is_denominator(a)))
            result = add(result, multiply({rest: c}, power(factor, highest - exponents[f])))
        return result

    def _is_read_wherever(self, f: Flat, with_d: Sequence[Flat], hypotheses: Hypotheses) -> bool:
        """Is the denominator read, and so not 0, wherever f counts?

        It is where some term h that contains it has no guard that those of f do not imply, and no empty sum around it.
        """
        known = (*hypotheses, *ranges(f.binders), *f.guards)

        def reads(h: Flat) -> bool:
            own = {n for n, e in h.binders if (n, e) not in f.binders}  # a shared one: at the index at which f counts
            return not any(free_variables(t) & own for t in (*h.guards, *(e for _, e in h.binders))) and all(
                g in f.guards or self.proved(known, g) for g in h.guards) and all(
                self.proved(known, e >= 1) for n, e in h.binders if n in own)

        return any(map(reads, with_d))

    def equal_terms_quietly(self, a: Scalar, b: Scalar, hypotheses: Hypotheses) -> bool:
        kept = self.residual
        try:
            return self.is_zero(add(self.normal_form(a), self.normal_form(b), -1), hypotheses, depth=0)
        finally:
            self.residual = kept

    def simplified_arguments(self, t: Scalar, hypotheses: Sequence[Condition]) -> Scalar:
        """t with the arguments of its functions simplified, inner ones first, where no sum binds what they mention."""
        bound = {x.args[0] for x in subterms(t) if x.op == "sum"}

        def step(x: Term) -> Term | None:
            if x.op != "function" or free_variables(x) & bound:
                return None
            argument: Polynomial = {}
            for flat, c in self.normal_form(replace(x.args[1], step)).items():
                for f, d in self.simplify(flat, c, tuple(hypotheses)).items():
                    argument = add(argument, {numbered(f): d})  # equal up to bound names is equal
            return function(x.args[0], to_term(argument))

        return replace(t, step)

    # ------------------------------------------------------------ matching up to bound names
    def match(self, t: Flat, base: Flat, hypotheses: Hypotheses) -> list[Condition] | None:
        """Guards of t in base's names, if t's monomial is base's wherever they hold, else None."""
        if len(t.binders) != len(base.binders) or _heads(t.monomial) != _heads(base.monomial):
            return None
        for k, targets in enumerate(self._pairings(t, base)):
            renaming = {name: variable(new) for (name, _), (new, _) in zip(t.binders, targets, strict=True)}
            own = tuple((new, substitute(e, renaming)) for (_, e), (new, _) in zip(t.binders, targets, strict=True))
            other = [(v, e, f) for (v, e), (_, f) in zip(own, targets, strict=True)
                     if not self._same_index(e, f, hypotheses)]
            guards = [substitute(g, renaming) for g in t.guards]
            if other:  # Σ_{v<E} [G] = Σ_{v<F} [G and v < E] where G implies v < F; tried in one order only
                if k > 0 or not self.proved((*hypotheses, *ranges(own), *guards), conjunction(
                        [variable(v) < f for v, _, f in other])):
                    continue
                guards += [variable(v) < e for v, e, _ in other]
            context = hypotheses + ranges(base.binders) + tuple(guards)
            if self._same_monomial(substitute_monomial(t.monomial, renaming), base.monomial, context):
                return guards
        return None

    def _pairings(self, t: Flat, base: Flat) -> Iterator[Binders]:
        """Orders of base's binders to try for those of t: first those in which each binder is used alike."""
        used, wanted = self._uses(base), self._uses(t)
        alike = [[k for k, use in enumerate(used) if use == want] for want in wanted]

        def extend(chosen: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
            if len(chosen) == len(alike):
                yield chosen
            else:
                for k in alike[len(chosen)]:
                    if k not in chosen:
                        yield from extend((*chosen, k))

        tried = set()
        for order in islice(extend(()), MOST_PAIRINGS):
            tried.add(order)
            yield tuple(base.binders[k] for k in order)
        if len(t.binders) <= MAX_BINDERS_TO_PERMUTE:
            for order in permutations(range(len(t.binders))):
                if order not in tried:
                    yield tuple(base.binders[k] for k in order)

    def _uses(self, t: Flat) -> list[Any]:
        """For each binder its extent and how the atoms use it, the same whatever the bound names are."""
        if t not in self._known_uses:
            bound = {name for name, _ in t.binders}
            self._known_uses[t] = [
                (fingerprint(extent, bound, name),
                 sorted((fingerprint(a, bound, name), e) for a, e in t.monomial if name in free_variables(a)))
                for name, extent in t.binders]
        return self._known_uses[t]

    def _same_index(self, a: Index, b: Index, hypotheses: Sequence[Condition]) -> bool:
        return canonical(a) == canonical(b) or self.proved(hypotheses, equal(a, b))

    def _same_monomial(self, p: Monomial, q: Monomial, hypotheses: Hypotheses) -> bool:
        if not p:
            return not q
        (a, e), rest = p[0], p[1:]
        return any(e == f and self._same_atom(a, b, hypotheses)
                   and self._same_monomial(rest, q[:i] + q[i + 1:], hypotheses)
                   for i, (b, f) in enumerate(q))

    def _same_atom(self, a: Scalar, b: Scalar, hypotheses: Hypotheses) -> bool:
        if a == b:
            return True
        if a.op != b.op or (a.op in ("access", "function") and a.args[0] != b.args[0]):
            return False
        if a.op == "access":
            return all(self._same_index(x, y, hypotheses) for x, y in zip(a.args[1:], b.args[1:], strict=True))
        if a.op == "integer":
            return self._same_index(a.args[0], b.args[0], hypotheses)
        if a.op in ("function", "reciprocal"):
            return self.equal_terms_quietly(a.args[-1], b.args[-1], hypotheses)
        return False

    # ------------------------------------------------------------ simplification
    def simplify(self, flat: Flat, c: Fraction, hypotheses: Hypotheses) -> Polynomial:
        """An equal polynomial, simpler where the rules apply; {} where the guards contradict."""
        binders, guards, monomial = flat.binders, conjunct_guards(flat.guards), flat.monomial
        if FALSE in guards:
            return {}
        binders, guards, monomial = self._eliminate_deltas(binders, guards, monomial, hypotheses)
        kept = self._necessary_guards(binders, guards, hypotheses)
        if kept is None:
            return {}
        binders, guards, monomial = self._absorb_ranges(binders, kept, monomial, hypotheses)
        monomial = self._apply_congruence(binders, guards, monomial, hypotheses)
        binders, extents = self._constant_sums(binders, guards, monomial, hypotheses)
        result: Polynomial = {Flat(binders, sort_guards(guards), monomial): c}
        for extent in extents:
            result = multiply(result, self.normal_form(to_scalar(extent)))
        return self._cancel_sums(result, hypotheses)

    def _eliminate_deltas(self, binders: Binders, guards: list[Condition], monomial: Monomial,
                          hypotheses: Hypotheses) -> tuple[Binders, list[Condition], Monomial]:
        again = True
        while again:
            again = False
            context = hypotheses + ranges(binders) + tuple(guards)
            for divided, (name, extent) in product((False, True), sorted(binders, key=lambda b: b[1].digest)):
                candidates = [w for g in guards for h in disjuncts(g) for w in witnesses(h, name, guards)]
                if _is_equated(extent, hypotheses):
                    candidates.append(to_index(0))  # a hypothesis may say that the extent is 1
                witness = next((w for w in candidates if name not in free_variables(w) and _has_division(w) == divided
                                and self.proved(context, equal(variable(name), w))), None)
                if witness is None or any(name in free_variables(e) for _, e in binders):
                    continue
                value = {name: canonical(witness)}
                binders = tuple(b for b in binders if b[0] != name)
                guards = conjunct_guards((*(substitute(g, value) for g in guards), in_range(value[name], extent)))
                monomial = substitute_monomial(monomial, value)
                again = True
                break
        return binders, guards, monomial

    def _necessary_guards(self, binders: Binders, guards: list[Condition],
                          hypotheses: Hypotheses) -> list[Condition] | None:
        context = hypotheses + ranges(binders)
        i = 0
        while i < len(guards):
            if self.proved((*context, *guards[:i], *guards[i + 1:]), guards[i]):
                del guards[i]
            else:
                i += 1
        return None if guards and self.proved((*context, *guards), FALSE) else guards

    def _absorb_ranges(self, binders: Binders, guards: list[Condition], monomial: Monomial,
                       hypotheses: Hypotheses) -> tuple[Binders, list[Condition], Monomial]:
        for name, _ in binders:
            for g in list(guards):
                bound = _interval_bound(g, name)
                if bound is None or g not in guards:
                    continue
                below, rest = bound
                if free_variables(rest) & {n for n, _ in binders}:
                    continue
                extent = dict(binders)[name]
                others = (*hypotheses, *ranges([b for b in binders if b[0] != name]),
                          *(h for h in guards if name not in free_variables(h)))
                if any(name in free_variables(e) for _, e in binders):
                    continue
                if not below and self.proved(others, in_range(rest + 1, extent + 1)):  # v <= rest
                    binders = tuple((n, canonical(rest + 1)) if n == name else (n, e) for n, e in binders)
                    guards.remove(g)
                elif below and self.proved(others, in_range(rest, extent + 1)):  # v >= rest: shift by rest
                    guards.remove(g)
                    shift = {name: variable(name) + rest}
                    binders = tuple((n, canonical(e - rest)) if n == name else (n, e) for n, e in binders)
                    guards = conjunct_guards(tuple(substitute(h, shift) for h in guards))
                    monomial = substitute_monomial(monomial, shift)
        return binders, guards, monomial

    def _apply_congruence(self, binders: Binders, guards: list[Condition], monomial: Monomial,
                          hypotheses: Hypotheses) -> Monomial:
        bound = {name for name, _ in binders}
        context = hypotheses + ranges(binders) + tuple(guards)
        for g in guards:
            if g.op != "index==" or _has_division(g):
                continue
            for name in sorted(free_variables(g) - bound, reverse=True):
                w = next((w for w in witnesses(g, name, []) if name not in free_variables(w) and not _has_division(w)
                          and not free_variables(w) & bound), None)
                if w is not None and self.proved(context, equal(variable(name), w)):
                    monomial = substitute_monomial(monomial, {name: w})
                    break
        return monomial

    def _constant_sums(self, binders: Binders, guards: list[Condition], monomial: Monomial,
                       hypotheses: Hypotheses) -> tuple[Binders, list[Index]]:
        divides = any(a.op == "reciprocal" or e < 0 for a, e in monomial)
        least = 1 if divides else 0  # a divisor is read only if there is a term
        used: set[str] = set().union(*(free_variables(g) for g in guards), *(free_variables(a) for a, _ in monomial))
        extents = []
        for name, extent in binders:
            rest = tuple(b for b in binders if b[0] != name)
            if name in used | set().union(*(free_variables(e) for _, e in rest)):
                continue
            if free_variables(extent) & {n for n, _ in rest}:
                continue  # the factor would leave the sum that binds it
            if self.proved((*hypotheses, *ranges(rest), *guards), extent >= least):
                binders = rest
                extents.append(extent)
        return binders, extents

    def _cancel_sums(self, p: Polynomial, hypotheses: Hypotheses) -> Polynomial:
        if len(p) != 1:
            return p
        (flat, c), = p.items()
        for atom, e in flat.monomial:
            if atom.op != "reciprocal" or e < 1 or not flat.binders:
                continue
            z = self.normal_form(atom.args[0])
            if len(z) != 1:
                continue
            (z_flat, z_c), = z.items()
            simplified = self.simplify(z_flat, z_c, hypotheses)
            if len(simplified) != 1:
                continue
            (z_flat, z_c), = simplified.items()
            if len(z_flat.binders) != 1 or z_flat.guards:
                continue
            for name, extent in flat.binders:
                inside = tuple((a, k) for a, k in flat.monomial if name in free_variables(a))
                if (any(name in free_variables(g) for g in flat.guards)
                        or any(name in free_variables(x) for _, x in flat.binders)):
                    continue
                others = (*hypotheses, *ranges([b for b in flat.binders if b[0] != name]), *flat.guards)
                # without guards: with one it would be a part of z only
                if self.match(Flat(((name, extent),), (), inside), rename(z_flat), others) == []:
                    rest = tuple((a, k - (a == atom)) for a, k in flat.monomial
                                 if (a, k) not in inside and (a != atom or k > 1))
                    left = Flat(tuple(b for b in flat.binders if b[0] != name),  # over nothing the sum is 0, not 1
                                sort_guards((*flat.guards, extent >= 1)), rest)
                    return self.simplify(left, c / z_c, hypotheses)
        return p


def fingerprint(t: Term, bound: set[str], marked: str) -> int:
    """The same number for terms that differ in bound names and in the order of sums and products only.

    Untrusted: it orders what is tried.
    """
    inner = {x.args[0] for x in subterms(t) if x.op == "sum"}
    done: dict[Term, int] = {}

    def operands(op: str, x: Term) -> list[int]:
        return [i for a in x.args for i in (operands(op, a) if a.op == op else [go(a)])]

    def go(x: Any) -> int:
        if not isinstance(x, Term):
            return hash(x)
        if x not in done:
            if x.op == "variable":
                name = x.args[0]
                kind = "marked" if name == marked else "bound" if name in bound or name in inner else name
                done[x] = hash(kind)
            elif x.op in ("add", "mul", "+", "*", "and", "or", "index==", "value=="):
                done[x] = hash((x.op, *sorted(operands(x.op, x))))
            else:
                done[x] = hash((x.op, *map(go, x.args[1:] if x.op == "sum" else x.args)))
        return done[x]

    return go(t)


def disjuncts(c: Condition) -> list[Condition]:
    return [d for a in c.args for d in disjuncts(a)] if c.op == "or" else [c]


def numbered(flat: Flat) -> Flat:
    """The same sum with its bound names numbered in order."""
    number = count()
    return rename(flat, lambda _: f"k#{next(number)}:")


def _collect(terms: list[tuple[Flat, Fraction]]) -> Polynomial:
    r: Polynomial = {}
    for f, c in terms:
        r = add(r, {f: c})
    return r


def _is_equated(extent: Index, hypotheses: Hypotheses) -> bool:
    return any(h.op == "index==" and free_variables(h) & free_variables(extent) for h in hypotheses)


def _digests(f: Flat) -> list[bytes]:
    return [a.digest for a, _ in f.monomial] + [g.digest for g in f.guards]


def _heads(m: Monomial) -> list[tuple[str, str, int]]:
    return sorted((a.op, a.args[0] if a.op in ("access", "function") else "", e) for a, e in m)


def _has_division(t: Term) -> bool:
    return any(x.op in ("//", "%") for x in subterms(t))


def _interval_bound(g: Condition, name: str) -> tuple[bool, Index] | None:
    """(True, e) for a guard e <= v, (False, e) for v <= e, None for anything else."""
    if g.op != "index<=" or name not in free_variables(g):
        return None
    p = index_polynomial(g.args[1] - g.args[0])  # p >= 0
    v = variable(name)
    if any(name in free_variables(f) and f != v for m in p for f in m):
        return None
    if [m for m in p if v in m] != [(v,)] or abs(p[(v,)]) != 1:
        return None
    rest = {m: c for m, c in p.items() if m != (v,)}
    return (True, from_polynomial(negate(rest))) if p[(v,)] == 1 else (False, from_polynomial(rest))


def witnesses(g: Condition, name: str, guards: Sequence[Condition]) -> Iterator[Index]:
    """Candidates for the value of `name` under an equality guard. Untrusted: each is checked by the solver."""
    if g.op != "index==":
        return
    v = variable(name)
    p = index_polynomial(g.args[0] - g.args[1])
    inside = [m for m in p if any(name in free_variables(f) and f != v for f in m)]
    linear = [m for m in p if v in m]
    if not inside and linear:
        factor = {tuple(f for i, f in enumerate(m) if i != m.index(v)): p[m] for m in linear}
        rest = negate({m: c for m, c in p.items() if m not in linear})
        if any(v in m for m in factor):
            return
        if list(factor) == [()] and abs(factor[()]) == 1:
            yield from_polynomial(rest if factor[()] == 1 else negate(rest))
        else:
            if all(c < 0 for c in factor.values()):  # the same quotient whichever way round the equality stands
                rest, factor = negate(rest), negate(factor)
            yield from_polynomial(rest) // from_polynomial(factor)
            yield from_polynomial(negate(rest)) // from_polynomial(negate(factor))
    for m in inside:  # x // c = a, perhaps with x % c = b:  x = a c + b
        if len(m) != 1 or m[0].op != "//" or abs(p[m]) != 1:
            continue
        others = {k: c for k, c in p.items() if k != m}
        a = from_polynomial(negate(others) if p[m] == 1 else others)
        x, c = m[0].args
        remainder = canonical(x % c)
        known = [h.args[1 - i] for h in guards if h.op == "index==" for i in (0, 1)
                 if canonical(h.args[i]) == remainder]
        for b in [*known, to_index(0)]:
            yield from witnesses(equal(x, a * c + b), name, guards)


__all__ = ["Rewriter", "UNIT", "ranges", "witnesses"]
