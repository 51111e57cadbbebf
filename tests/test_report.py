"""The report: report.json holds the whole run; index.html, parsed here, shows all of it and nothing else."""
import json
import os
from collections import Counter
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
import sample_obligations as samples

from gradproof_spec.obligations import KINDS, Entry, Outcome, Verdict
from gradproof_spec.open_obligations import OpenObligation
from gradproof_spec.report import record
from gradproof_spec.report.describe import describe_all
from gradproof_spec.report.page import NOT_SHOWN, render

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Elements by tag with their attributes, and the text of the page outside <style>."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.texts, self.counts = [], [], [], {}
        self.feed(html)
        self.close()
        assert self.open == [], f"left open: {self.open}"
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attributes):
        assert len(dict(attributes)) == len(attributes)
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)
            verdict = self.elements[-1][1].get("data-verdict") if self.elements else None
            if verdict and self.open[-1] == "dd":
                self.counts[verdict] = int(data)

    @property
    def ids(self):
        return [a["id"] for _, a in self.elements if "id" in a]

    @property
    def links(self):
        return [a["href"] for _, a in self.elements if "href" in a]


def made(obligations, ops=None, leave_out=(), opened=None):
    ran = {}
    for o in obligations:
        if o.id not in leave_out:
            outcome = o.check()
            ran[o.id] = record.entry_json(Entry(o, outcome, 0.5), opened or {})
    return record.assemble(obligations, ran, ops or {}, "2026-01-01T00:00:00+00:00", 1.5)


@pytest.fixture(scope="module")
def ops():
    return describe_all()


@pytest.fixture(params=["passing", "refuted", "hostile", "partial", "real ops"])
def report(request, ops):
    match request.param:
        case "partial":
            return made(samples.passing(), leave_out={"lemma[shift]"})
        case "real ops":
            of_ops = [samples.obligation(k, op, "", Outcome(Verdict.PROVED)) for op in ops for k in ("adjoint", "flat")]
            return made(of_ops, ops)
        case name:
            return made(getattr(samples, name)())


def test_every_link_of_the_page_resolves_and_ids_are_unique(report, tmp_path):
    record.write(report, tmp_path)
    page = Page((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert len(page.ids) == len(set(page.ids))
    assert page.links
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert (tmp_path / unquote(link)).resolve().is_relative_to(tmp_path)
            assert (tmp_path / unquote(link)).is_file()


def test_every_obligation_is_on_the_page_with_its_claim(report):
    page = Page(render(report))
    for entry in report["obligations"]:
        for text in (entry["id"], entry["claim"], entry["over"], entry["verdict"]):
            assert " ".join(text.split()) in page.text


def test_the_counts_are_those_of_the_record(report):
    found = Counter(e["verdict"] for e in report["obligations"])
    page = Page(render(report))
    assert {v: n for v, n in page.counts.items() if n} == found


def test_the_page_loads_nothing_and_runs_nothing(report):
    page = Page(render(report))
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "img", "link", "iframe", "object", "form"})
    assert not any(name.startswith("on") or name in ("src", "style") for _, a in page.elements for name in a)
    assert not any(link.split(":")[0] in ("http", "https", "javascript", "data") for link in page.links)


def test_hostile_texts_are_shown_as_text():
    html = render(made(samples.hostile()))
    assert samples.HOSTILE not in html
    assert " ".join(samples.HOSTILE.split()) in Page(html).text
    assert str(9**20) not in html


def test_a_hostile_record_on_disk_cannot_write_outside_its_folder(tmp_path):
    out = tmp_path / "a" / "b" / "out"
    record.write(made(samples.hostile()), out)
    assert sorted(p.relative_to(tmp_path).parts[:3] for p in tmp_path.rglob("*") if p.is_file()) \
        == [("a", "b", "out")] * len([p for p in out.rglob("*") if p.is_file()])


