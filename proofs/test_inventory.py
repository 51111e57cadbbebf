"""Nothing is left out: registry x kinds, the same ops on both sides, planted faults for each op."""
import re

import pytest

import gradproof.op
from gradproof_spec import open_obligations
from gradproof_spec.obligations import KINDS
from gradproof_spec.op import OPS
from gradproof_spec.prove import all_obligations

OBLIGATIONS = all_obligations()
PER_OP = ("bounds", "derivative", "adjoint", "kink", "shape", "flat", "kernel", "lowering", "float",
          "refutes")
PLANTED_PER_OP = 3


@pytest.mark.parametrize("kind", PER_OP)
def test_every_op_has_an_obligation_of_every_kind(kind):
    """Where a kind does not apply, that is an obligation too, with a reason that is checked."""
    assert [op for op in OPS if not any(o.op == op and o.kind == kind for o in OBLIGATIONS)] == []


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(PER_OP)))
def test_there_are_laws_and_lemmas(kind):
    assert any(o.kind == kind for o in OBLIGATIONS)


@pytest.mark.parametrize("op", OPS)
def test_three_wrong_rules_are_planted_for_every_op(op):
    planted = [o.case for o in OBLIGATIONS if (o.kind, o.op) == ("refutes", op) and not o.case.startswith("mutants")]
    family = OPS[op].forward_rule.__module__.rpartition(".")[2]
    assert len(planted) >= PLANTED_PER_OP, f"{op} has {planted}: plant more in spec/gradproof_spec/planted/{family}.py"


def test_the_specification_and_the_runtime_have_the_same_ops_in_the_same_order():
    assert list(OPS) == list(gradproof.op.OPS)


def test_every_obligation_is_of_an_op_that_exists_and_of_a_known_kind():
    assert [o.id for o in OBLIGATIONS if o.kind not in KINDS or (o.op and o.op not in OPS)] == []


def test_names_of_obligations_are_unique_and_are_file_names():
    assert len({o.id for o in OBLIGATIONS}) == len(OBLIGATIONS)
    assert [o.id for o in OBLIGATIONS if not re.fullmatch(r"[a-z0-9_][a-z0-9_.-]*", o.name)] == []


def test_every_open_entry_names_an_obligation():
    assert open_obligations.unmatched(open_obligations.read(), OBLIGATIONS) == []
