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
    """A table with a line for each door, those that agree on one; then what was withheld, and what is wrong."""
    if not found:
        return
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(title, overflow="fold", width=_DOORS_CHARS)
    for head in _HEADS.values():
        table.add_column(head, no_wrap=True)
    said: list[Text] = []
    for hop, each in groupby(found, key=lambda crossing: crossing.hop):
        lines = [*each]
        table.add_row(Text(hop, style="bold"))
        for alike in [[line] for line in lines] if in_full else _alike(lines):
            table.add_row(Text(f"  {_doors(alike, lines)}"), *_cells(alike[0]))
        said += _explained(hop, lines)
    console.print()
    console.print(table)
    for line in said:
        console.print(Padding(line, (0, 0, 0, 2)))


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


def _explained(hop: str, lines: Sequence[Crossing]) -> list[Text]:
    """Each reason once: the contract's dimmed, what is wrong in red and with its doors."""
    rules: dict[str, dict[str, None]] = {}
    wrong: dict[str, list[Crossing]] = {}
    for line in lines:
        if line.fault:
            wrong.setdefault(line.fault, []).append(line)
        for verdict in line.verdicts:
            if verdict.is_break:
                wrong.setdefault(f"{verdict.item}: {verdict.why}", []).append(line)
            elif verdict.state is State.WITHHELD:
                rules.setdefault(verdict.why, {})[verdict.item.value] = None
    said = []
    if len(rules) == 1 and not wrong and len(next(iter(rules.values()))) == len(Item):
        said = [Text(f"- {hop}: {next(iter(rules))}", style="dim")]
    elif rules:
        withheld = "; ".join(f"{', '.join(items)} ({rule})" for rule, items in rules.items())
        said = [Text(f"- {hop}: {withheld}", style="dim")]
    return said + [Text(f"{hop}: {what} [{_doors(doors, lines)}]", style="red") for what, doors in wrong.items()]
