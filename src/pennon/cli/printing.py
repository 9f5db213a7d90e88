"""What commands print: tables for people through rich, JSON for programs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import click
import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pennon.flags import BUCKETS

_Document = Mapping[str, Any]

# Between two columns, as rich's tables have it.
_PADDING: Final = 2


def json_document(document: object) -> None:
    """Print one JSON document, indented, keys as they are."""
    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def done(as_json: bool, document: _Document, sentence: str) -> None:
    """Print what a command has done: the answer for programs, else the sentence."""
    if as_json:
        json_document(document)
    else:
        click.echo(sentence)


def value_of(text: str) -> Any:
    """A value typed on a command line: JSON if it is JSON, else the text itself."""
    try:
        return msgspec.json.decode(text.encode())
    except msgspec.DecodeError:
        return text


def percent(buckets: int) -> str:
    """A share of all buckets as people write it: 25000 → 25%."""
    return f"{buckets * 100 / BUCKETS:g}%"


def serves(settings: _Document) -> str:
    """What an environment's settings serve, in a few words."""
    if settings.get("killed"):
        return f"is killed: serves {settings['off']!r}"
    if not settings["on"]:
        return f"is off: serves {settings['off']!r}"
    rules = len(settings["rules"])
    prefix = f"{rules} rule{'s' * (rules != 1)}, else " if rules else ""
    return f"serves {prefix}{_served(settings['fallthrough'], settings['off'])}"


def flag_table(environment: str, rows: Iterable[tuple[_Document, _Document]]) -> None:
    """One line a flag."""
    lines = []
    for flag, settings in rows:
        state = "archived" if flag.get("archived") else serves(settings)
        style = "red" if settings.get("killed") else "dim" if flag.get("archived") or not settings["on"] else ""
        cells = (flag["key"], flag["type"], flag["unit"], state, str(settings["revision"]))
        lines.append([Text(cell, style=style) for cell in cells])
    columns = ("flag", "type", "unit", environment, "revision")
    _print_lines(columns, lines, nothing="no flags yet: pennon flags create NAME")


def flag_page(environment: str, flag: _Document, settings: _Document) -> None:
    """A flag in full."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    variants = ", ".join(f"{variant['key']} = {_json(variant['value'])}" for variant in flag["variants"])
    rows = [("flag", flag["key"]), ("description", flag.get("description") or ""), ("type", flag["type"])]
    rows += [("unit", flag["unit"]), ("variants", variants), ("tags", ", ".join(flag.get("tags", ())))]
    rows += [("carried", _carried(flag)), ("decided at", flag.get("at", ""))]
    rows += [("overridable", "yes" if flag.get("overridable") else "no")]
    rows += [("exposes", "yes" if flag.get("exposes") else "no"), (environment, serves(settings))]
    for asked in settings.get("prerequisites", ()):
        rows.append(
            (f"  if {asked['flag']}", f"is {' or '.join(map(repr, asked['variants']))}, else {settings['off']!r}")
        )
    for rule in settings["rules"]:
        rows.append((f"  rule {rule['id']}", f"{_clauses(rule)} → {_served(rule['serve'], settings['off'])}"))
    rows += [("revision", str(settings["revision"])), ("void before", str(settings["void_before"]))]
    for name, value in rows:
        if value:
            table.add_row(name, Text(value))
    _console().print(table)


def listing(columns: Sequence[str], rows: Iterable[Sequence[object]], *, nothing: str) -> None:
    """A table of plain cells. nothing: what is said where there is no row."""
    _print_lines(columns, [[Text(str(cell)) for cell in cells] for cells in rows], nothing=nothing)


def moment(at_s: float) -> str:
    """A time since 1970, for people: UTC, to the second."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def history_table(flag: str, environment: str, rows: Iterable[_Document]) -> None:
    """One line a change."""
    cells = ((row["revision"], row["at"], row["actor"], row["action"], row.get("reason") or "") for row in rows)
    listing(("revision", "when", "who", "what", "why"), cells, nothing=f"{flag} has no history in {environment}")


