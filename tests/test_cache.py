"""The cache of results: whatever a verdict depends on is in its key, and nothing that is not whole is used."""
import json
import os
import shutil
import subprocess
import sys
import time
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from gradproof_spec import cache
from gradproof_spec.obligations import PASSING, Entry, Obligation, Outcome, Verdict

CHECKOUT = Path(__file__).resolve().parents[1]
KEY = "0" * 64


def obligation(case="", check=None, claim="the claim"):
    return Obligation("adjoint", "good", case, claim, "all shapes", check or partial(Outcome, Verdict.PROVED))


def entry(verdict=Verdict.PROVED, **changes):
    outcome = Outcome(verdict, "a message", {"queries": 3, "cases": ["a", {"b": [1.5]}]}, "(check-sat)", "print(1)\n")
    return Entry(obligation(**changes), outcome, 0.25)


@pytest.fixture
def opened(tmp_path):
    return lambda key=KEY, folders=(): cache.Cache(tmp_path / "cache", key, folders)


# ---------------------------------------------------------------- the key
@pytest.fixture
def sources(tmp_path):
    """Two small packages, old enough."""
    for path in ("gradproof/ops/conv.py", "gradproof/dtypes.py", "gradproof/table.json", "gradproof_spec/lemmas.py",
                 "gradproof_spec/ops/conv.py", "gradproof_spec/open.toml", "gradproof_spec/report/page.css"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x = 1\n", encoding="utf-8")
    return tmp_path, [tmp_path / "gradproof", tmp_path / "gradproof_spec"]


@pytest.mark.parametrize("path", ["gradproof/ops/conv.py", "gradproof/dtypes.py", "gradproof/table.json",
                                  "gradproof_spec/lemmas.py", "gradproof_spec/ops/conv.py"])
@pytest.mark.parametrize("change", ["content", "rename", "remove", "move the end to the next file"])
def test_a_change_of_any_source_is_another_key(sources, path, change):
    root, folders = sources
    before = cache.hash_of_sources(folders)
    if change == "content":
        (root / path).write_text("x = 2\n", encoding="utf-8")
    elif change == "rename":
        (root / path).rename((root / path).with_name("other.py"))
    elif change == "remove":
        (root / path).unlink()
    else:
        (root / path).write_text("x = 1", encoding="utf-8")
        (root / path).with_name("zzz.py").write_text("\n", encoding="utf-8")
    assert cache.hash_of_sources(folders) != before


def test_a_new_file_is_another_key_and_what_only_the_report_reads_is_not(sources):
    root, folders = sources
    before = cache.hash_of_sources(folders)
    (root / "gradproof_spec/open.toml").write_text("[[open]]\n", encoding="utf-8")
    (root / "gradproof_spec/report/page.css").write_text("a {}\n", encoding="utf-8")
    (root / "gradproof/__pycache__").mkdir()
    (root / "gradproof/__pycache__/dtypes.cpython-311.pyc").write_bytes(b"x")
    assert cache.hash_of_sources(folders) == before
    (root / "gradproof_spec/new.toml").write_text("", encoding="utf-8")
    assert cache.hash_of_sources(folders) != before


def test_every_file_of_both_packages_is_hashed_but_four():
    hashed = {name for name, _ in cache.files(cache.roots())}
    there = {f"{package}/{p.relative_to(CHECKOUT / root / package).as_posix()}"
             for root, package in (("runtime", "gradproof"), ("spec", "gradproof_spec"))
             for p in (CHECKOUT / root / package).rglob("*") if p.is_file() and p.suffix != ".pyc"}
    assert there - hashed == {"gradproof_spec/open.toml", "gradproof_spec/report/page.css",
                              "gradproof_spec/report/page.html.j2"}
    assert hashed <= there


def key():
    return cache.key_of("sources", cache.surroundings())


def test_the_key_is_the_same_while_nothing_changes():
    assert key() == key() != cache.key_of("other sources", cache.surroundings())


@pytest.mark.parametrize("name", ["GRADPROOF_FUZZ", "OPENBLAS_NUM_THREADS", "NPY_DISABLE_CPU_FEATURES",
                                  "PYTHONHASHSEED", "PYTHONOPTIMIZE", "SYMPY_USE_CACHE", "MPMATH_NOGMPY"])
def test_a_variable_is_in_the_key(name, monkeypatch):
    monkeypatch.delenv(name, raising=False)
    before = key()
    monkeypatch.setenv(name, "1")
    assert key() != before


@pytest.mark.parametrize("library", cache.LIBRARIES)
@pytest.mark.parametrize("part", ["version", "files", "absence"])
def test_a_library_is_in_the_key(library, part, monkeypatch):
    class Distribution:
        def __init__(self, version, record):
            self.version, self.record = version, record

        def read_text(self, name):
            return {"RECORD": self.record}[name]

    def installed(asked, version="1.0", record="core.py,sha256=abc,17\n"):
        if part == "absence" and asked == library and version != "1.0":
            raise metadata.PackageNotFoundError
        return Distribution(version, record)

    monkeypatch.setattr(metadata, "distribution", installed)
    before = key()
    changed = {"files": {"record": "core.py,sha256=abd,17\n"}}.get(part, {"version": "1.1"})
    monkeypatch.setattr(metadata, "distribution", lambda n: installed(n, **(changed if n == library else {})))
    assert key() != before


def test_python_and_the_processor_are_in_the_key(monkeypatch):
    before = key()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "version", sys.version + " patched")
        assert key() != before
    with monkeypatch.context() as patched:
        patched.setattr(np, "show_config", lambda mode: {"SIMD Extensions": {"found": []}})
        assert key() != before


