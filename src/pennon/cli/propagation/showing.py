"""What was found, for people: tables that fit 80 columns, and under each what the words in it mean."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pennon.cli.propagation.findings import Crossing, Examined, Finding, Item, Level, State

# Two lines each, so that all of them and a door fit 80 columns.
_HEADS: Final = {
    Item.TRACE: "trace",
    Item.PARENT: "parent",
    Item.SAMPLED: "sam-\npled",
    Item.REQUEST_ID: "req.\nid",
    Item.CORRELATION_ID: "corr.\nid",
    Item.BAGGAGE: "bag-\ngage",
    Item.DECISIONS: "deci-\nsions",
    Item.DEADLINE: "dead-\nline",
    Item.IDENTITY: "iden-\ntity",
}
# What is left of 80 columns.
_DOORS_CHARS: Final = 23
_BOTH_COUNT: Final = 2
_CELLS: Final = {
    State.KEPT: Text("ok", style="green"),
    State.WITHHELD: Text("-", style="dim"),
    State.LOST: Text("LOST", style="bold red"),
    State.LEAKED: Text("LEAK", style="bold red"),
}
_STYLES: Final = {Level.FINE: "green", Level.ADVICE: "yellow", Level.BREAK: "bold red"}
_WORDS: Final = {Level.FINE: "ok", Level.ADVICE: "note", Level.BREAK: "BREAK"}


def show(examined: Examined, console: Console, *, in_full: bool = False) -> None:
    """Print it. in_full: also doors that agree with each other get a line each."""
    console.print(Text.assemble("contract ", (examined.contract, "bold")))
    console.print(Text("ok kept · - withheld by the contract · LOST broken · LEAK got what it must not", style="dim"))
    crossings(console, "Coming in", examined.incoming, in_full=in_full)
    crossings(console, "Going out by HTTP", examined.outgoing, in_full=in_full)
    crossings(console, "Records", examined.records, in_full=in_full)
    findings(console, "Work that a request starts", examined.threads)
    findings(console, "Surroundings", examined.surroundings)


def crossings(console: Console, title: str, found: Sequence[Crossing], *, in_full: bool) -> None:
    """For each hop a line per door, those that agree on one; then what was withheld, and what is wrong."""
    if not found:
        return
    console.print()
    console.print(_table(title, []))
    withheld: dict[str, list[str]] = {}
    wrong: list[str] = []
    for hop, each in groupby(found, key=lambda crossing: crossing.hop):
        lines = [*each]
        console.print(Text(hop, style="bold"))
        shown = [[line] for line in lines] if in_full else _alike(lines)
        console.print(_table(None, [(f"  {_doors(alike, lines)}", *_cells(alike[0])) for alike in shown]))
        if rules := _withheld(lines):
            withheld.setdefault(rules, []).append(hop)
        wrong += [f"{hop}: {what}" for what in _wrong(lines)]
    for rules, hops in withheld.items():
        console.print(Padding(Text(f"- {', '.join(hops)}: {rules}", style="dim"), (0, 0, 0, 2)))
    for what in wrong:
        console.print(Padding(Text(what, style="red"), (0, 0, 0, 2)))


def findings(console: Console, title: str, found: Iterable[Finding]) -> None:
    """A line for each."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    for each in found:
        word = Text(_WORDS[each.level], style=_STYLES[each.level])
        table.add_row(word, Text(each.subject), Text(each.said))
    if table.row_count:
        console.print()
        console.print(Text(title, style="bold"))
        console.print(table)


def summed_up(breaks_count: int) -> Text:
    """The last line."""
    if not breaks_count:
        return Text("\nnothing is lost", style="bold green")
    return Text(f"\n{breaks_count} break{'s' * (breaks_count != 1)} found", style="bold red")


def _alike(lines: Sequence[Crossing]) -> list[list[Crossing]]:
    """Those that agree, together; in the order of each first one."""
    groups: dict[object, list[Crossing]] = {}
    for line in lines:
        groups.setdefault((line.fault, tuple(verdict.state for verdict in line.verdicts)), []).append(line)
    return [*groups.values()]


def _doors(some: Sequence[Crossing], of: Sequence[Crossing]) -> str:
    if len(some) == len(of) > 1:
        return "both ways" if len(of) == _BOTH_COUNT else f"all {len(of)} ways"
    return ", ".join(crossing.door for crossing in some)


def _cells(crossing: Crossing) -> list[Text]:
    if crossing.fault:
        return [_CELLS[State.LOST]]
    return [_CELLS[verdict.state] for verdict in crossing.verdicts]


def _withheld(lines: Sequence[Crossing]) -> str:
    """What the contract keeps back, by its rules; "" if nothing."""
    rules: dict[str, dict[str, None]] = {}
    for line in lines:
        for verdict in line.verdicts:
            if verdict.state is State.WITHHELD:
                rules.setdefault(verdict.why, {})[verdict.item.value] = None
    if len(rules) == 1 and len(*rules.values()) == len(Item):
        return next(iter(rules))
    return "; ".join(f"{', '.join(items)} ({rule})" for rule, items in rules.items())


def _wrong(lines: Sequence[Crossing]) -> list[str]:
    """What is wrong, each once and with its doors."""
    wrong: dict[str, list[Crossing]] = {}
    for line in lines:
        if line.fault:
            wrong.setdefault(line.fault, []).append(line)
        for verdict in line.verdicts:
            if verdict.is_break:
                wrong.setdefault(f"{verdict.item}: {verdict.why}", []).append(line)
    return [f"{what} [{_doors(doors, lines)}]" for what, doors in wrong.items()]


def _table(title: str | None, rows: Iterable[Sequence[str | Text]]) -> Table:
    """Of fixed widths, so that several stand in line. title: None: no head."""
    table = Table(box=None, show_header=title is not None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(title or "", overflow="fold", width=_DOORS_CHARS)
    for head in _HEADS.values():
        table.add_column(head, no_wrap=True, width=max(map(len, head.splitlines())))
    for row in rows:
        table.add_row(*row)
    return table
