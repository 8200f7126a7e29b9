"""What a dispatcher is up to, as one table: in each phase, each request or mishap has an answer.

    phase, answer = TABLE[phase, request]

Pure. The table is complete (a test asserts it), so that no combination of paused, blocked and stopping is left to chance. What
an answer means is for `service` and, of a stop, for `stopping`.
"""

from __future__ import annotations

from enum import Enum, StrEnum


class Phase(Enum):
    """What a dispatcher is up to; each phase with the answers to the questions that are asked of it all the time.

    `word` is the word for it in status.json. `starts`: jobs are started. `works`: the spool can be worked on, so that jobs are
    looked at, claimed and settled. `is_paused`: a person asked for no more starts. `is_ending`: a person asked for the end.
    """

    #                   word        starts  works  is_paused  is_ending
    SERVING = "running", True, True, False, False
    PAUSED = "paused", False, True, True, False
    BLOCKED = "blocked", False, False, False, False
    BLOCKED_PAUSED = "blocked", False, False, True, False
    STOPPING = "stopping", False, True, False, True
    STOPPING_BLOCKED = "stopping", False, False, False, True
    LEAVING = "leaving", False, True, False, True

    def __init__(self, word: str, *answers: bool) -> None:
        self.word = word
        self.starts, self.works, self.is_paused, self.is_ending = answers


class Request(StrEnum):
    """What may come over a dispatcher."""

    PAUSE = "control/pause was made"
    RESUME = "control/pause was removed"
    STOP = "a stop was asked for, for the first time or again"
    LEAVE = "a stop was asked for that lets the jobs run on"
    TROUBLE = "the spool could not be worked on"
    RECOVERED = "it can again"


class Answer(StrEnum):
    """What is to be done about it, besides the change of phase."""

    NOTHING = "nothing"
    REPORT = "report it"
    BEGIN_TO_STOP = "give the jobs that run their time, then interrupt them"
    HURRY = "interrupt the jobs that run, now"


_S, _P, _B, _BP = Phase.SERVING, Phase.PAUSED, Phase.BLOCKED, Phase.BLOCKED_PAUSED
_ST, _SB, _L = Phase.STOPPING, Phase.STOPPING_BLOCKED, Phase.LEAVING
_NOTHING, _REPORT, _BEGIN, _HURRY = Answer

TABLE: dict[tuple[Phase, Request], tuple[Phase, Answer]] = {
    (_S, Request.PAUSE): (_P, _REPORT),
    (_S, Request.RESUME): (_S, _NOTHING),
    (_S, Request.STOP): (_ST, _BEGIN),
    (_S, Request.LEAVE): (_L, _NOTHING),
    (_S, Request.TROUBLE): (_B, _REPORT),
    (_S, Request.RECOVERED): (_S, _NOTHING),
    (_P, Request.PAUSE): (_P, _NOTHING),
    (_P, Request.RESUME): (_S, _REPORT),
    (_P, Request.STOP): (_ST, _BEGIN),
    (_P, Request.LEAVE): (_L, _NOTHING),
    (_P, Request.TROUBLE): (_BP, _REPORT),
    (_P, Request.RECOVERED): (_P, _NOTHING),
    (_B, Request.PAUSE): (_BP, _REPORT),
    (_B, Request.RESUME): (_B, _NOTHING),
    (_B, Request.STOP): (_SB, _BEGIN),
    (_B, Request.LEAVE): (_L, _NOTHING),
    (_B, Request.TROUBLE): (_B, _REPORT),
    (_B, Request.RECOVERED): (_S, _REPORT),
    (_BP, Request.PAUSE): (_BP, _NOTHING),
    (_BP, Request.RESUME): (_B, _REPORT),
    (_BP, Request.STOP): (_SB, _BEGIN),
    (_BP, Request.LEAVE): (_L, _NOTHING),
    (_BP, Request.TROUBLE): (_BP, _REPORT),
    (_BP, Request.RECOVERED): (_P, _REPORT),
    (_ST, Request.PAUSE): (_ST, _NOTHING),
    (_ST, Request.RESUME): (_ST, _NOTHING),
    (_ST, Request.STOP): (_ST, _HURRY),
    (_ST, Request.LEAVE): (_L, _NOTHING),
    (_ST, Request.TROUBLE): (_SB, _REPORT),
    (_ST, Request.RECOVERED): (_ST, _NOTHING),
    (_SB, Request.PAUSE): (_SB, _NOTHING),
    (_SB, Request.RESUME): (_SB, _NOTHING),
    (_SB, Request.STOP): (_SB, _HURRY),
    (_SB, Request.LEAVE): (_L, _NOTHING),
    (_SB, Request.TROUBLE): (_SB, _REPORT),
    (_SB, Request.RECOVERED): (_ST, _REPORT),
    (_L, Request.PAUSE): (_L, _NOTHING),
    (_L, Request.RESUME): (_L, _NOTHING),
    (_L, Request.STOP): (_L, _NOTHING),
    (_L, Request.LEAVE): (_L, _NOTHING),
    (_L, Request.TROUBLE): (_L, _NOTHING),
    (_L, Request.RECOVERED): (_L, _NOTHING),
}
