"""Each lemma is proved, and each with its statement broken is not."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest

from gradproof_spec import lemmas
from gradproof_spec.evaluate import DivisionByZero, Environment
from gradproof_spec.lemmas import LEMMAS, Arithmetic, Induction, division_instances, prove
from gradproof_spec.obligations import Verdict
from gradproof_spec.op import Op
from gradproof_spec.solver import check
from gradproof_spec.terms import Condition, Index, equal, in_range, to_index, variable

BY_NAME = {lemma.name: lemma for lemma in LEMMAS}


@pytest.mark.parametrize("name", BY_NAME)
def test_every_lemma_is_proved(name):
    assert prove(BY_NAME[name]).verdict == Verdict.PROVED


@pytest.mark.parametrize("name", BY_NAME)
def test_hypotheses_are_satisfiable(name):
    """z3 gives a model, not merely "not unsat" (with quantifiers it may give up: then it must not say unsat)."""
    for text in BY_NAME[name].hypotheses():
        answer = check(text)
        assert answer == "sat" or (answer == "unknown" and "forall" in text + "exists"), name


# (lemma, field, what, by what): a hypothesis dropped, < for <=, another index
BROKEN = [
    ("add", "step", "(= (h n) (+ (f n) (g n)))", ""),
    ("add", "step", "(+ (sg n) (g n))", "(+ (sg n) (f n))"),
    ("scale", "step", "(= (h n) (* c (f n)))", "(= (h n) (+ c (f n)))"),
    ("scale", "base", "(= (sh 0) 0.0)", ""),
    ("constant", "step", "1.0", "2.0"),
    ("constant", "base", "(= (sf 0) 0.0)", ""),
    ("congruence", "goal", "(<= 0 j) (< j", "(< 0 j) (< j"),
    ("congruence", "step", "(g n)", "(g (+ n 1))"),
    ("delta", "step", "(=> (and (guard n) (< n m)) (= n e))", ""),
    ("delta", "step", "(= n e)", "(<= n e)"),
    ("delta", "goal", "(<= 0 e) (< e", "(<= 0 e) (<= e"),
    ("delta", "goal", " (guard e)", ""),
    ("delta", "goal", "(=> (<= {t} m)", "(=> (<= {t} (+ m 1))"),
    ("exchange", "step", "(= (b (+ n 1)) (+ (b n) (rows n)))", "(= (b (+ n 1)) (+ (b n) (rows (+ n 1))))"),
    ("exchange", "base", "(= (b 0) 0.0)", ""),
    ("shift", "step", "(+ (st n) (f (+ m n)))", "(+ (st n) (f n))"),
    ("shift", "base", "(= (st 0) 0.0)", ""),
    ("positive", "goal", "(> (f j) 0.0)", "(>= (f j) 0.0)"),
    ("positive", "goal", "(=> (> {t} 0)", "(=> (>= {t} 0)"),
    ("first_argmax", "step", "(< (x (best n)) (x n))", "(<= (x (best n)) (x n))"),
    ("first_argmax", "step", "(and (real n) (or", "(and true (or"),
    ("first_argmax", "goal", "(<= 0 i) (< i {t}) (real i)", "true"),
    ("division", "hypotheses_text", "(> q 0)", "(>= q 0)"),
    ("division", "goal_text", "(< (mod u q) q)", "(< (mod u q) (- q 1))"),
    ("quotient", "hypotheses_text", "(< r q)", "(<= r q)"),
    ("quotient", "hypotheses_text", "(<= 0 r)", ""),
    ("below", "hypotheses_text", "(< u v)", "(<= u v)"),
    ("below", "hypotheses_text", "(< r q)", "(<= r q)"),
    ("quotient_below", "hypotheses_text", "(< u (* v q))", "(<= u (* v q))"),
    ("quotient_below", "hypotheses_text", "(<= 0 u)", ""),
    ("row_major-rank0", "hypotheses_text", "(= k 0)", ""),
    ("row_major-step", "hypotheses_text", "(< k q)", "(<= k q)"),
    ("row_major-step", "hypotheses_text", "(< u v)", ""),
    ("row_major-step", "goal_text", "(* v q)", "(* v (- q 1))"),
    ("row_major-back", "hypotheses_text", "(<= 0 u)", ""),
    ("row_major-back", "hypotheses_text", "(< u (* v q))", "(<= u (* v q))"),
]


def broken(name: str, field: str, old: str, new: str) -> Induction | Arithmetic:
    lemma = BY_NAME[name]
    if field == "goal":
        assert isinstance(lemma, Induction)
        assert old in lemma.goal("{t}"), f"{name} no longer says {old}"
        return replace(lemma, goal=lambda t: lemma.goal("{t}").replace(old, new).replace("{t}", t))
    text = getattr(lemma, field)
    assert old in text, f"{name} no longer says {old}: {text}"
    return replace(lemma, **{field: text.replace(old, new)})


def test_every_lemma_is_broken_somewhere():
    assert {name for name, *_ in BROKEN} == set(BY_NAME)


@pytest.mark.parametrize(
    ("name", "field", "old", "new"), BROKEN, ids=[f"{n}-{f}-{k}" for k, (n, f, _, _) in enumerate(BROKEN)]
)
def test_a_broken_lemma_is_not_proved(monkeypatch, name, field, old, new):
    monkeypatch.setattr(lemmas, "check", lambda text: check(text, rlimit=300_000))  # quantified: z3 may search for long
    assert prove(broken(name, field, old, new)).verdict in (Verdict.REFUTED, Verdict.UNKNOWN)


def test_most_broken_lemmas_are_refuted_not_merely_undecided(monkeypatch):
    monkeypatch.setattr(lemmas, "check", lambda text: check(text, rlimit=300_000))
    plain = [b for b in BROKEN if b[0] not in ("congruence", "positive", "first_argmax")]
    refuted = [b for b in plain if prove(broken(*b)).verdict == Verdict.REFUTED]
    assert len(refuted) >= len(plain) - 6, [b for b in plain if b not in refuted]


def test_contradictory_hypotheses_are_vacuous():
    lemma = BY_NAME["below"]
    assert prove(replace(lemma, hypotheses_text=lemma.hypotheses_text + " (< u 0) (> u 0)")).verdict == Verdict.VACUOUS
    summed = BY_NAME["add"]
    assert prove(replace(summed, step=summed.step + " (< (h n) (h n))")).verdict == Verdict.VACUOUS


# ---------------------------------------------------------------- the lemmas on numbers
def test_sums_on_numbers():
    """delta, shift, exchange and first_argmax said again in Python, on random lists."""
    rng = random.Random(2)
    for _ in range(300):
        n, m = rng.randint(0, 6), rng.randint(0, 4)
        f = [Fraction(rng.randint(-4, 4)) for _ in range(n + m)]
        assert sum(f) == sum(f[:m]) + sum(f[m + k] for k in range(n))
        e = rng.randint(-2, n + m + 1)
        inside = 0 <= e < n + m
        assert sum(x for k, x in enumerate(f) if k == e) == (f[e] if inside else 0)
        best = -1
        real = [rng.random() < 0.7 for _ in f]
        for k, x in enumerate(f):
            if real[k] and (best < 0 or f[best] < x):
                best = k
        candidates = [(x, -k) for k, x in enumerate(f) if real[k]]
        assert best == (-max(candidates)[1] if candidates else -1)


# ---------------------------------------------------------------- instances given to the solver
U, V, W = (variable(n) for n in "uvw")


def nested(rng: random.Random, depth: int) -> Index:
    if depth == 0:
        return rng.choice([U, V, W, to_index(rng.randint(-3, 3))])
    a, b = nested(rng, depth - 1), nested(rng, depth - 1)
    return rng.choice(
        [
            lambda: a + b,
            lambda: a * b,
            lambda: a // b,
            lambda: a % b,
            lambda: U * V + W,
            lambda: (U * V + b) // V,
            lambda: (U * V * W + a * V + b) // (V * W),
            lambda: (U * V + W) % V,
        ]
    )()


def test_division_instances_are_true_on_integers():
    """Negative numerators and divisors included: an instance says nothing where the divisor is not positive."""
    rng, tried, informative = random.Random(11), 0, 0
    case = Op("numbers", "x[I] -> y[I]").cases[0]
    for _ in range(150):
        conditions: list[Condition] = [equal(nested(rng, 2), nested(rng, 2)), in_range(nested(rng, 1), W)]
        instances = division_instances(conditions)
        for _ in range(8):
            sizes = {n: rng.randint(-7, 7) for n in "uvw"} | {"I": 1}
            if 0 in (sizes["u"], sizes["v"], sizes["w"]):
                sizes |= {n: sizes[n] or 1 for n in "uvw"}
            for c in instances:
                try:
                    assert Environment(case, dict(sizes), {}).condition(c) is True, f"{c} at {sizes}"
                except DivisionByZero:
                    continue
                tried += 1
                informative += c.op == "or"
    assert tried >= 1500, f"{tried} instances evaluated"
    assert informative >= 1000, f"{informative} with a hypothesis"


def test_a_product_is_split_off():
    """The instance that reshape needs: (a c + b) // c = a for 0 <= b < c."""
    instances = division_instances([equal((U * V + W) // V, U)])
    assert any("u = " in str(c) or "= u" in str(c) for c in instances)
    assert len(instances) == 2