def test_a_partial_run_says_so_and_a_whole_one_does_not():
    partial = Page(render(made(samples.passing(), leave_out={"lemma[shift]"}))).text
    assert "Partial run. 4 of 5 obligations ran." in partial
    whole = Page(render(made(samples.passing()))).text
    assert "Partial run" not in whole and "Every obligation ran, and each passed." in whole


def test_what_does_not_hold_is_named_first_and_shown_whole():
    page = Page(render(made(samples.refuted())))
    assert "1 obligation does not hold: adjoint[wrong]" in page.text
    assert samples.REFUTATION in "".join(page.texts)
    assert "adjoint/wrong.py" in page.links and "adjoint/wrong.smt2" in page.links


def test_what_is_open_is_neither_passed_nor_failed():
    opened = {"adjoint[wrong]": OpenObligation("adjoint[wrong]", Verdict.REFUTED, "g[i] - 0", "a <known> defect")}
    page = Page(render(made(samples.refuted(), opened=opened)))
    assert "1 known to be open: adjoint[wrong]" in page.text
    assert "Open: a <known> defect" in page.text
    assert "does not hold" not in page.text
    assert "✗ refuted (open)" in page.text


def test_tested_is_never_counted_as_proved():
    page = Page(render(made(samples.passing())))
    assert page.counts["PROVED"] == 2 and page.counts["TESTED"] == 1
    assert "Tested, not proved TESTED 1" in page.text


def test_the_table_shows_the_worst_of_several_cases():
    cases = [samples.obligation("kernel", "conv", f"case{i}", Outcome(v)) for i, v in
             enumerate([Verdict.PROVED, Verdict.UNKNOWN, Verdict.PROVED])]
    assert "? unknown 1 of 3" in Page(render(made(cases))).text


def test_each_op_shows_its_formulas_hypotheses_domain_and_kinks(ops):
    page = Page(render(made(samples.passing(), ops)))
    for op in ops.values():
        formulas = [op["formulas"]["forward"], op["formulas"]["jvp"], *op["formulas"]["vjp"].values()]
        for text in (*(f["text"] for f in formulas), *op["hypotheses"], *op["domain"], *op["kinks"], op["defined"]):
            assert " ".join(text.split()) in page.text


def test_every_kind_says_what_it_does_not_show():
    assert list(NOT_SHOWN) == list(KINDS)


def test_the_record_is_json_with_everything_in_it(tmp_path, ops):
    report = made(samples.refuted(), ops)
    record.write(report, tmp_path)
    assert record.read(tmp_path) == report
    assert set(report) == {"complete", "versions", "started", "seconds", "ops", "obligations"}
    assert {"gradproof", "sources", "python", "numpy", "z3-solver"} <= set(report["versions"])


def test_a_write_that_fails_leaves_the_old_report_whole(tmp_path, monkeypatch):
    record.write(made(samples.passing()), tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        record.write(made(samples.passing(), leave_out={"lemma[shift]"}), tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize(("text", "name"), [
    ("conv", "conv"), ("conv-vjp-n1c1-h4w4", "conv-vjp-n1c1-h4w4"), ("../../x", "_.._x"), ("..", "_"), ("", "_"),
    (".hidden", "hidden"), ("a b/c\\d\0", "a_b_c_d_"), ("x" * 500, "x" * 150)])
def test_file_names_are_safe(text, name):
    assert record.file_name(text) == name


@pytest.mark.parametrize("change", [
    {"obligations": [1]}, {"obligations": [{"id": "x"}]}, {"obligations": {}}, {"complete": "yes"}, {"versions": []},
    {"ops": None}, {"ops": {"add": {"signature": "x"}}}, {"seconds": "1"}])
def test_a_record_with_parts_of_the_wrong_type_is_refused(tmp_path, change):
    (tmp_path / "report.json").write_text(json.dumps(made(samples.passing()) | change), encoding="utf-8")
    with pytest.raises(record.ReportError):
        record.write_page(record.read(tmp_path), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]
