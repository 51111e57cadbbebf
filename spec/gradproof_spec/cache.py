"""TRUSTED. Results of obligations, kept between runs. A result is used again only if nothing it depends on has changed.

`gradproof prove` and `pytest proofs/` share it. Its key covers

    every file of gradproof and gradproof_spec, by name and content, except what only the report reads
    NumPy, z3, sympy, mpmath, Hypothesis, gmpy2: version and the hashes of the installed files
    Python, the operating system, the processor as NumPy sees it, the environment variables that the above read
    the obligation's id, claim and range

A change of one op's file is a miss for every obligation: what a verdict depends on is not guessed. Only what passes is
kept, and only if its code is inside the two packages and no file has changed since the process began. An entry carries
a digest of itself and of the key; what does not agree with it is as good as absent.

Nothing is read or kept if GRADPROOF_CACHE is `off`, if CI is set (and GRADPROOF_CACHE is not), or if GRADPROOF_FUZZ is
set: its inputs are new each time. GRADPROOF_CACHE may name a folder; by default it is .gradproof_cache of the checkout,
or gradproof in the user's cache folder.
"""
from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

from .obligations import PASSING, Entry, Obligation, Outcome, Verdict

LOADED = time.time_ns()
CLOCK_STEP_NS = 20_000_000  # a file system may stamp a little behind the clock
PACKAGES = ("gradproof", "gradproof_spec")
LIBRARIES = ("numpy", "z3-solver", "sympy", "mpmath", "hypothesis", "gmpy2")
ONLY_IN_REPORTS = ("open.toml", "page.css", "page.html.j2")
VARIABLES = ("GRADPROOF_", "PYTHON", "NPY_", "NUMPY_", "OPENBLAS_", "GOTO_", "OMP_", "MKL_", "BLIS_", "VECLIB_", "Z3_",
             "SYMPY_", "MPMATH_", "HYPOTHESIS_")
NO_MATTER = ("GRADPROOF_CACHE", "PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE")
KEPT = 8  # of so many keys the results are kept: older ones are removed


# ---------------------------------------------------------------- the key
@cache
def roots() -> tuple[Path, ...]:
    """The folders of the two packages."""
    specs = map(importlib.util.find_spec, PACKAGES)
    return tuple(Path(s.submodule_search_locations[0]) for s in specs if s and s.submodule_search_locations)


def files(folders: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """(name, path) of every file on which a verdict can depend."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if "__pycache__" not in path.parts and path.name not in ONLY_IN_REPORTS and path.is_file():
                yield f"{folder.name}/{path.relative_to(folder).as_posix()}", path


def hash_of_sources(folders: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for name, path in files(folders):
        content = path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def surroundings() -> dict[str, Any]:
    """What a verdict depends on beside our own sources."""
    import numpy as np

    return {"python": [sys.version, sys.implementation.cache_tag, sys.flags.optimize],
            "machine": [platform.platform(), sys.byteorder, np.show_config(mode="dicts")],
            "libraries": {name: installed(name) for name in LIBRARIES},
            "variables": {name: value for name, value in sorted(os.environ.items())
                          if name.startswith(VARIABLES) and name not in NO_MATTER}}


def installed(library: str) -> list[str]:
    """Version and the list of the installed files with their hashes; empty if it is not there."""
    try:
        found = metadata.distribution(library)
    except metadata.PackageNotFoundError:
        return []
    return [found.version, hashlib.sha256((found.read_text("RECORD") or "").encode()).hexdigest()]


def key_of(sources: str, around: Mapping[str, Any]) -> str:
    text = json.dumps([sources, around], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


# ---------------------------------------------------------------- the results
class Cache:
    """Results by obligation, of one key, in one file: a line for each, its digest first. Without a folder it is off."""

    def __init__(self, folder: Path | None, key: str = "", folders: Sequence[Path] = ()) -> None:
        self.path = folder / f"{key[:32]}.jsonl" if folder else None
        self.key = key
        self.watched = [path for _, path in files(folders)]
        self.stamps = self.stamps_now()
        self.unchanged = all(max(s[2:]) < LOADED - CLOCK_STEP_NS for s in self.stamps)
        self.found = dict(self._read()) if self.path else {}

    def _read(self) -> Iterator[tuple[str, dict[str, Any]]]:
        assert self.path is not None
        try:
            lines = self.path.read_bytes().splitlines()
        except OSError:
            return
        for line in lines:
            digest, _, text = line.partition(b" ")
            if digest == self._digest(text):
                entry = json.loads(text)
                yield entry["id"], entry

    def _digest(self, text: bytes) -> bytes:
        return hashlib.sha256(self.key.encode() + text).hexdigest().encode()

    def stamps_now(self) -> list[tuple[int, int, int, int]]:
        """What is another when a file is."""
        found = map(os.stat, self.watched)
        return [(s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in found]

    def get(self, obligation: Obligation) -> Entry | None:
        o, found = obligation, self.found.get(obligation.id)
        if found is None or (found["claim"], found["over"]) != (o.claim, o.over) or not is_ours(o.check):
            return None
        outcome = Outcome(Verdict(found["verdict"]), **{n: found[n] for n in ("message", "data", "smtlib", "replay")})
        return Entry(o, outcome, found["seconds"], cached=True)

    def put(self, entry: Entry) -> None:
        """Keep a result that passes."""
        if self.path is None or entry.verdict not in PASSING or entry.cached or not is_ours(entry.obligation.check):
            return
        try:
            self.unchanged = self.unchanged and self.stamps_now() == self.stamps
            if not self.unchanged:
                return
            text = json.dumps(entry.to_json(), ensure_ascii=False).encode()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab", buffering=0) as file:  # one write: lines of two processes do not mix
                file.write(b"\n%b %b\n" % (self._digest(text), text))
        except OSError:
            self.unchanged = False  # a cache that cannot be written is no fault of the proof

    def tidy(self) -> None:
        """Remove the results of all but the newest keys."""
        if self.path is not None:
            with suppress(OSError):
                by_age = sorted(self.path.parent.glob("*.jsonl"), key=lambda p: p.stat().st_mtime_ns, reverse=True)
                for path in by_age[KEPT:]:
                    path.unlink()


def is_ours(check: Callable[..., Any]) -> bool:
    """Is the check, and are the functions that it is given, code of the two packages?"""
    if isinstance(check, partial):
        return all(is_ours(f) for f in (check.func, *check.args, *check.keywords.values()) if callable(f))
    return (getattr(check, "__module__", None) or "").partition(".")[0] in PACKAGES


def folder() -> Path | None:
    """Where results are kept, None if they are not."""
    named = os.environ.get("GRADPROOF_CACHE", "")
    if named == "off" or os.environ.get("GRADPROOF_FUZZ") or (os.environ.get("CI") and not named):
        return None
    if named:
        return Path(named)
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "proofs/test_inventory.py").is_file():
        return checkout / ".gradproof_cache"
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local"
    elif sys.platform == "darwin":
        home = Path.home() / "Library/Caches"
    else:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "gradproof"


def opened() -> Cache:
    """The results of what the sources and the libraries are now."""
    where = folder()
    return Cache(where, key_of(hash_of_sources(roots()), surroundings()), roots()) if where else Cache(None)
