"""Every access x[i] has 0 <= i < extent, every divisor is not 0, the hypotheses can hold: for all shapes."""
from gradproof_spec.testing import of_kind


@of_kind("bounds")
def test_bounds(obligation, prove):
    prove(obligation)
