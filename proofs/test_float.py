"""|kernel(x) - exact(x)| <= the derived error bound, in float32 and float64: TESTED on many inputs."""
from gradproof_spec.testing import of_kind


@of_kind("float")
def test_float(obligation, prove):
    prove(obligation)
