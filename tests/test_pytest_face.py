"""`pytest proofs/`: one obligation, one test, one entry of the report; a failure is its message and nothing else."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = """
import sample_obligations as samples
from gradproof_spec import prove, testing
from gradproof_spec.obligations import Verdict
from gradproof_spec.open_obligations import OpenObligation

prove.all_obligations = samples.{obligations}
testing.opened = lambda: {opened}
"""
TEST = """
from gradproof_spec.testing import of_kind

@of_kind("{kind}")
def test_{kind}(obligation, prove):
    prove(obligation)
"""
KINDS = ("adjoint", "kink", "float", "refutes", "lemma", "law")


@pytest.fixture
def run(tmp_path):
    def run(*arguments, obligations="passing", opened="{}"):
        (tmp_path / "proofs").mkdir(exist_ok=True)
        (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p gradproof_spec.testing -p faked\n")
        (tmp_path / "faked.py").write_text(PLUGIN.format(obligations=obligations, opened=opened), encoding="utf-8")
        for kind in KINDS:
            (tmp_path / "proofs" / f"test_{kind}.py").write_text(TEST.format(kind=kind), encoding="utf-8")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), str(Path(__file__).parent)])
        return subprocess.run([sys.executable, "-m", "pytest", "proofs", *arguments], cwd=tmp_path, env=environment,
                              capture_output=True, text=True, check=False)

    return run


def report(tmp_path):
    return json.loads((tmp_path / "proofs/report/report.json").read_text(encoding="utf-8"))


def test_every_obligation_is_a_test_and_an_entry_of_the_report_that_all_workers_share(run, tmp_path):
    result = run("-v", "-n", "2")
    assert result.returncode == 0, result.stdout + result.stderr
    for test in ("test_adjoint.py::test_adjoint[good]", "test_float.py::test_float[good-f32]",
                 "test_lemma.py::test_lemma[shift]"):
        assert test in result.stdout
    assert "5 passed" in result.stdout and "skipped" not in result.stdout
    assert f"proof report: {tmp_path / 'proofs/report/index.html'}" in result.stdout
    found = report(tmp_path)
    assert found["complete"] is True
    assert {e["id"]: e["verdict"] for e in found["obligations"]} == {
        "adjoint[good]": "PROVED", "kink[good]": "NOT_APPLICABLE", "float[good-f32]": "TESTED",
        "refutes[good-sign]": "CAUGHT", "lemma[shift]": "PROVED"}


def test_a_selection_is_a_partial_report(run, tmp_path):
    run("-k", "lemma")
    found = report(tmp_path)
    assert found["complete"] is False
    assert [e["id"] for e in found["obligations"] if e["verdict"] != "NOT_RUN"] == ["lemma[shift]"]
    assert len(found["obligations"]) == 5


def test_nothing_selected_leaves_no_report(run, tmp_path):
    run("-k", "no_such_test")
    assert not (tmp_path / "proofs/report").exists()


def test_a_failure_is_the_message_and_nothing_else(run, tmp_path):
    result = run("-q", obligations="refuted")
    assert result.returncode == 1
    shown = result.stdout.split("FAILURES")[1].split("\n", 1)[1]
    assert shown.split("\n", 1)[1].startswith(
        "REFUTED  adjoint[wrong]\n\n  gx[0] is 0 but must be 1.\n\n  claim    <jvp(dx), g> = <dx, vjp(g)>\n")
    assert "Traceback" not in result.stdout and ".py:" not in shown.split("proof report")[0]
    assert (tmp_path / "proofs/report/adjoint/wrong.py").is_file()


def test_an_error_inside_the_prover_fails_with_its_traceback(run):
    result = run(obligations="broken")
    assert result.returncode == 1
    assert "ZeroDivisionError: inside the prover" in result.stdout


OPEN = '{{"{id}": OpenObligation("{id}", Verdict.{verdict}, "{residual}", "a known defect")}}'


def test_an_open_obligation_that_ends_as_listed_is_an_expected_failure(run, tmp_path):
    opened = OPEN.format(id="adjoint[wrong]", verdict="REFUTED", residual="g[i] - 0")
    result = run("-rx", obligations="refuted", opened=opened)
    assert result.returncode == 0, result.stdout
    assert "1 xfailed" in result.stdout and "a known defect" in result.stdout
    assert next(e for e in report(tmp_path)["obligations"] if e["id"] == "adjoint[wrong]")["holds"] is True


@pytest.mark.parametrize(("changes", "message"), [
    ({"id": "adjoint[good]", "verdict": "UNKNOWN", "residual": ""}, "it passes now"),
    ({"id": "adjoint[wrong]", "verdict": "UNKNOWN", "residual": "g[i] - 0"}, "it ended with REFUTED"),
    ({"id": "adjoint[wrong]", "verdict": "REFUTED", "residual": "g[i]"}, "lists the residual 'g[i]'"),
])
def test_an_open_entry_that_is_not_exactly_right_fails(run, changes, message):
    result = run(obligations="refuted", opened=OPEN.format(**changes))
    assert result.returncode == 1
    assert message in result.stdout
