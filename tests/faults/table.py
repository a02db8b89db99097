"""The table that a run of the suite ends with, one line for each scenario and seed."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.play import Line

COLUMNS = (
    "scenario",
    "log",
    "seed",
    "accepted",
    "delivered",
    "lost",
    "out of order",
    "twice (ids known)",
    "twice (no ids)",
    "ledger off",
    "longest stall s",
    "peak MB",
    "took s",
    "",
)


def cells(line: Line) -> list[str]:
    """A line's cells: the fewest delivered at any vendor, and the sum of what went wrong at all."""
    known = [verdict for verdict in line.verdicts if verdict.exact]
    naive = [verdict for verdict in line.verdicts if not verdict.exact]
    return [
        line.scenario,
        line.log,
        str(line.seed),
        str(max((verdict.accepted for verdict in line.verdicts), default=0)),
        str(min((verdict.delivered for verdict in line.verdicts), default=0)),
        str(sum(len(verdict.lost) + len(verdict.strange) for verdict in line.verdicts)),
        str(sum(len(verdict.late) for verdict in line.verdicts)),
        str(sum(len(verdict.repeated) for verdict in known)),
        str(sum(len(verdict.repeated) for verdict in naive)) if naive else "-",
        str(sum(len(verdict.unbalanced) for verdict in line.verdicts)),
        _longest(line),
        f"{line.peak / 1e6:.0f}",
        f"{line.seconds:.0f}",
        "ok" if line.sound else "BROKEN",
    ]


def _longest(line: Line) -> str:
    """The longest stall, and at which destination it was."""
    longest = max(line.verdicts, key=lambda verdict: verdict.stall, default=None)
    return f"{longest.stall:.1f} {longest.vendor}" if longest else "-"


def table(lines: Sequence[Line]) -> str:
    """A row for each line."""
    return _drawn([COLUMNS, *(cells(line) for line in lines)], words=2)


def comparison(alive: Line, dead: Line) -> str:
    """How long events took to each destination, in a run and in one in which a vendor is dead."""
    rows: list[Sequence[str]] = [
        ("destination", "p50 ms", "one dead", "p99 ms", "one dead", "p99 ratio")
    ]
    for name in alive.delays:
        told = [quantile(line.delays[name], q) for q in (0.5, 0.99) for line in (alive, dead)]
        label = f"{name} (dead)" if name in dead.broken else name
        rows.append((label, *(f"{1e3 * one:.0f}" for one in told), f"{told[3] / told[2]:.2f}"))
    return _drawn(rows, words=1)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of the others do not exceed; of nothing it is no number."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def _drawn(rows: Sequence[Sequence[str]], words: int) -> str:
    """A table of Markdown, which is as well read on a terminal; after `words` come numbers."""
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    ruler = [
        "-" * width if n < words else "-" * (width - 1) + ":" for n, width in enumerate(widths)
    ]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (rows[0], ruler, *rows[1:])
    )


def faults(line: Line) -> str:
    """What was wrong with a line: a few ids of each kind."""
    said = [f"{line.scenario} seed {line.seed} on {line.log}:"]
    for verdict in line.verdicts:
        for word in ("lost", "late", "repeated", "strange", "unbalanced"):
            found = getattr(verdict, word)
            if found:
                said.append(f"  {verdict.vendor}: {len(found)} {word}, as {list(found[:5])}")
    return "\n".join([*said, *(f"  {trouble}" for trouble in line.troubles)])
