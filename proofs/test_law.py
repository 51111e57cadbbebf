"""An identity between two ops: for all shapes and all reals."""
from gradproof_spec.testing import of_kind


@of_kind("law")
def test_law(obligation, prove):
    prove(obligation)
