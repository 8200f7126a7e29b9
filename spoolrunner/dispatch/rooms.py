"""The rooms of one dispatcher, joined: what it is made of while it holds a spool. Decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from spoolrunner.config.load import Config
from spoolrunner.dispatch.admission import Admission
from spoolrunner.dispatch.cancelling import Cancelling
from spoolrunner.dispatch.ended import EndedAttempts, policy_of
from spoolrunner.dispatch.intake import Intake
from spoolrunner.dispatch.order import Order
from spoolrunner.dispatch.postponed import Register
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.dispatch.running import RunningAttempts
from spoolrunner.dispatch.starting import Starter
from spoolrunner.executors.base import Executor
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.settling import Settler
from spoolrunner.spool.settling_rules import Boot
from spoolrunner.system.clock import Clock


@dataclass(frozen=True, slots=True)
class Rooms:
    """A dispatcher's rooms, in the order of a job's journey."""

    config: Config
    spool: Spool
    reporter: Reporter
    clock: Clock
    executor: Executor
    register: Register
    order: Order
    intake: Intake
    admission: Admission
    starter: Starter
    running: RunningAttempts
    settler: Settler
    ended: EndedAttempts
    cancelling: Cancelling


def furnish(config: Config, boot: Boot, executor: Executor, reporter: Reporter, clock: Clock) -> Rooms:
    """The rooms of a dispatcher that holds the spool of `config`."""
    spool = Spool(config.layout, config.fsync)
    register, order = Register(), Order(config.priority_aging)
    intake = Intake(config, spool, order, register, reporter, clock)
    running = RunningAttempts(executor, reporter, clock, config.kill_grace, spool.same)
    admission = Admission(running, spool.same)
    settler = Settler(
        spool,
        lambda document: policy_of(config, document),
        executor,
        config.max_log_bytes,
        boot,
        clock,
        config.signing_key,
    )
    ended = EndedAttempts(config, spool, settler, intake, admission, register, executor, running, reporter, clock)
    starter = Starter(spool, intake, admission, register, executor, running, ended, reporter, clock)
    cancelling = Cancelling(spool, settler, intake, starter, running, ended, reporter)
    return Rooms(
        config=config,
        spool=spool,
        reporter=reporter,
        clock=clock,
        executor=executor,
        register=register,
        order=order,
        intake=intake,
        admission=admission,
        starter=starter,
        running=running,
        settler=settler,
        ended=ended,
        cancelling=cancelling,
    )
