"""Which flags a flag needs before its own rules count, as records say it.

Prerequisites form a graph that a ruleset's author keeps free of circles, and a reader must survive where nobody did:
nothing here or above it recurses along the graph, so neither a circle nor a chain of thousands is a danger.
"""

from collections.abc import Collection, Iterator, Mapping

from pennon.flags.records import FlagRecord, PrerequisiteRecord


def needed_by(record: FlagRecord, records: Mapping[str, FlagRecord]) -> tuple[str, ...]:
    """Keys of the flags that it needs, transitively, each once, also of those that do not exist.

    What a flag needs stands before it, unless the two are on one circle. The record's own key is among them exactly if
    it is on a circle itself.
    """
    seen: set[str] = set()
    left: dict[str, None] = {}
    path: list[tuple[str, Iterator[PrerequisiteRecord]]] = [(record.key, iter(record.prerequisites))]
    while path:
        key, rest = path[-1]
        step = next((each.flag for each in rest if each.flag not in seen), None)
        if step is None:
            path.pop()
            left[key] = None
        else:
            seen.add(step)
            needed = records.get(step)
            path.append((step, iter(() if needed is None else needed.prerequisites)))
    return tuple(key for key in left if key in seen)


def prerequisite_fault(record: FlagRecord, needed: Collection[str], records: Mapping[str, FlagRecord]) -> str | None:
    """Why a flag cannot need what it says it needs; None if it can. A flag that does not exist is no fault.

    needed: as `needed_by` gives it.
    """
    if record.key in needed:
        ways = (each.flag for each in record.prerequisites if each.flag in records)
        way = next(key for key in ways if key == record.key or record.key in needed_by(records[key], records))
        return f"prerequisite {way!r} needs {record.key!r} itself; prerequisites must not run in a circle"
    for each in record.prerequisites:
        if each.flag in records:
            variants = {variant.key for variant in records[each.flag].variants}
            if gone := sorted({*each.variants} - variants):
                return f"prerequisite {each.flag!r}: variant {gone[0]!r} is not one of {sorted(variants)}"
    return None
