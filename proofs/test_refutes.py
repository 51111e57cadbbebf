"""Every rule made wrong on purpose is refuted, with a counterexample that replays on the runtime."""
from gradproof_spec.testing import of_kind


@of_kind("refutes")
def test_refutes(obligation, prove):
    prove(obligation)
