"""jvp(x, dx) = d/dt forward(x + t dx) at t = 0, off kinks: for all shapes and all reals."""
from gradproof_spec.testing import of_kind


@of_kind("derivative")
def test_derivative(obligation, prove):
    prove(obligation)
