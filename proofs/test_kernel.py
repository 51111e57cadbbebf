"""The NumPy code that runs = the specification, on symbols, on all paths: at small shapes, for all reals."""
from gradproof_spec.testing import of_kind


@of_kind("kernel")
def test_kernel(obligation, prove):
    prove(obligation)
