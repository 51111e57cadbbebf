"""The runtime's shape rule = the extents of the specification: for all integer extents and attributes."""
from gradproof_spec.testing import of_kind


@of_kind("shape")
def test_shape(obligation, prove):
    prove(obligation)
