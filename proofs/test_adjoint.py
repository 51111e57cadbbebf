"""<jvp(dx), g> = <dx, vjp(g)> for every input: for all shapes and all reals."""
from gradproof_spec.testing import of_kind


@of_kind("adjoint")
def test_adjoint(obligation, prove):
    prove(obligation)
