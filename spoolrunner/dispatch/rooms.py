"""The rooms of one dispatcher, joined: what it is made of while it holds a spool. Decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from spoolrunner.config.load import Config
from spoolrunner.dispatch.admission import Admission
from spoolrunner.dispatch.adopting import Adoption, policy_of
from spoolrunner.dispatch.cancelling import Cancelling
from spoolrunner.dispatch.deadlines import Deadlines
from spoolrunner.dispatch.ended import EndedAttempts
from spoolrunner.dispatch.intake import Intake
from spoolrunner.dispatch.one_file import FileFaults
from spoolrunner.dispatch.order import Order
from spoolrunner.dispatch.postponed import Register
from spoolrunner.dispatch.readiness import Readiness
from spoolrunner.dispatch.reporter import Reporter
from spoolrunner.dispatch.running import RunningAttempts
from spoolrunner.dispatch.starting import Starter
from spoolrunner.executors.base import Executor
from spoolrunner.spool.folders import Spool
from spoolrunner.spool.running_file import RunningFiles
from spoolrunner.spool.settling import Settler
from spoolrunner.spool.settling_rules import Boot
from spoolrunner.system.clock import Clock

BUSY_SECONDS = 0.1
BUSY_SCAN_SHARE = 0.03
"""The share of time for a scan while jobs came to their ends within BUSY_SECONDS."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """A dispatcher's rooms, in the order of a job's journey."""

    config: Config
    spool: Spool
    reporter: Reporter
    clock: Clock
    executor: Executor
    readiness: Readiness
    register: Register
    order: Order
    intake: Intake
    admission: Admission
    deadlines: Deadlines
    starter: Starter
    running: RunningAttempts
    settler: Settler
    ended: EndedAttempts
    cancelling: Cancelling

    def reconfigure(self, config: Config) -> None:
        """Go by what `config` says by now, which is the one that these rooms have. What runs keeps its policy."""
        self.order.aging = config.priority_aging
        self.deadlines.import_timeout = config.import_timeout
        self.running.kill_grace = config.kill_grace
        self.settler.max_log_bytes = config.max_log_bytes
        self.admission.reconfigure(config.allowed, config.groups)
        self.intake.judge_anew()

    @property
    def has_work(self) -> bool:
        """Whether something of what waits may be started, at once or by and by: what is paused, or not due, is left."""
        is_due = self.order.is_due(self.clock.wall()) or self.admission.waits_for_time
        return is_due or self.intake.dependencies.is_busy

    def may_be_waited_for(self, job_id: str) -> bool:
        """Whether a waiting job may name, in its `after`, the job that lies under this id in done/ or failed/."""
        return self.intake.has_unread or self.intake.dependencies.is_named(job_id)

    def scan_share(self, now: float) -> float:
        """The share of time for a scan: little while jobs come to their ends and more of them are known to be due."""
        is_busy = now - self.ended.last_settled < BUSY_SECONDS and self.order.is_due(self.clock.wall())
        return BUSY_SCAN_SHARE if is_busy else 1.0


def furnish(config: Config, boot: Boot, executor: Executor, reporter: Reporter, clock: Clock) -> Rooms:
    """The rooms of a dispatcher that holds the spool of `config`."""
    spool = Spool(config.layout, config.fsync)
    register, order = Register(), Order(config.priority_aging)
    faults = FileFaults(spool, register, reporter, clock)
    intake = Intake(config, spool, order, register, faults, reporter, clock)
    deadlines = Deadlines(config.layout, reporter, clock, config.import_timeout)
    running = RunningAttempts(executor, reporter, clock, deadlines, config.kill_grace, spool.same)
    admission = Admission(order, config.allowed, config.groups, clock, spool.same)
    running.added, running.removed = admission.started, admission.ended
    settler = Settler(
        spool,
        lambda document: policy_of(config, document),
        executor,
        config.max_log_bytes,
        boot,
        clock,
        config.signing_key,
    )
    adoption = Adoption(config, spool, executor, running, reporter, clock)
    ended = EndedAttempts(
        spool, settler, intake, admission, register, faults, executor, running, adoption, reporter, clock
    )
    starter = Starter(spool, intake, admission, register, faults, executor, running, ended, deadlines, reporter, clock)
    files = RunningFiles(spool, config.signing_key)
    cancelling = Cancelling(spool, files, register, faults, intake, starter, running, ended, reporter, clock)
    return Rooms(
        config=config,
        spool=spool,
        reporter=reporter,
        clock=clock,
        executor=executor,
        readiness=Readiness(executor, reporter.report, clock),
        register=register,
        order=order,
        intake=intake,
        admission=admission,
        deadlines=deadlines,
        starter=starter,
        running=running,
        settler=settler,
        ended=ended,
        cancelling=cancelling,
    )
