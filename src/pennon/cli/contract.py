"""`pennon contract`: what a header contract answers to a review, and its documents."""

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pennon.cli import printing
from pennon.cli.evidence import doors_in, tests_in
from pennon.cli.loading import contract_of
from pennon.cli.options import json_option
from pennon.errors import ContractInvalid
from pennon.headers import Contract
from pennon.headers.asyncapi import asyncapi
from pennon.headers.documents import markdown, marks_of, spliced
from pennon.headers.lint import Finding, Rule, findings_of
from pennon.headers.openapi import openapi
from pennon.headers.review import Answer, Evidence, Outcome, review_of

EXIT_FAILED: Final = 1
EXIT_DOES_NOT_LOAD: Final = 2
_MARKS: Final = {
    Outcome.PASSED: ("✓", "green"),
    Outcome.FAILED: ("✗", "red"),
    Outcome.NOT_DECLARED: ("–", "dim"),  # noqa: RUF001  # a dash, as in a table
}
# What shows what the contract itself cannot.
_SHOWN_BY: Final = {
    116: "--app MODULE:APP, what pennon.http.asgi or wsgi returned for this contract",
    126: "--tests REPORT, what pytest --junitxml=REPORT wrote of a run in which header_contract_suite, or cases of it,"
    " passed for this contract as it stands",
}
_file_argument = click.argument("file", metavar="FILE")


@click.group()
def contract() -> None:
    """Review a header contract, and write its documents.

    FILE is a contract.toml, module:attribute or path/to/file.py:attribute, where the attribute is a Contract or a
    function without arguments that makes one. Only what you name is imported.
    """


@contract.command()
@_file_argument
@click.option(
    "--app",
    "apps",
    multiple=True,
    metavar="MODULE:APP",
    help="Your app, wrapped by pennon's door, or a function without arguments that makes it. Repeat.",
)
@click.option(
    "--tests",
    "reports",
    multiple=True,
    metavar="REPORT",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What pytest --junitxml=REPORT wrote, in a run of tests that ask this contract. Repeat.",
)
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    type=click.Choice([rule.value for rule in Rule]),
    metavar="RULE",
    help="A finding that is meant so.",
)
@json_option
@click.pass_context
def check(
    context: click.Context,
    file: str,
    apps: Sequence[str],
    reports: Sequence[Path],
    allowed: Sequence[str],
    as_json: bool,
) -> None:
    """Answer the 14 questions of a review, with evidence, and say what else is to be asked.

    Exit codes: 0 all is well · 1 an answer is no, or there is a finding · 2 the contract does not load.
    """
    declared = _contract_of(context, file)
    evidence = Evidence(
        doors=[*doors_in(apps, declared)] if apps else None,
        tests=[*tests_in(reports, declared)] if reports else None,
    )
    answers = review_of(declared, evidence, allowed=frozenset(map(Rule, allowed)))
    findings = [finding for finding in findings_of(declared) if finding.rule not in allowed]
    if as_json:
        printing.json_document({"contract": declared.name, "answers": answers, "findings": findings})
    else:
        _print(declared, answers, findings)
    is_well = not findings and all(answer.outcome is not Outcome.FAILED for answer in answers)
    context.exit(0 if is_well else EXIT_FAILED)


@contract.command()
@_file_argument
@click.option("--format", "form", type=click.Choice(["md", "openapi", "asyncapi"]), default="md", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the document into this file.")
@click.option(
    "--check",
    "checked",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Compare with this file, or the part of a page between the marks; 1 and a diff where they differ.",
)
@click.option(
    "--write",
    "page",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Put the Markdown between the marks of this page.",
)
@click.pass_context
def doc(
    context: click.Context, file: str, form: str, output: Path | None, checked: Path | None, page: Path | None
) -> None:
    """Write the contract's document: Markdown tables, or a fragment of OpenAPI 3.1 or AsyncAPI 3.0 as JSON.

    A page, such as a README, holds the Markdown between two lines:
    <!-- pennon contract NAME: begin --> and <!-- pennon contract NAME: end -->.

    Exit codes: 0 done, nothing has drifted · 1 the file says something else · 2 the contract does not load.
    """
    if sum(each is not None for each in (output, checked, page)) > 1:
        raise click.UsageError("give one of --output, --check and --write")
    if page is not None and form != "md":
        raise click.UsageError("--write is for Markdown; --output writes a whole file")
    declared = _contract_of(context, file)
    document = _DOCUMENTS[form](declared)
    if output is not None:
        output.write_text(document, encoding="utf-8")
    elif page is not None:
        page.write_text(_page(page.read_text(encoding="utf-8"), page, declared), encoding="utf-8")
    elif checked is not None:
        _compare(context, checked, document, declared if form == "md" else None)
    else:
        click.echo(document, nl=False)


def _contract_of(context: click.Context, file: str) -> Contract:
    """The contract that FILE names; where it has faults the command ends, all of them told."""
    try:
        return contract_of(file)
    except ContractInvalid as refusal:
        for fault in refusal.faults:
            click.echo(f"pennon: {file}: {fault}", err=True)
        context.exit(EXIT_DOES_NOT_LOAD)


def _print(declared: Contract, answers: Sequence[Answer], findings: Sequence[Finding]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for answer in answers:
        mark, style = _MARKS[answer.outcome]
        shown_by = _SHOWN_BY.get(answer.number) if answer.outcome is Outcome.FAILED else None
        way_out = f" ({shown_by})" if shown_by else ""
        says = Text(answer.question).append(f"\n{answer.evidence}{way_out}", style="dim")
        table.add_row(Text(mark, style=style), str(answer.number), says)
    for finding in findings:
        asked = Text(f"{finding.rule} at {finding.path}").append(f"\n{finding.message}", style="dim")
        table.add_row(Text("✗", style="red"), "ask", asked)
    console = Console(highlight=False)
    console.print(table)
    no = sum(answer.outcome is Outcome.FAILED for answer in answers)
    console.print(
        Text(f"\n{declared.name} {declared.version}: {no} of {len(answers)} answers are no, ", end=""), end=""
    )
    console.print(Text(f"{len(findings)} finding{'s' * (len(findings) != 1)}"))


def _page(text: str, path: Path, declared: Contract) -> str:
    """The page as it should be."""
    page = spliced(text, declared)
    if page is None:
        begin, end = marks_of(declared)
        raise click.BadParameter(f"{path} does not hold each of these lines once, in this order:\n{begin}\n{end}")
    return page


def _compare(context: click.Context, path: Path, document: str, declared: Contract | None) -> None:
    """Say how the file differs from what it should hold. declared: of a page, where it may hold more than that."""
    found = path.read_text(encoding="utf-8")
    is_page = declared is not None and any(mark in found for mark in marks_of(declared))
    wanted = _page(found, path, declared) if declared is not None and is_page else document
    if found == wanted:
        return
    lines = (found.splitlines(keepends=True), wanted.splitlines(keepends=True))
    for line in difflib.unified_diff(*lines, fromfile=str(path), tofile="the contract"):
        click.echo(line, nl=not line.endswith("\n"))
    context.exit(EXIT_FAILED)


def _json(document: object) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


_DOCUMENTS: Final[dict[str, Callable[[Contract], Any]]] = {
    "md": markdown,
    "openapi": lambda declared: _json(openapi(declared)),
    "asyncapi": lambda declared: _json(asyncapi(declared)),
}
