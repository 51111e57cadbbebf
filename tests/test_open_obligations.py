"""open.toml is a list of strict expected failures: nothing passes, fails differently or vanishes unnoticed."""
import pytest
from sample_obligations import REFUTATION, obligation, passing

from gradproof_spec.obligations import Entry, Outcome, Verdict
from gradproof_spec.open_obligations import OpenListError, OpenObligation, problem, read, unmatched

LISTED = OpenObligation("adjoint[hard]", Verdict.UNKNOWN, "c[n] - c[n+1]", "needs a lemma about telescopes")


def ended(verdict, residual="", message=""):
    outcome = Outcome(verdict, message, {"residual": residual} if residual else {})
    return Entry(obligation("adjoint", "hard", "", outcome), outcome, 0.1)


def listed(**changes):
    texts = {"id": LISTED.id, "verdict": "UNKNOWN", "residual": LISTED.residual, "reason": LISTED.reason} | changes
    return "[[open]]\n" + "".join(f'{k} = "{v}"\n' for k, v in texts.items() if v is not None)


def written(tmp_path, text):
    path = tmp_path / "open.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_list_can_be_read():
    assert isinstance(read(), dict)


def test_an_entry_is_read(tmp_path):
    assert read(written(tmp_path, listed())) == {LISTED.id: LISTED}


@pytest.mark.parametrize(("text", "message"), [
    (listed(reason=None), "open.toml, entry 1: has id, residual, verdict; needs exactly the texts "
                          "id, reason, residual, verdict"),
    (listed(more="x"), "has id, more, reason"),
    (listed(reason=" "), "the reason is empty"),
    (listed(verdict="PROVED"), "verdict is 'PROVED'; must be one of REFUTED, UNKNOWN"),
    (listed(verdict="NOT_RUN"), "verdict is 'NOT_RUN'"),
    (listed(verdict="MAYBE"), "verdict is 'MAYBE'"),
    (listed() + listed(), "adjoint[hard] is listed twice"),
    ("[close]\n", "unknown table close"),
    ("[[open]\n", "open.toml: "),
])
def test_a_wrong_list_is_refused(tmp_path, text, message):
    with pytest.raises(OpenListError) as error:
        read(written(tmp_path, text))
    assert message in str(error.value)


def test_what_is_not_listed_must_pass():
    assert problem(ended(Verdict.PROVED), {}) == ""
    assert problem(ended(Verdict.REFUTED, message=REFUTATION), {}) == REFUTATION
    assert problem(ended(Verdict.UNKNOWN), {}) == "UNKNOWN  adjoint[hard]"


def test_what_is_listed_must_end_exactly_so():
    opened = {LISTED.id: LISTED}
    assert problem(ended(Verdict.UNKNOWN, LISTED.residual), opened) == ""
    assert "but it passes now: remove its entry" in problem(ended(Verdict.PROVED), opened)
    assert "but it passes now" in problem(ended(Verdict.NOT_APPLICABLE), opened)
    assert "lists it as UNKNOWN, but it ended with REFUTED" in problem(ended(Verdict.REFUTED), opened)
    assert "lists the residual 'c[n] - c[n+1]', but it is 'c[n]'" in problem(ended(Verdict.UNKNOWN, "c[n]"), opened)
    assert "but it is ''" in problem(ended(Verdict.UNKNOWN), opened)


def test_an_entry_that_names_no_obligation_is_an_error():
    assert unmatched({LISTED.id: LISTED}, passing()) == [
        "open.toml lists adjoint[hard], which names no obligation: remove or correct it"]
