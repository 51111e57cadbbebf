"""TRUSTED. The lemmas that the prover uses, each proved by z3: sums by induction (base and step), integers directly.

A sum is its partial sums: s(0) = 0 and s(k+1) = s(k) + f(k). Induction over the naturals is the only thing that z3 does
not do here; that base and step give the lemma for every n >= 0 is the one step that is trusted.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from .index_algebra import canonical, from_polynomial, index_polynomial
from .obligations import Obligation, Outcome, Verdict
from .solver import check
from .terms import Condition, Index, equal, in_range, subterms

DECLARATIONS = """
(declare-fun f (Int) Real) (declare-fun g (Int) Real) (declare-fun h (Int) Real) (declare-fun guard (Int) Bool)
(declare-fun sf (Int) Real) (declare-fun sg (Int) Real) (declare-fun sh (Int) Real) (declare-fun st (Int) Real)
(declare-fun rows (Int) Real) (declare-fun a (Int) Real) (declare-fun b (Int) Real)
(declare-fun x (Int) Real) (declare-fun best (Int) Int) (declare-fun real (Int) Bool)
(declare-const n Int) (declare-const m Int) (declare-const e Int) (declare-const c Real)
(declare-const k Int) (declare-const r Int) (declare-const q Int)
(declare-const u Int) (declare-const v Int) (declare-const w Int) (declare-const first Int)
"""
ZERO = "(= (sf 0) 0.0) (= (sg 0) 0.0) (= (sh 0) 0.0) (= (st 0) 0.0)"


def unfold(s: str, f: str, at: str = "n") -> str:
    return f"(= (s{s} (+ {at} 1)) (+ (s{s} {at}) {f}))"


@dataclass(frozen=True)
class Induction:
    """goal(n) for every n >= 0: `base` implies goal(0), `step` and goal(n) imply goal(n + 1)."""

    name: str
    claim: str
    goal: Callable[[str], str]
    base: str
    step: str

    def queries(self) -> list[str]:
        first = f"{DECLARATIONS}(assert (and true {self.base}))(assert (not {self.goal('0')}))"
        then = (f"{DECLARATIONS}(assert (>= n 0))(assert (and true {self.step}))(assert {self.goal('n')})"
                f"(assert (not {self.goal('(+ n 1)')}))")
        return [first, then]

    def hypotheses(self) -> list[str]:
        return [f"{DECLARATIONS}(assert (and true {self.base}))",
                f"{DECLARATIONS}(assert (>= n 0))(assert (and true {self.step}))(assert {self.goal('n')})"]


@dataclass(frozen=True)
class Arithmetic:
    """An implication over the integers, in one query."""

    name: str
    claim: str
    hypotheses_text: str
    goal_text: str

    def queries(self) -> list[str]:
        return [f"{DECLARATIONS}(assert (and true {self.hypotheses_text}))(assert (not {self.goal_text}))"]

    def hypotheses(self) -> list[str]:
        return [f"{DECLARATIONS}(assert (and true {self.hypotheses_text}))"]


def _forall(t: str, fact: str) -> str:
    return f"(forall ((j Int)) (=> (and (<= 0 j) (< j {t})) {fact}))"


LEMMAS: tuple[Induction | Arithmetic, ...] = (
    Induction("add", "Σ (f + g) = Σ f + Σ g", lambda t: f"(= (sh {t}) (+ (sf {t}) (sg {t})))", ZERO,
              f"{unfold('f', '(f n)')} {unfold('g', '(g n)')} {unfold('h', '(h n)')} (= (h n) (+ (f n) (g n)))"),
    Induction("scale", "Σ c f = c Σ f", lambda t: f"(= (sh {t}) (* c (sf {t})))", ZERO,
              f"{unfold('f', '(f n)')} {unfold('h', '(h n)')} (= (h n) (* c (f n)))"),
    Induction("constant", "Σ_{k<N} 1 = N", lambda t: f"(= (sf {t}) (to_real {t}))", ZERO, unfold("f", "1.0")),
    Induction("congruence", "f = g on [0, N) implies Σ f = Σ g",
              lambda t: f"(=> {_forall(t, '(= (f j) (g j))')} (= (sf {t}) (sg {t})))", ZERO,
              f"{unfold('f', '(f n)')} {unfold('g', '(g n)')}"),
    Induction("delta", "if guard(k) forces k = e then Σ_{k<N} [guard(k)] f(k) = [0 ≤ e < N] [guard(e)] f(e)",
              lambda t: f"(=> (<= {t} m) (= (sh {t}) (ite (and (<= 0 e) (< e {t}) (guard e)) (f e) 0.0)))", ZERO,
              f"{unfold('h', '(ite (guard n) (f n) 0.0)')} (=> (and (guard n) (< n m)) (= n e))"),
    Induction("exchange",
              "Σ_i Σ_j f(i, j) = Σ_j Σ_i f(i, j), where Σ_j (s(j) + f(n, j)) = Σ_j s(j) + Σ_j f(n, j) is lemma add",
              lambda t: f"(= (a {t}) (b {t}))", "(= (a 0) 0.0) (= (b 0) 0.0)",
              "(= (a (+ n 1)) (+ (a n) (rows n))) (= (b (+ n 1)) (+ (b n) (rows n)))"),
    Induction("shift", "Σ_{k<M+N} f(k) = Σ_{k<M} f(k) + Σ_{k<N} f(M + k)",
              lambda t: f"(= (sf (+ m {t})) (+ (sf m) (st {t})))", ZERO,
              f"{unfold('f', '(f (+ m n))', '(+ m n)')} (= (sf (+ m (+ n 1))) (sf (+ (+ m n) 1))) "
              f"{unfold('t', '(f (+ m n))')}"),
    Induction("positive", "f > 0 on [0, N) and N > 0 imply Σ f > 0",
              lambda t: f"(=> {_forall(t, '(> (f j) 0.0)')} (and (>= (sf {t}) 0.0) (=> (> {t} 0) (> (sf {t}) 0.0))))",
              ZERO, unfold("f", "(f n)")),
    Induction("first_argmax", "among finitely many candidates, one of them real, there is a first best one: no real "
              "one before it is as good, none after it is better",
              lambda t: ("(=> (exists ((i Int)) (and (<= 0 i) (< i T) (real i))) (and (<= 0 (best T)) (< (best T) T) "
                         "(real (best T)) (forall ((j Int)) (=> (and (<= 0 j) (< j T) (real j)) (and "
                         "(<= (x j) (x (best T))) (=> (< j (best T)) (< (x j) (x (best T)))))))))").replace("T", t),
              "", "(= (best (+ n 1)) (ite (and (real n) (or (not (exists ((i Int)) (and (<= 0 i) (< i n) (real i)))) "
                  "(< (x (best n)) (x n)))) n (best n)))"),
    Arithmetic("division", "c > 0 implies x = c (x // c) + x mod c and 0 ≤ x mod c < c", "(> q 0)",
               "(and (= u (+ (* q (div u q)) (mod u q))) (<= 0 (mod u q)) (< (mod u q) q))"),
    Arithmetic("quotient", "c > 0 and 0 ≤ b < c imply (a c + b) // c = a and (a c + b) mod c = b",
               "(> q 0) (<= 0 r) (< r q)", "(and (= (div (+ (* u q) r) q) u) (= (mod (+ (* u q) r) q) r))"),
    Arithmetic("below", "c > 0, 0 ≤ b < c and a < d imply a c + b < d c", "(> q 0) (<= 0 r) (< r q) (< u v)",
               "(< (+ (* u q) r) (* v q))"),
    Arithmetic("quotient_below", "c > 0 and 0 ≤ x < d c imply 0 ≤ x // c < d", "(> q 0) (<= 0 u) (< u (* v q))",
               "(and (<= 0 (div u q)) (< (div u q) v))"),
    # row_major, by induction on the rank. An element of rank r+1 is (u, rest); `rest` has the row-major position k < q,
    # where q is the product of the remaining extents, and by hypothesis position and indices of the rest are inverse.
    Arithmetic("row_major-rank0", "rank 0: the only position is 0, below the empty product 1", "(= k 0)",
               "(and (<= 0 k) (< k 1))"),
    Arithmetic("row_major-step", "row-major position and indices are inverse at rank r + 1 if they are at rank r",
               "(> q 0) (<= 0 u) (< u v) (<= 0 k) (< k q)",
               "(and (<= 0 (+ (* u q) k)) (< (+ (* u q) k) (* v q)) "
               "(= (div (+ (* u q) k) q) u) (= (mod (+ (* u q) k) q) k))"),
    Arithmetic("row_major-back", "and the indices of a position give the position back",
               "(> q 0) (<= 0 u) (< u (* v q))",
               "(and (= (+ (* (div u q) q) (mod u q)) u) "
               "(<= 0 (div u q)) (< (div u q) v) (<= 0 (mod u q)) (< (mod u q) q))"),
)


def prove(lemma: Induction | Arithmetic) -> Outcome:
    """All queries unsat, and no hypothesis contradictory."""
    texts = lemma.queries()
    for text in texts:
        answer = check(text)
        if answer != "unsat":
            verdict = Verdict.UNKNOWN if answer == "unknown" else Verdict.REFUTED
            return Outcome(verdict, f"{verdict}  lemma[{lemma.name}]\n\n  {lemma.claim}", smtlib=text)
    for text in lemma.hypotheses():
        if check(text) == "unsat":
            return Outcome(Verdict.VACUOUS, f"VACUOUS  lemma[{lemma.name}]\n\n  the hypotheses contradict", smtlib=text)
    return Outcome(Verdict.PROVED, data={"queries": len(texts)}, smtlib="\n; next query\n".join(texts))


def obligations() -> Iterator[Obligation]:
    for lemma in LEMMAS:
        yield Obligation("lemma", "", lemma.name.replace("_", "-"), lemma.claim,
                         "all N (base and step)" if isinstance(lemma, Induction) else "all integers",
                         partial(prove, lemma))


# ---------------------------------------------------------------- instances for the solver
def division_instances(conditions: Sequence[Condition]) -> list[Condition]:
    """Instances of the integer lemmas for the quotients and remainders that occur: always true, so assumed freely."""
    found: dict[Condition, None] = {}
    divisions = {(t.args[0], t.args[1]): None for c in conditions for t in subterms(c) if t.op in ("//", "%")}
    for x, c in sorted(divisions, key=lambda p: (p[0].digest, p[1].digest)):
        positive = c >= 1
        found[_implies([positive], equal(x, c * (x // c) + x % c) & in_range(x % c, c))] = None
        split = _split(x, c)
        if split is not None:
            a, b = split
            found[_implies([positive, in_range(b, c)], equal(x // c, a) & equal(x % c, b))] = None
    return list(found)


def _implies(conditions: Sequence[Condition], goal: Condition) -> Condition:
    result = goal
    for c in conditions:
        result = ~c | result
    return result


def _split(x: Index, c: Index) -> tuple[Index, Index] | None:
    """x = a c + b with a as large as the shape of the polynomial shows, where c is a product."""
    divisor = index_polynomial(canonical(c))
    if len(divisor) != 1:
        return None
    (factors, coefficient), = divisor.items()
    if coefficient != 1 or not factors:
        return None
    multiple, rest = {}, {}
    for m, k in index_polynomial(x).items():
        left = list(m)
        try:
            for f in factors:
                left.remove(f)
            multiple[tuple(left)] = k
        except ValueError:
            rest[m] = k
    return (from_polynomial(multiple), from_polynomial(rest)) if multiple else None
