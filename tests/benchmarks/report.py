"""The page: Markdown tables of one run's figures, each with what it means."""

from __future__ import annotations

from collections.abc import Iterable

from tests.benchmarks.measure import Spread
from tests.benchmarks.million import label
from tests.benchmarks.parts import SUBJECTS, Plan
from tests.benchmarks.results import Results, on
from tests.benchmarks.targets import MB, Target

KINDS = {kind.name: kind for kind in SUBJECTS}
CALLED = (
    "Start latency counts to the first line of the job: for spoolrunner from the rename into `pending/`, for the others (and "
    "in the rows `by enqueue()`) from the call of the client. Jobs of task-spooler and nq are commands; theirs is a shell's."
)


def page(machine: dict[str, str], command: str, plan: Plan, results: Results, targets: list[Target], plot: bool) -> str:
    """The whole of it."""
    blocks = [
        "# Benchmarks",
        "All figures of this page are from one run on one machine, medians of interleaved rounds. A ratio of drains is one of "
        "pairs: each drain stands between two of the bare loop on the same place, and is held against their mean; beside the "
        "median are the quartiles of the rounds. The absolute figures are this machine's, the ratios are what to look at. They "
        "are of the commit that the first table names, and of no later one. "
        "[What is measured and how](../tests/benchmarks/README.md)."
        if plot
        else "",
        _table(("this run", ""), [*machine.items(), *_loads(results), ("Command", f"`{command}`"), *_amounts(plan)]),
        "![The same as bars and lines](benchmarks.png)" if plot else "",
        "## Targets",
        _targets(targets),
        *_pairs(results),
        *_subjects(results, plan),
        *_processes(results),
        *_steps(results),
        *_interpreters(results),
        *_costs(results),
        *_commands(results),
        *_backlogs(results, plan),
        *_waiting(results, plan),
        *_finished(results),
        *_crowds(results),
        "## Left out",
        _left_out(results),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _loads(results: Results) -> list[tuple[str, str]]:
    found = ", ".join(f"{part} {load:.1f}" for part, load in results.loads.items() if part)
    return [("Highest load of each part", f"{found} (a minute's average; what is measured is in it)")] if found else []


def _amounts(plan: Plan) -> list[tuple[str, str]]:
    jobs = [("Jobs of a drain", str(plan.jobs))] if plan.jobs else []
    return [("Rounds", str(plan.rounds)), *jobs]


def _targets(targets: list[Target]) -> str:
    rows = []
    for target in targets:
        sign = ">=" if target.at_least else "<="
        value = "" if target.value is None else f"{target.value:.3g}{target.unit}"
        quartiles = " to ".join(f"{quartile:.3g}" for quartile in target.quartiles or ())
        limits = [
            "" if limit is None else f"{sign} {limit:.3g}{target.unit}" for limit in (target.limit, target.wanted)
        ]
        rows.append((target.words, value, quartiles, target.place, *limits, target.verdict))
    return _table(("target", "measured", "quartiles", "worst on", "required", "wanted", "reached"), rows)


def _pairs(results: Results) -> list[str]:
    rate, cpu = "drain / floor", "drain cpu / floor"
    places = [place for place in results.places if results.has(on(place, rate))]
    if not places:
        return []
    names = dict.fromkeys(name for place in places for name in results.subjects(on(place, rate)))
    rows = [
        (name, *(_spread(results.spread(on(place, metric), name)) for metric in (rate, cpu) for place in places))
        for name in names
    ]
    header = ("subject", *(f"rate, {place}" for place in places), *(f"CPU a job, {place}" for place in places))
    said = "Rate and CPU time of a job in those of the bare loop (2 slots, no fsync) on the same place: median (quartiles)."
    return ["## Beside the bare loop", said, _table(header, rows)]


def _subjects(results: Results, plan: Plan) -> list[str]:
    drains = tuple(on(place, "drain") for place in results.places)
    metrics = (*drains, "enqueue", "latency_p50", "latency_p99", "idle_cpu", "memory")
    if not any(results.has(metric) for metric in metrics):
        return []
    header = (
        "subject", "a process a job", "fsync included", *(f"drain, jobs/s, {place}" for place in results.places),
        f"CPU, ms/job, {results.main}", "with its server", "enqueue, jobs/s", "start latency p50 / p99, ms",
        "idle CPU in 30 s, s", "idle memory, MB",
    )  # fmt: skip
    extra = [name for metric in metrics for name in results.subjects(metric) if name not in KINDS]
    rows = [row for name in [*KINDS, *dict.fromkeys(extra)] if any((row := _subject(results, name))[3:])]
    shown = [KINDS[row[0]] for row in rows if row[0] in KINDS]
    remarks = [f"- {kind.name}: {kind.remark}." for kind in shown if kind.remark]
    many = (
        results.median("enqueue_many", "spoolrunner, fork"),
        results.median("enqueue_many", "spoolrunner, fork, fsync"),
    )
    return [
        "## Side by side",
        _table(header, rows),
        f"All with 2 slots (workers) unless the name says otherwise. All but the drains is on `{results.main}`. {CALLED}",
        f"`enqueue_many` of 10,000: {_number(many[0])} jobs/s without fsync, {_number(many[1])} with."
        if many[0]
        else "",
        _scaled(plan),
        "\n".join(remarks),
    ]


def _scaled(plan: Plan) -> str:
    return "" if plan.idle_seconds == 30 else f"Idle CPU was measured over {plan.idle_seconds:g} s and scaled to 30 s."


def _subject(results: Results, name: str) -> tuple[str, ...]:
    kind = KINDS.get(name)
    cpu, with_server = (results.median(on(results.main, f"drain cpu{which}"), name) for which in ("", " with server"))
    p50, p99 = results.median("latency_p50", name), results.median("latency_p99", name)
    memory, idle = results.median("memory", name), results.median("idle_cpu", name)
    process = "" if kind is None else ("yes" if kind.a_process_a_job else "no")
    return (
        name,
        process,
        "" if kind is None else kind.fsync,
        *(_number(results.median(on(place, "drain"), name)) for place in results.places),
        _number(cpu),
        _number(with_server) if with_server != cpu else "",
        _number(results.median("enqueue", name)),
        "" if p50 is None or p99 is None else f"{p50:.2f} / {p99:.2f}",
        "" if idle is None else f"{idle:.4f}",
        "" if memory is None else f"{memory / MB:.1f}",
    )


def _steps(results: Results) -> list[str]:
    step, cpu = on(results.main, "step"), on(results.main, "step cpu")
    names = results.subjects(step)
    if not names:
        return []
    rows = []
    for name in names:
        ratio = results.spread(on(results.main, "step / floor"), name)
        rows.append((name, _number(results.median(step, name)), _number(results.median(cpu, name)), _spread(ratio)))
    said = (
        "What lies between the floor and spoolrunner; each step has those before it. Up to the last but one it is a loop over "
        "a list of names, which sees no new files, obeys nobody, keeps no log and recovers from nothing. "
        f"Each between two drains of the bare loop, on the place `{results.main}`."
    )
    return [
        "## From the bare loop to spoolrunner",
        said,
        _table(("step", "jobs/s", "CPU, ms/job", "/ bare loop"), rows),
    ]


def _interpreters(results: Results) -> list[str]:
    places = [place for place in results.places if results.has(on(place, "interpreters"))]
    if not places:
        return []
    names = dict.fromkeys(name for place in places for name in results.subjects(on(place, "interpreters")))
    rows = []
    for name in names:
        rates = [_number(results.median(on(place, "interpreters"), name)) for place in places]
        ratios = [_spread(results.spread(on(place, "interpreters / floor"), name)) for place in places]
        rows.append((name, *rates, *ratios))
    said = (
        "Jobs a second of `spawn`, each drain between two loops over `python -I -S -c pass` with as many at a time. "
        "The loop has no files; the places are those of spoolrunner."
    )
    header = ("", *(f"a second, {place}" for place in places), *(f"/ bare, {place}" for place in places))
    return ["## Fresh interpreters", said, _table(header, rows)]


def _processes(results: Results) -> list[str]:
    places = [place for place in results.places if results.has(on(place, "faults"))]
    if not places:
        return []
    metrics = [on(place, metric) for metric in ("faults", "process cpu") for place in places]
    names = dict.fromkeys(name for metric in metrics for name in results.subjects(metric))
    rows = [(name, *(_number(results.median(metric, name)) for metric in metrics)) for name in names]
    header = ("process", *(f"page faults, {place}" for place in places), *(f"CPU, ms, {place}" for place in places))
    said = (
        "Minor page faults and CPU time for one job, by the process that they are counted for. Who forks has faults by it, "
        "too: the pages that it shares with its child are copied for whoever writes to them first."
    )
    return ["## Page faults and CPU time by process", said, _table(header, rows)]


def _costs(results: Results) -> list[str]:
    names = results.subjects("cost")
    if not names:
        return []
    said = f"What the operations of a job cost one process that does nothing else, on the place `{results.main}`."
    rows = [(name, _number(results.median("cost", name))) for name in names]
    return ["## Bare costs", said, _table(("operation", "microseconds"), rows)]


def _commands(results: Results) -> list[str]:
    if not results.has("command"):
        return []
    rows = [(name, _number(results.median("command", name))) for name in results.subjects("command")]
    said = "Wall time of a fresh program that enqueues one job; spoolrunner's job is synced to the disk when it ends."
    return ["## Enqueueing from outside", said, _table(("command", "ms"), rows)]


def _backlogs(results: Results, plan: Plan) -> list[str]:
    sizes = [size for size in plan.backlogs if results.has(f"backlog {size}")]
    if not sizes:
        return []
    rows = []
    for kind in SUBJECTS:
        rates = [_number(results.median(f"backlog {size}", kind.name)) for size in sizes]
        if any(rates):
            rows.append((kind.name, *rates))
    left = [f"- {kind.name}: {kind.why_not_larger}." for kind in SUBJECTS if kind.why_not_larger]
    words = ("Jobs a second of the first jobs while so many wait, from one drain each that was watched for a few seconds. "
             "Not measured here:")  # fmt: skip
    return ["## Backlog, side by side", _table(("subject", *map(label, sizes)), rows), words, "\n".join(left)]


def _waiting(results: Results, plan: Plan) -> list[str]:
    if not results.has("waiting first"):
        return []
    rows = [
        ("first start after, s", "first", 1.0),
        ("all known after, s (paused after the first 20)", "scan", 1.0),
        ("jobs/s while scanning (urgent ones included)", "rate while scanning", 1.0),
        ("jobs/s afterwards", "rate", 1.0),
        ("jobs/s of a thousand, alternating with it", "rate of a thousand", 1.0),
        ("dispatcher's memory, MB", "memory", 1 / MB),
        ("jobs waiting then", "left", 1.0),
        ("dispatcher's CPU for one arrival, all paused, ms", "cpu of an arrival", 1.0),
        ("urgent arrival while scanning, p50, ms", "latency p50 while scanning", 1.0),
        ("urgent arrival while scanning, longest, ms", "latency max while scanning", 1.0),
        ("urgent arrival while draining, p50, ms", "latency p50 while draining", 1.0),
        ("urgent arrival while draining, longest, ms", "latency max while draining", 1.0),
    ]
    names = [label(size) for size in plan.waiting]
    cells = []
    for words, metric, factor in rows:
        found = [results.median(f"waiting {metric}", name) for name in names]
        cells.append((words, *("" if value is None else _number(value * factor) for value in found)))
    return [
        "## spoolrunner with many files in pending/",
        f"Fork, preloaded, 2 slots, no fsync, on the place `{results.main}`.",
        _table(("", *names), cells),
    ]


def _finished(results: Results) -> list[str]:
    kinds = results.subjects("finished rate")
    if not kinds:
        return []
    rows = []
    for kind in kinds:
        p50, p99 = (results.median(f"finished latency_{share}", kind) for share in ("p50", "p99"))
        rows.append((kind, _number(results.median("finished rate", kind)), f"{_number(p50)} / {_number(p99)}"))
    return ["## With many files in done/", _table(("in done/", "drain, jobs/s", "latency p50 / p99, ms"), rows)]


def _crowds(results: Results) -> list[str]:
    kinds = results.subjects("crowd p50")
    if not kinds:
        return []
    rows = []
    for kind in kinds:
        found = (results.median(f"crowd {which}", kind) for which in ("p50", "p99", "max"))
        rows.append(
            (kind, " / ".join(map(_number, found)), _number(results.median("crowd seconds", kind.partition(": ")[2])))
        )
    header = ("the crowd", "start latency of an urgent job, p50 / p99 / longest, ms", "the command took, s")
    return ["## Beside a crowd", _table(header, rows)]


def _left_out(results: Results) -> str:
    return "\n".join(f"- {name}: {why}" for name, why in results.left_out.items()) or "Nobody."


def _number(value: float | None) -> str:
    """As many digits as mean something."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _spread(spread: Spread | None) -> str:
    """A ratio with its quartiles."""
    return "" if spread is None else f"{spread.median:.3g} ({spread.lower:.3g} to {spread.upper:.3g})"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
