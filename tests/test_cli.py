"""The command line: exit codes, output, the report it leaves, Ctrl-C."""
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sample_obligations as samples
from click.testing import CliRunner

from gradproof_spec import cache, commands, open_obligations
from gradproof_spec.obligations import Verdict
from gradproof_spec.open_obligations import OpenObligation
from gradproof_spec.prove import all_obligations


@pytest.fixture
def run(monkeypatch, tmp_path):
    def run(*arguments, obligations=samples.passing, opened=None):
        monkeypatch.setattr(commands, "find_obligations", obligations)
        monkeypatch.setattr(open_obligations, "read", lambda: opened or {})
        monkeypatch.chdir(tmp_path)
        return CliRunner().invoke(commands.gradproof, arguments)

    return run


def report(folder):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def verdicts(folder):
    return {e["id"]: e["verdict"] for e in report(folder)["obligations"]}


def test_prove_prints_one_line_per_obligation_and_writes_the_report(run, tmp_path):
    result = run("prove", "--jobs", "2")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    expected = sorted([str(o.check().verdict), o.id] for o in samples.passing())
    assert sorted(line.split()[:2] for line in lines[:5]) == expected
    assert all(line.endswith(" s") for line in lines[:5])
    assert "2 PROVED, 1 TESTED, 1 CAUGHT, 1 NOT_APPLICABLE; " in result.output
    out = tmp_path / "gradproof-report"
    assert result.output.endswith(f"report: {Path('gradproof-report/index.html')}\n")
    assert report(out)["complete"] is True
    assert (out / "index.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_refuted_rule_is_shown_whole_and_exits_with_1(run, tmp_path):
    result = run("prove", "--out", "here", obligations=samples.refuted)
    assert result.exit_code == 1
    assert f"\n{samples.REFUTATION}\n" in result.output
    assert (tmp_path / "here/adjoint/wrong.py").read_text(encoding="utf-8") == "print('gx')\n"
    assert (tmp_path / "here/adjoint/wrong.smt2").read_text(encoding="utf-8") == "(check-sat)"


def test_files_of_an_earlier_refutation_go_away_when_it_passes(run, tmp_path):
    run("prove", "--out", "here", obligations=samples.refuted)
    stale = tmp_path / "here/adjoint/good.py"
    stale.write_text("from an earlier run", encoding="utf-8")
    run("prove", "--out", "here", obligations=samples.refuted)
    assert not stale.exists() and (tmp_path / "here/adjoint/wrong.py").exists()


def test_one_op_or_kind_leaves_the_rest_not_run(run, tmp_path):
    result = run("prove", "good", "--kind", "kink", "--kind", "adjoint", "--out", "here")
    assert result.exit_code == 0
    assert verdicts(tmp_path / "here") == {
        "adjoint[good]": "PROVED", "kink[good]": "NOT_APPLICABLE", "float[good-f32]": "NOT_RUN",
        "refutes[good-sign]": "NOT_RUN", "lemma[shift]": "NOT_RUN"}
    assert report(tmp_path / "here")["complete"] is False


@pytest.mark.parametrize(("arguments", "message"), [
    (["prove", "goood"], "no op is named 'goood'; close matches: good"),
    (["prove", "zzz"], "no op is named 'zzz'; the ops are good"),
    (["prove", "good", "--kind", "law"], "no obligation of kind law for good"),
    (["prove", "--kind", "laws"], "'laws' is not one of"),
    (["prove", "--jobs", "0"], "0 is not in the range"),
    (["list", "goood"], "close matches: good"),
    (["show", "matmull"], "no op is named 'matmull'; close matches: matmul"),
    (["report", "nowhere"], "report.json does not exist"),
])
def test_wrong_usage_exits_with_2_and_says_what_to_do(run, arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_an_error_inside_the_prover_is_a_failure_that_shows_its_traceback(run):
    result = run("prove", obligations=samples.broken)
    assert result.exit_code == 1
    assert "UNKNOWN  adjoint[broken]\n\n  The prover stopped with an error of its own." in result.output
    assert "ZeroDivisionError: inside the prover" in result.output


def test_a_worker_that_dies_is_a_failure(run, tmp_path):
    result = run("prove", "--out", "here", obligations=samples.deadly)
    assert result.exit_code == 1
    assert "gradproof prove deadly --kind adjoint --jobs 1" in result.output
    assert verdicts(tmp_path / "here") == {"adjoint[deadly]": "UNKNOWN"}


OPEN = {"adjoint[wrong]": OpenObligation("adjoint[wrong]", Verdict.REFUTED, "g[i] - 0", "a known defect")}


def test_an_open_obligation_that_ends_as_listed_does_not_fail_the_run(run, tmp_path):
    result = run("prove", "--out", "here", obligations=samples.refuted, opened=OPEN)
    assert result.exit_code == 0, result.output
    assert "(open)" in result.output
    entry = next(e for e in report(tmp_path / "here")["obligations"] if e["id"] == "adjoint[wrong]")
    assert entry["holds"] and entry["verdict"] == "REFUTED" and entry["open"]["reason"] == "a known defect"


@pytest.mark.parametrize(("listed", "message"), [
    (OpenObligation("adjoint[wrong]", Verdict.UNKNOWN, "g[i] - 0", "r"), "ended with REFUTED"),
    (OpenObligation("adjoint[wrong]", Verdict.REFUTED, "g[i]", "r"), "lists the residual 'g[i]'"),
    (OpenObligation("adjoint[good]", Verdict.UNKNOWN, "", "r"), "it passes now"),
    (OpenObligation("adjoint[gone]", Verdict.UNKNOWN, "", "r"), "adjoint[gone], which names no obligation"),
])
def test_an_open_entry_that_is_not_exactly_right_fails_the_run(run, listed, message):
    result = run("prove", obligations=samples.refuted, opened={listed.id: listed})
    assert result.exit_code == 1
    assert message in result.output


def test_what_passed_is_not_done_again_unless_asked(run, tmp_path, monkeypatch):
    """Here with obligations whose code is ours; those of the other tests are made here, and never kept."""
    monkeypatch.setenv("GRADPROOF_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GRADPROOF_FUZZ", raising=False)
    monkeypatch.setattr(cache, "LOADED", 2**63)  # sources that others edit just now
    prove = ("prove", "--out", "here")
    assert "cache" not in run(*prove, obligations=samples.kept).output
    second = run(*prove, obligations=samples.kept)
    assert second.exit_code == 1 and "1 PROVED, 1 REFUTED; 1 from the cache; " in second.output
    assert "libraries: 1." in (tmp_path / "here/index.html").read_text(encoding="utf-8")
    assert {e["id"]: e["cached"] for e in report(tmp_path / "here")["obligations"]} == {
        "adjoint[good]": True, "adjoint[wrong]": False}
    assert "cache" not in run(*prove, "--no-cache", obligations=samples.kept).output


def test_list_names_claim_and_range(run):
    result = run("list", "good", "--kind", "adjoint")
    assert result.output == "adjoint[good]\n    the claim of adjoint\n    over all shapes; all reals\n"


def test_show_prints_the_formulas(run):
    result = run("show", "matmul")
    assert result.exit_code == 0
    assert result.output.startswith("matmul    a[...,N,K] b[...,K,M] -> c[...,N,M]\n")
    assert "forward     c[n,m] = Σ_{k<K} a[n,k]·b[k,m]\n" in result.output
    assert "vjp a       ga[n,k] = Σ_{m<M} g[n,m]·b[k,m]\n" in result.output


def test_explain_says_what_a_verdict_rests_on(run, tmp_path):
    result = run("explain", "adjoint[matmul]", "--queries", "asked.smt2", obligations=all_obligations)
    assert result.exit_code == 0, result.output
    for text in ("PROVED  adjoint[matmul]", "statement   <jvp(dx), g> = <dx, vjp(g)>",
                 "ga[n,k] = Σ_{m<M} g[n,m]·b[k,m]", "hypotheses  0 ≤ N, 0 ≤ K, 0 ≤ M",
                 "equalities  Σ_{k<K} [n = i_n and k = i_k]·b[k,m]  =  Σ_{m'<M} [i_n = n and m' = m]·b[i_k,m']",
                 "rules       delta ", "(= |n | |i_n |)", "any_shape.py, ", "rewriting.py, solver.py",
                 "gradproof_spec/ops/linalg.py", "lemma[delta]", "libraries: z3", "not shown   That the JVP is right",
                 'again       pytest "proofs/test_adjoint.py::test_adjoint[matmul]"'):
        assert text in result.output, text
    asked = (tmp_path / "asked.smt2").read_text(encoding="utf-8")
    counts = {answer: asked.count(f"; {answer}\n") for answer in ("sat", "unsat", "unknown")}
    told = next(line for line in result.output.splitlines() if line.startswith("  queries"))
    assert counts["unsat"] > 0
    assert set(told.split(maxsplit=1)[1].split(", ")) == {f"{n} {answer}" for answer, n in counts.items() if n}


@pytest.mark.parametrize(("name", "texts"), [
    ("lemma[delta]", ["queries     2 unsat, 2 sat", "trusted modules: lemmas.py, solver.py, terms.py"]),
    ("kernel[matmul-vjp-batch0]", ["the runtime: ", "gradproof/ops/linalg.py", "queries     none"]),
    ("flat[sub]", ["libraries: z3, sympy", " unsat"])])
def test_explain_of_other_kinds(run, name, texts):
    result = run("explain", name, obligations=all_obligations)
    assert result.exit_code == 0
    assert [text for text in texts if text not in result.output] == [], result.output


def test_explain_of_what_fails_and_of_nothing(run):
    result = run("explain", "adjoint[wrong]", obligations=samples.refuted)
    assert result.exit_code == 1 and "gx[0] is 0 but must be 1." in result.output
    result = run("explain", "adjoint[wong]", obligations=samples.refuted)
    assert result.exit_code == 2
    assert "no obligation is named 'adjoint[wong]'; close matches: adjoint[wrong]" in result.output


def test_report_makes_the_page_again_from_the_record_alone(run, tmp_path):
    run("prove", "--out", "here")
    page = tmp_path / "here/index.html"
    before = page.read_text(encoding="utf-8")
    page.unlink()
    assert run("report", "here").exit_code == 0
    assert page.read_text(encoding="utf-8") == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"complete": true}'])
def test_report_refuses_what_is_no_record(run, tmp_path, text):
    (tmp_path / "report.json").write_text(text, encoding="utf-8")
    assert run("report", ".").exit_code == 2


def test_an_interrupt_leaves_a_whole_partial_report_and_exits_with_130(tmp_path):
    program = ("import sample_obligations as samples; from gradproof_spec import commands; "
               "commands.find_obligations = samples.slow; commands.gradproof()")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen([sys.executable, "-c", program, "prove", "--out", "here", "--jobs", "1"], cwd=tmp_path,
                               env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               start_new_session=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in samples.passing()]
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130, (lines, output, errors)
    assert errors == "interrupted: the report holds what was done\n"
    assert "1 NOT_RUN" in output
    assert verdicts(tmp_path / "here")["law[slow]"] == "NOT_RUN"
    assert report(tmp_path / "here")["complete"] is False
    assert sorted(p.name for p in (tmp_path / "here").iterdir()) == ["index.html", "report.json"]
