"""derivative and adjoint again at small shapes, by sympy.diff and z3, without our normal form."""
from gradproof_spec.testing import of_kind


@of_kind("flat")
def test_flat(obligation, prove):
    prove(obligation)
