"""Counter-models in small integers: each is one for z3 too, and none is found of what is valid."""

from collections import Counter

import pytest

from gradproof_spec.counter_models import Model, NoValue, Samples, holds
from gradproof_spec.prove import run, select
from gradproof_spec.solver import Solver, check
from gradproof_spec.terms import Condition, access, apply, equal, in_range, to_index, variable

N, I, J, K = map(variable, "NIJK")


def test_no_model_of_what_is_valid():
    """Among them what would be false if a function had two values, or if division rounded towards 0."""
    i, j = in_range(I, N), in_range(J, N)
    for hypotheses, goal in [
        ([i], N >= 1),
        ([i, j, equal(I, J)], equal(apply("f", I), apply("f", J))),
        ([i, equal(apply("f", I), 1)], equal(apply("f", I + 0 * J), 1)),
        ([N >= 1], (I // N) * N <= I),
        ([N >= 1], equal((I // N) * N + I % N, I)),
        ([equal(2 * I, 2 * J + 1)], equal(to_index(0), 1)),
        ([in_range(I, 3), in_range(J, 3), I + J >= 4], equal(I, J)),
    ]:
        assert Samples().model([*hypotheses, ~goal]) is None
        assert Solver().valid(hypotheses, goal) is True


def test_a_model_is_found_of_what_is_not_valid():
    for hypotheses, goal in [
        ([in_range(I, N), in_range(J, N)], equal(I, J)),
        ([in_range(I, N), equal(I, J), in_range(apply("f", I), N)], equal(apply("f", J), I)),
        ([N >= 1, in_range(I, (N + 2 * K - J) // 2 + 1), J >= 1, in_range(K, J)], I <= 1),
        ([in_range(I, N), equal(J, I) | equal(N, 1)], equal(I, J)),
    ]:
        solver = Solver()
        assert solver.valid(hypotheses, goal) is False
        assert solver.queries == 0


def test_axioms_belong_to_a_model():
    """Without its axiom f(I) may be 2; and what is left to z3 stays so: axioms about reals."""
    goal = apply("f", I) <= 1
    assert Solver().valid([], goal) is False
    assert Solver(axioms={"f": lambda i: [apply("f", i) <= 0]}).valid([], goal) is True
    nested = Solver(axioms={"f": lambda i: [equal(apply("f", i), apply("g", i))], "g": lambda i: [apply("g", i) <= 0]})
    assert nested.valid([], goal) is True
    real = Solver(axioms={"f": lambda i: [access("x", apply("f", i)) <= access("x", i)]})
    assert real.valid([], goal) is False
    assert real.queries == 1


def test_evaluation_is_exact_or_there_is_none():
    model = Model({"I": -7, "J": 2, "N": 10**30}, 0)
    assert holds(equal(I // J, -4) & equal(I % J, 1) & (I * N <= -7 * 10**29), model)
    assert not holds(~equal(N + 1, N + 1 + 0 * J) | (N <= J), model)
    for c in (equal(J // I, 0), equal(J % (I + 7), 0), equal(K, 0), access("x", I) < access("x", J)):
        with pytest.raises(NoValue):
            holds(c, model)
    with pytest.raises(NoValue):  # `or` does not hide it
        holds(Condition("or", equal(J, 2), equal(J // I, 0)), model)


def test_z3_agrees_on_the_queries_of_some_proofs(monkeypatch):
    """Every counter-model that the proofs of these ops find is a model of the query that z3 would have been asked."""
    counts: Counter[str] = Counter()
    found = Solver._has_model

    def has_model(self, conditions):
        result = found(self, conditions)
        if result:
            counts[check(self.text(list(conditions), lambda translate: "true"))] += 1
        return result

    monkeypatch.setattr(Solver, "_has_model", has_model)
    for kind, op in [("adjoint", "conv1d"), ("adjoint", "max_pool"), ("derivative", "gather_rows"), ("bounds", "pad"),
                     ("shape", "reduce_sum"), ("adjoint", "scaled_dot_product_attention"), ("adjoint", "reshape"),
                     ("adjoint", "conv"), ("derivative", "concat"), ("adjoint", "matmul"), ("shape", "broadcast_to")]:
        for obligation in select([op], [kind]):
            assert run(obligation).passed
    assert set(counts) <= {"sat", "unknown"}
    assert counts["sat"] > 100
    assert counts["unknown"] <= counts["sat"] / 20


def test_the_same_models_every_time():
    conditions = [in_range(I, N), in_range(J, N), ~equal(I, J)]
    assert Samples().model(conditions) == Samples().model(conditions)
