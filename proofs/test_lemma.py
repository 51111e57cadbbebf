"""Each lemma that the prover uses holds for n = 0, and for n + 1 if it holds for n."""
from gradproof_spec.testing import of_kind


@of_kind("lemma")
def test_lemma(obligation, prove):
    prove(obligation)
