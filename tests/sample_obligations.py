"""Obligations made for tests: every verdict, hostile texts, a slow one, one that breaks, one that kills its process."""
from __future__ import annotations

import os
import signal
import time
from functools import partial

from gradproof_spec.obligations import Obligation, Outcome, Verdict

REFUTATION = "REFUTED  adjoint[wrong]\n\n  gx[0] is 0 but must be 1.\n\n  claim    <jvp(dx), g> = <dx, vjp(g)>"
HOSTILE = '</style><script>alert("&amp;")</script><img src=x onerror=alert(1)>\'"{{ 9**20 }}'


def obligation(kind: str, op: str, case: str, outcome: Outcome) -> Obligation:
    return Obligation(kind, op, case, f"the claim of {kind}", "all shapes; all reals", lambda: outcome)


def passing() -> list[Obligation]:
    return [obligation("adjoint", "good", "", Outcome(Verdict.PROVED, data={"queries": 3})),
            obligation("kink", "good", "", Outcome(Verdict.NOT_APPLICABLE, "no guard occurs")),
            obligation("float", "good", "f32", Outcome(Verdict.TESTED, data={"examples": 200, "largest_error": 0.25})),
            obligation("refutes", "good", "sign", Outcome(Verdict.CAUGHT)),
            obligation("lemma", "", "shift", Outcome(Verdict.PROVED))]


def refuted() -> list[Obligation]:
    wrong = Outcome(Verdict.REFUTED, REFUTATION, {"residual": "g[i] - 0"}, smtlib="(check-sat)", replay="print('gx')\n")
    return [*passing(), obligation("adjoint", "wrong", "", wrong)]


def kept() -> list[Obligation]:
    """One that passes and one that does not; their checks are code of gradproof_spec."""
    return [Obligation("adjoint", name, "", "", "", partial(Outcome, verdict))
            for name, verdict in (("good", Verdict.PROVED), ("wrong", Verdict.REFUTED))]


def hostile() -> list[Obligation]:
    outcome = Outcome(Verdict.REFUTED, HOSTILE, {HOSTILE: HOSTILE, "nested": [{HOSTILE: [HOSTILE]}]}, HOSTILE, HOSTILE)
    return [*passing(), Obligation("adjoint", HOSTILE, "../../escape", HOSTILE, HOSTILE, lambda: outcome),
            Obligation("adjoint", HOSTILE, "..//..//escape", HOSTILE, HOSTILE, lambda: outcome)]


def broken() -> list[Obligation]:
    def check() -> Outcome:
        raise ZeroDivisionError("inside the prover")

    return [*passing(), Obligation("adjoint", "broken", "", "", "", check)]


def deadly() -> list[Obligation]:
    def check() -> Outcome:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("not reached")

    return [Obligation("adjoint", "deadly", "", "", "", check)]


def slow() -> list[Obligation]:
    def check() -> Outcome:
        time.sleep(600)
        raise AssertionError("not reached")

    return [*passing(), Obligation("law", "slow", "", "", "", check)]
