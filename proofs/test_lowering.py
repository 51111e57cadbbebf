"""A compiled graph = its denotation, forward, JVP and VJP: each node on symbols, every graph by induction."""
from gradproof_spec.testing import of_kind


@of_kind("lowering")
def test_lowering(obligation, prove):
    prove(obligation)
