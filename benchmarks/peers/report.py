"""The race's result for readers: a Markdown table and a plot."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

JOBS: Final = {
    "a": "A · static on",
    "b": "B · 50 % rollout",
    "c": "C · five rules, ten clauses, split",
    "d": "D · segment of 10,000, not in it",
}

Result = Mapping[str, Any]

WIDTH: Final = 880
PANEL: Final = 420
ROW: Final = 24
HEAD: Final = 34
TOP: Final = 58
# Within a panel: where names end and the axis begins, where it ends, where times and ratios end.
NAMES: Final = 112
AXIS_END: Final = 296
TIMES: Final = 366
RATIOS: Final = 412

STYLE: Final = """
  .card { fill: #ffffff; stroke: #d0d7de } text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 } .job { font-weight: 600 } .soft { fill: #59636e; font-size: 12px }
  .grid { stroke: #d8dee4 } .dot { fill: #818b98 } .ours { fill: #0969da; font-weight: 600 }
  .end { text-anchor: end } .middle { text-anchor: middle }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d } text { fill: #f0f6fc } .soft { fill: #9198a1 } .grid { stroke: #30363d }
    .dot { fill: #7d8590 } .ours { fill: #58a6ff }
  }
"""


def table(result: Result) -> str:
    """Microseconds of one call and how many times ours that is, and whether the bars are met."""
    contenders = result["contenders"].values()
    lines = [
        "| µs per call (times pennon's) | version | floor, ns | " + " | ".join(job.upper() for job in JOBS) + " |",
        "|---|---|--:|" + "--:|" * len(JOBS),
    ]
    for contender in contenders:
        cells = [_cell(contender["jobs"][job]) for job in JOBS]
        lines.append(
            f"| {contender['title']} | {contender['version']} | {contender['floor_ns']:.0f} | {' | '.join(cells)} |"
        )
    found = result["jobs"]
    ratios = [f"{found[job]['ratio']:.1f}" for job in JOBS]
    least = [f"{found[job]['least_ratio']:.1f}" for job in JOBS]
    marks = [f"≥ {found[job]['bar']:g}{'' if found[job]['met'] else ' MISSED'}" for job in JOBS]
    lines.append(f"| **best peer, times pennon's** | | | {' | '.join(ratios)} |")
    lines.append(f"| the same, all at their fastest turn | | | {' | '.join(least)} |")
    lines.append(f"| bar | | | {' | '.join(marks)} |")
    return "\n".join([*lines, "", _method(result), ""])


def plot(result: Result) -> str:
    """An SVG of four panels on one logarithmic axis; readable on light and dark pages."""
    times = [standing["ns"] for one in result["contenders"].values() for standing in one["jobs"].values()]
    decades = range(math.floor(math.log10(min(times))), math.ceil(math.log10(max(times))) + 1)
    height = HEAD + ROW * len(result["contenders"]) + 34
    panels = [
        _panel(result, job, decades, 12 + (at % 2) * (PANEL + 16), TOP + (at // 2) * height)
        for at, job in enumerate(JOBS)
    ]
    total = TOP + 2 * height + 18
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total}" width="{WIDTH}" role="img">',
            "<title>Time of one flag evaluation: pennon and five other SDKs</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{total - 1}" rx="8"/>',
            '<text class="title" x="20" y="30">CPU time of one public call, as a multiple of pennon beside it</text>',
            *panels,
            f'<text class="soft" x="20" y="{total - 12}">{escape(_method(result))}</text>',
            "</svg>",
            "",
        ]
    )


def _panel(result: Result, job: str, decades: Sequence[int], left: int, top: int) -> str:
    rows = sorted(result["contenders"].items(), key=lambda one: float(one[1]["jobs"][job]["ns"]))
    bottom = HEAD + ROW * len(rows)
    scale = (AXIS_END - NAMES) / (decades[-1] - decades[0])
    parts = [f'<g transform="translate({left} {top})"><text class="job" x="8" y="16">{escape(JOBS[job])}</text>']
    for decade in decades:
        x = NAMES + (decade - decades[0]) * scale
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{HEAD - 8}" y2="{bottom}"/>')
        label = _time(10.0**decade).replace("1.0", "1")
        parts.append(f'<text class="soft middle" x="{x:.1f}" y="{bottom + 15}">{label}</text>')
    for at, (name, contender) in enumerate(rows):
        standing = contender["jobs"][job]
        x = NAMES + (math.log10(standing["ns"]) - decades[0]) * scale
        y = HEAD + ROW * at + 4
        ours = " ours" if name == "pennon" else ""
        ratio = (
            "" if ours else f'<text class="soft end" x="{RATIOS}" y="{y + 4}">{_digits(standing["ratio"])}&#215;</text>'
        )
        parts.append(
            f'<text class="end{ours}" x="{NAMES - 10}" y="{y + 4}">{escape(contender["title"])}</text>'
            f'<line class="grid" x1="{NAMES}" x2="{AXIS_END}" y1="{y}" y2="{y}"/>'
            f'<circle class="dot{ours}" cx="{x:.1f}" cy="{y}" r="5.5"/>'
            f'<text class="end{ours}" x="{TIMES}" y="{y + 4}">{_time(standing["ns"])}</text>{ratio}'
        )
    return "\n".join([*parts, "</g>"])


def _cell(standing: Mapping[str, float]) -> str:
    figure = _digits(standing["ns"] / 1_000)
    return figure if standing["ratio"] == 1 else f"{figure} ({_digits(standing['ratio'])}x)"


def _time(spent_ns: float) -> str:
    """With a fitting unit."""
    for limit, unit, size in ((1e3, "ns", 1.0), (1e6, "µs", 1e3)):
        if spent_ns < limit:
            return f"{_digits(spent_ns / size)} {unit}"
    return f"{_digits(spent_ns / 1e6)} ms"


def _digits(number: float) -> str:
    """To two digits or the nearest whole number."""
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}" if number >= 1 else f"{number:.2f}"


def _method(result: Result) -> str:
    found = result["machine"]
    return (
        f"Medians of {result['rounds']} interleaved rounds; {found['cpu']} (load before: {result['load']}), "
        f"{found['python']}, pennon {found['pennon']} at {found['commit']}."
    )
