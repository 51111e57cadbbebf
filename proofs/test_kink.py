"""At each tie or boundary the rule is the declared convention, and a Clarke subgradient: for all reals."""
from gradproof_spec.testing import of_kind


@of_kind("kink")
def test_kink(obligation, prove):
    prove(obligation)