def _print_lines(columns: Sequence[str], lines: Sequence[Sequence[Text]], *, nothing: str) -> None:
    """A table; where words, dates and ids would have to be broken for it, a block for each line."""
    console = _console()
    widths = _widths(columns, lines, console.width)
    if not lines:
        console.print(nothing)
    elif widths is None:
        console.print(_blocks(columns, lines))
    else:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for column, width in zip(columns, widths, strict=True):
            table.add_column(column, width=width)
        for cells in lines:
            table.add_row(*cells)
        console.print(table)


def _widths(columns: Sequence[str], lines: Iterable[Sequence[Text]], width: int) -> list[int] | None:
    """How wide each column may be, in cells, so that only spaces are broken at; None if there is not the room."""
    cells = list(zip([Text(column) for column in columns], *lines, strict=True))
    least = [max(cell_len(word) for text in column for word in (text.plain.split() or [""])) for column in cells]
    spare = width - sum(least) - _PADDING * (len(columns) - 1)
    if spare < 0:
        return None
    widths = []
    for column, needed in zip(cells, least, strict=True):
        more = min(spare, max(text.cell_len for text in column) - needed)
        widths.append(needed + more)
        spare -= more
    return widths


def _blocks(columns: Sequence[str], lines: Iterable[Sequence[Text]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    # What is wider than the screen goes on in the next line: an id is there to be copied.
    table.add_column(overflow="fold")
    for number, cells in enumerate(lines):
        if number:
            table.add_row("", "")
        for column, cell in zip(columns, cells, strict=True):
            if cell.plain:
                table.add_row(column, cell)
    return table


def _carried(flag: _Document) -> str:
    carried = "yes" if flag.get("carry") else "if it splits" if flag.get("carry") is None else "no"
    age_s = flag.get("carry_max_age_s")
    return carried if age_s is None else f"{carried}, for at most {age_s} s"


def restored(document: _Document) -> None:
    """What a restore did, line by line."""
    for row in document["environments"]:
        click.echo(f"{row['project']}/{row['environment']}: epoch {row['epoch']}, revision {row['revision']}")
    for kill in document.get("kills", ()):
        click.echo(f"{kill['project']}/{kill['environment']}: {kill['flag']!r} stays killed")
    for name, said in _KEPT.items():
        if count := document.get(name):
            click.echo(f"{count} {said}")
    if document.get("beside"):
        click.echo(f"the database of before is {document['beside']}")


def _served(serve: _Document, off: str) -> str:
    split = serve.get("split")
    if not split:
        return repr(serve["variant"])
    arms = split["weights"]
    if len(arms) == 1:
        shares = f"{arms[0]['variant']!r} to {percent(split['coverage'])}"
    else:
        divided = " / ".join(f"{arm['variant']} {percent(arm['weight'])}" for arm in arms)
        shares = f"{divided} to {percent(split['coverage'])}"
    return f"{shares} of units, {split.get('rest') or off!r} to the rest"


def _clauses(rule: _Document) -> str:
    return " and ".join(_clause(clause) for clause in rule["clauses"]) or "everybody"


def _clause(clause: _Document) -> str:
    named = {key: value for key, value in clause.items() if key not in {"op", "attribute", "negate"}}
    words = [clause.get("attribute", ""), "not" * bool(clause.get("negate")), clause["op"], *map(_json, named.values())]
    return " ".join(word for word in words if word)


_KEPT: Final[Mapping[str, str]] = {
    "revoked_tokens": "tokens stay revoked",
    "revoked_overrides": "overrides stay revoked",
    "removed_signers": "signers stay removed",
    "forgotten_tokens": "tokens made since the backup are unknown now: pennon token create makes new ones",
}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _console() -> Console:
    return Console(highlight=False)