# ---------------------------------------------------------------- the results
def test_what_was_put_is_got_again_by_the_next_process(opened):
    opened().put(entry())
    found = opened().get(obligation())
    assert found.cached and found.outcome == entry().outcome and found.seconds == 0.25
    assert found.to_json() | {"cached": False} == entry().to_json()


def test_two_processes_write_into_one_file(opened):
    first, second = opened(), opened()
    for n in range(20):
        (first, second)[n % 2].put(entry(case=f"c{n}"))
    assert all(opened().get(obligation(case=f"c{n}")) for n in range(20))


@pytest.mark.parametrize("changes", [{"case": "other"}, {"claim": "another claim"}, {"check": lambda: None}])
def test_another_obligation_is_a_miss(opened, changes):
    opened().put(entry())
    assert opened().get(obligation(**changes)) is None


def test_another_key_is_a_miss_even_in_a_file_of_that_name(opened, tmp_path):
    opened().put(entry())
    (path,) = (tmp_path / "cache").iterdir()
    path.rename(path.with_name(f"{'1' * 32}.jsonl"))
    assert opened("1" * 64).get(obligation()) is None
    assert opened().get(obligation()) is None


def test_any_byte_of_an_entry_that_is_changed_makes_it_a_miss(opened, tmp_path):
    opened().put(entry())
    (path,) = (tmp_path / "cache").iterdir()
    whole = path.read_bytes()
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found = opened().get(obligation())
        assert found is None or found.outcome == entry().outcome  # a byte of the empty lines between entries
        assert found is None or whole[at : at + 1] == b"\n"
    for length in range(1, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        assert opened().get(obligation()) is None


def test_what_follows_half_an_entry_is_found(opened, tmp_path):
    opened().put(entry())
    (path,) = (tmp_path / "cache").iterdir()
    path.write_bytes(path.read_bytes()[:40])
    opened().put(entry(case="next"))
    assert opened().get(obligation()) is None
    assert opened().get(obligation(case="next")).outcome == entry().outcome


@pytest.mark.parametrize("verdict", Verdict)
def test_only_what_passes_is_kept(opened, verdict):
    opened().put(entry(verdict))
    assert (opened().get(obligation()) is not None) == (verdict in PASSING)


def test_code_from_elsewhere_is_not_kept(opened, tmp_path):
    opened().put(entry(check=lambda: Outcome(Verdict.PROVED)))
    opened().put(entry(check=partial(Outcome, Verdict.PROVED, data=lambda: {})))
    assert not (tmp_path / "cache").exists()


def test_nothing_is_kept_after_a_source_has_changed(opened, sources):
    root, folders = sources
    results = opened(folders=folders)
    results.unchanged = True  # these files are younger than this process
    results.put(entry(case="before"))
    (root / "gradproof/dtypes.py").write_text("x = 3\n", encoding="utf-8")
    results.put(entry(case="after"))
    (root / "gradproof/dtypes.py").write_text("x = 1\n", encoding="utf-8")
    results.put(entry(case="changed-back"))
    found = opened(folders=folders).found
    assert list(found) == ["adjoint[good-before]"]


def test_nothing_is_kept_if_a_source_is_younger_than_the_process(opened, sources):
    opened(folders=sources[1]).put(entry())
    assert opened().found == {}


def test_a_cache_that_cannot_be_written_or_read_is_none(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    results = cache.Cache(tmp_path / "file", KEY)
    results.put(entry())
    results.tidy()
    assert results.get(obligation()) is None


def test_the_results_of_eight_keys_are_kept(opened, tmp_path):
    for n in range(12):
        results = opened(f"{n:x}" * 64)
        results.put(entry())
        os.utime(results.path, (n, n))
        results.tidy()
    assert sorted(p.name[0] for p in (tmp_path / "cache").iterdir()) == sorted("456789ab")


@pytest.mark.parametrize(("variables", "on"), [
    ({}, True), ({"CI": "true"}, False), ({"CI": "true", "GRADPROOF_CACHE": "/x"}, True),
    ({"GRADPROOF_CACHE": "off"}, False), ({"GRADPROOF_FUZZ": "nightly"}, False),
    ({"GRADPROOF_FUZZ": "nightly", "GRADPROOF_CACHE": "/x"}, False)])
def test_when_it_is_used(variables, on, monkeypatch):
    for name in ("CI", "GRADPROOF_CACHE", "GRADPROOF_FUZZ"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache.folder() == ((Path(variables.get("GRADPROOF_CACHE", CHECKOUT / ".gradproof_cache"))) if on else None)
    if not on:
        assert cache.opened().path is None and cache.opened().found == {}


# ---------------------------------------------------------------- the whole way
def test_the_command_and_pytest_share_it_and_a_change_of_a_helper_is_a_miss(tmp_path):
    for part in ("runtime", "spec", "proofs", "pyproject.toml"):
        copied = shutil.copytree if (CHECKOUT / part).is_dir() else shutil.copy
        copied(CHECKOUT / part, tmp_path / part)
    time.sleep(0.1)  # sources must be older than the process
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "GRADPROOF")) and k != "CI"}
    environment["PYTHONPATH"] = os.pathsep.join(str(tmp_path / root) for root in ("runtime", "spec"))

    def run(*arguments):
        return subprocess.run([sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True,
                              text=True, check=False).stdout

    prove = ("-c", "from gradproof_spec.cli import main; main()", "prove", "relu", "--jobs", "1",
             "--kind", "adjoint", "--kind", "law")
    first = run(*prove)
    assert "2 PROVED; " in first and "cache" not in first
    (path,) = (tmp_path / ".gradproof_cache").iterdir()
    assert len([line for line in path.read_bytes().splitlines() if line]) == 2
    tested = run("-m", "pytest", "-q", "proofs/test_adjoint.py", "-k", "relu and not leaky")
    assert "1 passed" in tested and "(1 of 1 results from the cache)" in tested, tested
    assert "2 PROVED; 2 from the cache; " in run(*prove)
    report = json.loads((tmp_path / "proofs/report/report.json").read_text(encoding="utf-8"))
    cached = {e["id"]: e["cached"] for e in report["obligations"]}
    assert cached["adjoint[relu]"] is True and cached["adjoint[add]"] is False
    with (tmp_path / "runtime/gradproof/dtypes.py").open("a", encoding="utf-8") as file:
        file.write("# a change\n")
    time.sleep(0.1)
    changed = run(*prove)
    assert "2 PROVED; " in changed and "cache" not in changed
