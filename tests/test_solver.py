"""The solver layer: what a query means, what an answer means, and a second opinion on every unsat."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
import z3

import gradproof_spec
from gradproof_spec import (
    any_shape,
    lemmas,
    ops,  # noqa: F401  registers every op
    solver,
)
from gradproof_spec.any_shape import Proof
from gradproof_spec.derivative import derivative
from gradproof_spec.op import OPS, Case
from gradproof_spec.solver import RLIMIT, Solver, check, check_with_cvc5
from gradproof_spec.terms import (
    FALSE,
    ONE,
    TRUE,
    Condition,
    Tensor,
    apply,
    equal,
    function,
    in_range,
    indicator,
    reciprocal,
    scalar_sum,
    to_index,
    variable,
    where,
)

A, B, C = (variable(n) for n in "abc")
X = Tensor("x")
SPEC = Path(gradproof_spec.__file__).parent


# ---------------------------------------------------------------- translation
def test_division_is_that_of_python_for_positive_divisors():
    """All a in [-9, 9], b in [1, 4]: what Python computes is the only value that the solver allows."""
    for a, b in product(range(-9, 10), range(1, 5)):
        given = [equal(A, a), equal(B, b)]
        exact = equal(A // B, a // b) & equal(A % B, a % b)
        assert Solver().valid(given, exact) is True
    assert Solver().valid([B >= 1], equal(A, B * (A // B) + A % B) & in_range(A % B, B)) is True
    assert Solver().valid([equal(A, -7), equal(B, 2)], equal(A // B, -3)) is False


def test_division_by_zero_or_a_negative_number_is_never_that_of_python_by_luck():
    """Nothing follows about x // 0; for negative divisors SMT-LIB rounds differently, so they must be excluded."""
    assert Solver().valid([equal(B, 0)], equal(A // B, 0)) is False
    assert Solver().valid([equal(A, -3), equal(B, -2)], equal(A // B, -3 // -2)) is False


def test_terms_mean_what_they_say():
    x, y = X[A], X[B]
    true = [
        (equal(A, B), equal(x, y)),
        (TRUE, equal(where(x > 0, x, -x), where(x >= 0, x, -x))),
        (x > y, equal(indicator(x > y) * x, x)),
        (TRUE, function("exp", x) > 0),
        (x >= 0, equal(function("sqrt", x) * function("sqrt", x), x)),
        (~equal(x, 0), equal(x * reciprocal(x), ONE)),
        (TRUE, (x < y) | (y < x) | equal(x, y)),
        (TRUE, equal(x + ONE / 3, (3 * x + 1) / 3)),
    ]
    false = [
        (TRUE, equal(x, y)),
        (TRUE, equal(x * reciprocal(x), ONE)),
        (TRUE, equal(function("sqrt", x) * function("sqrt", x), x)),
        (TRUE, function("log", x) > 0),
        (TRUE, (x < y) | (y < x)),
        (TRUE, equal(scalar_sum("k#1", A, X[variable("k#1")]), scalar_sum("k#1", B, X[variable("k#1")]))),
    ]
    assert [str(goal) for h, goal in true if Solver().valid([h], goal) is not True] == []
    assert [str(goal) for h, goal in false if Solver().valid([h], goal) is True] == []


def eps_is_positive(element):
    return element > 0 if element.args[0] == "eps" else TRUE


def test_what_is_known_of_a_tensor_is_known_of_no_other():
    eps = Tensor("eps")[()]
    assert Solver(known=eps_is_positive).valid([], eps > 0) is True
    assert Solver().valid([], eps > 0) is False
    assert Solver(known=eps_is_positive).valid([], X[A] > 0) is False


def test_axioms_hold_for_the_applications_that_occur():
    axioms = {"f": lambda i: [in_range(apply("f", i), C)]}
    assert Solver(axioms).valid([], apply("f", A) < C) is True
    assert Solver(axioms).valid([], apply("f", apply("f", A)) < C) is True
    assert Solver(axioms).valid([], apply("h", A) < C) is False


# ---------------------------------------------------------------- answers
HARD = [A >= 3, B >= 3, C >= 3, equal(A * A * A + B * B * B, C * C * C)]  # Fermat


def test_unknown_is_none_never_true():
    s = Solver(rlimit=2000)
    assert s.valid(HARD, FALSE) is None
    assert s.satisfiable(HARD) is None
    assert s.guards_cancel(HARD, [(ONE.args[0], [TRUE])]) is None
    assert s.unknowns >= 1


def test_an_answer_that_is_not_known_is_none(monkeypatch):
    for answer, verdict in (("unknown", None), ("timeout", None), ("", None), ("sat", False), ("unsat", True)):
        monkeypatch.setattr(solver, "check", lambda text, rlimit, answer=answer: answer)
        assert Solver().valid([A >= 0], B >= 0) is verdict


def test_a_malformed_query_is_an_error():
    with pytest.raises(z3.Z3Exception):
        check("(assert (= undeclared 1))")


def test_conjunctions_and_known_goals():
    s = Solver()
    assert s.valid([A >= 1], A >= 1) is True
    assert s.queries == 0
    assert s.valid([A >= 1], (A >= 1) & (A >= 2)) is False
    assert s.valid([FALSE], A >= 2) is True
    assert s.satisfiable([A >= 1, A <= 0]) is False


# ---------------------------------------------------------------- reproducible
def test_limits_are_resources_not_seconds():
    """No z3 query is limited by time; cvc5, which is never part of a verdict, is the one exception."""
    for path in sorted(SPEC.rglob("*.py")):
        text = path.read_text()
        assert not re.search(r"[\"'.]timeout[\"'(=]|set\(.timeout|soft_timeout|time_limit", text), path
    assert 'solver.set("rlimit", rlimit)' in (SPEC / "solver.py").read_text()
    users = {
        p.name for p in SPEC.rglob("*.py") if re.search(r"^\s*(import|from) (z3|cvc5)", p.read_text(), re.MULTILINE)
    }
    assert users == {"solver.py"}


def test_each_query_has_a_context_of_its_own(monkeypatch):
    made, contexts = [], z3.Context

    def context():
        made.append(contexts())
        return made[-1]

    monkeypatch.setattr(solver.z3, "Context", context)
    s = Solver()
    for n in range(3):
        assert s.valid([A >= n], A >= n - 1) is True
    assert len(made) == 3 == s.queries
    assert s.valid([A >= 0], A >= -1) is True
    assert len(made) == 3, "the same text is not asked twice"


def test_the_text_does_not_depend_on_what_was_asked_before():
    def text(s: Solver) -> str:
        return s.text([A >= 0, equal(X[A], 0)], lambda translate: f"(not {translate(apply('f', A) >= B)})")

    used = Solver()
    used.valid([C >= 0, function("exp", X[C]) > 0], B >= 0)
    assert text(Solver()) == text(used)


# ---------------------------------------------------------------- a second opinion
SAMPLE = (
    "matmul",
    "softmax",
    "conv",
    "gather_rows",
    "maximum",
    "max_pool",
    "log_softmax",
    "concat",
    "broadcast_to",
    "linear",
)
MOST_PER_OP = 30


def unsat_texts(case: Case) -> list[str]:
    """Every query that z3 answered with unsat in bounds, and in the comparison of the three kernels."""
    proof = Proof(case)
    proof.solver.unsat_texts = []
    walk = any_shape.BoundsWalk(proof)
    walk.scalar(case.jvp(proof.o), proof.at_output(), "jvp")
    for x, i, hypotheses in proof.inputs():
        walk.scalar(case.vjp(x, i), hypotheses, "vjp")
        k_d = derivative(case.forward(proof.o), x, i)
        k_j = derivative(case.jvp(proof.o), "d" + x, i)
        k_v = derivative(case.vjp(x, i), "g", proof.o)
        proof.rewriter.equal_terms(k_d, k_j, hypotheses)
        assert proof.rewriter.equal_terms(k_j, k_v, hypotheses)
    return proof.solver.unsat_texts


def test_cvc5_agrees_with_every_unsat():
    """cvc5 may give up, it must never find a model: a sample of ops and all lemmas."""
    texts = [q for lemma in lemmas.LEMMAS for q in lemma.queries()]
    for name in SAMPLE:
        found = unsat_texts(OPS[name].cases[-1])
        texts += found[:: 1 + len(found) // MOST_PER_OP]
    answers = [check_with_cvc5(text, limit_ms=400) for text in texts]
    counts = {a: answers.count(a) for a in sorted(set(answers))}
    disagreements = [t for t, a in zip(texts, answers, strict=True) if a == "sat"]
    assert disagreements == [], f"{counts}\n\n{disagreements[0]}"
    assert counts["unsat"] >= 0.9 * len(texts) >= 90, f"cvc5: {counts}"


def test_cvc5_is_not_deaf():
    """It finds the models of satisfiable queries, so that its agreement means something."""
    assert check_with_cvc5("(declare-const a Int)(assert (> a 3))") == "sat"
    assert check_with_cvc5("(declare-const a Int)(assert (and (> a 3) (< a 4)))") == "unsat"


def test_a_query_replays_from_its_text():
    texts = unsat_texts(OPS["matmul"].cases[0])
    assert len(texts) >= 4
    for text in texts:
        assert check(text) == "unsat"
        assert check(text, RLIMIT) == check(str(text)) == "unsat"


def test_removing_the_negated_goal_makes_a_query_satisfiable():
    """The hypotheses alone have a model: unsat comes from the goal."""
    s = Solver()
    s.unsat_texts = []
    hypotheses: list[Condition] = [in_range(A, B), B <= 4]
    assert s.valid(hypotheses, A <= 3) is True
    (text,) = s.unsat_texts
    *rest, last = text.splitlines()
    assert last.startswith("(assert (not")
    assert check("\n".join(rest)) == "sat"
    assert s.valid(hypotheses, A <= 2) is False
    assert s.valid(hypotheses, to_index(3) >= A) is True
