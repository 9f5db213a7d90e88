"""Gather: one look at each header, which counts it, finds what means something here, and parses nothing.

Rules. All names and values are counted, also of headers that mean nothing. What `Connection` names concerned one
connection alone and is left out (RFC 9110 §7.6.1). Known are the names that the contract or `std` has; whether others
may stand there is the contract's to say.
"""

from collections.abc import Sequence
from typing import Final

from pennon.headers.carrier import Headers
from pennon.headers.contract import Contract
from pennon.headers.fields import TOO_LARGE_STATUS, UnknownHeaders
from pennon.headers.grammar import CONNECTION, OWS, PLAIN_CONNECTIONS
from pennon.headers.reading import Way
from pennon.headers.report import NAMED_LIMIT_COUNT, Drop, DropReason, Refusal, header_drop

_ALL: Final = "headers"
_CUSTOM: Final = "custom"
_UNKNOWN_STATUS: Final = 400
_OWN_PREFIX: Final = b"pennon-"
# So many times the number that is allowed are searched in a record. Its trace is mostly written last, so that 1 would
# lose it to the first header too many; 5,000 headers would cost a millisecond.
_SEARCHED_TIMES: Final = 5
# A request has so many headers at most unless its budget is raised; what is named beyond them is not left out.
_NOMINATED_LIMIT_COUNT: Final = 100


class Gathering:
    """What was found, by our names for it, and the report as it grows.

    found: the value of the first line; more: all lines of what has several. own: those of pennon's own headers.
    dropped, lost: what did not count, and the names of what did not as a whole. spoiled: those that said something bad.
    refusal: why a request is not to be handled. was_cut: not all that means something here was gathered.
    """

    __slots__ = (
        "_contract", "_is_trusted", "_unknown", "_way", "dropped", "found", "lost", "more", "own", "refusal", "spoiled",
        "was_cut",
    )  # fmt: skip

    def __init__(self, contract: Contract, way: Way, *, is_trusted: bool) -> None:
        self._contract = contract
        self._is_trusted = is_trusted
        self._way = way
        self._unknown: list[bytes] = []
        self.found: dict[str, bytes] = {}
        self.more: dict[str, list[bytes]] = {}
        self.own: dict[str, list[bytes]] = {}
        self.dropped: list[Drop] = []
        self.lost: list[str] = []
        self.spoiled: list[str] = []
        self.refusal: Refusal | None = None
        self.was_cut = False

    def gather(self, headers: Headers, *, stops: bool) -> None:
        """Count all headers, and find those that mean something here. One look at each; nothing is parsed."""
        budgets = self._contract.budgets
        if len(headers) > budgets.total_count:
            self.refuse(_ALL, f"{budgets.total_count} headers", TOO_LARGE_STATUS, DropReason.TOO_MANY)
            headers = headers[: budgets.total_count] if stops else self._meant(headers)
        slots, found, more = self._way.slots, self.found, self.more
        total_bytes = 0
        for name, value in headers:
            slot = slots.get(name)
            if slot is None:
                slot = self._otherwise(name, value)
            if value is None:
                total_bytes += len(name)
                continue
            total_bytes += len(name) + len(value)
            if slot:
                if slot not in found:
                    found[slot] = value
                elif slot in more:
                    more[slot].append(value)
                else:
                    more[slot] = [found[slot], value]
        self._judge(total_bytes, stops=stops)

    def _meant(self, headers: Headers) -> Headers:
        """Of a record with too many, those that mean something here, as many as it may have."""
        limit, slots = self._contract.budgets.total_count, self._way.slots
        names = [name.lower() for name, _ in headers[: _SEARCHED_TIMES * limit]]
        meant = [at for at, name in enumerate(names) if slots.get(name) or name.startswith(_OWN_PREFIX)]
        self.was_cut = len(meant) > limit or len(headers) > len(names)
        return [headers[at] for at in meant[:limit]]

    def lines(self, name: str) -> Sequence[bytes]:
        """All lines of something that was found."""
        return self.more.get(name) or (self.found[name],)

    def spoil(self, name: str, reason: DropReason) -> None:
        """Drop a header for what it says."""
        self.dropped.append(Drop(name, reason))
        self.lost.append(name)
        self.spoiled.append(name)

    def refuse(self, name: str, limit: str, status: int, reason: DropReason) -> None:
        """Drop what is over a limit, and refuse the request."""
        self.dropped.append(Drop(name, reason))
        if self.refusal is None:
            self.refusal = Refusal(status, name, limit)

    def _judge(self, total_bytes: int, *, stops: bool) -> None:
        """What all headers together, and the names alone, are enough to judge."""
        budgets = self._contract.budgets
        if total_bytes > budgets.total_bytes:
            self.refuse(_ALL, f"{budgets.total_bytes} bytes", TOO_LARGE_STATUS, DropReason.TOO_LONG)
        if CONNECTION in self.found:
            self._leave_out_nominated()
        if total_bytes > budgets.custom_bytes:
            self._keep_custom_budget(budgets.custom_bytes, stops=stops)
        if self._unknown:
            self._judge_unknown()

    def _otherwise(self, name: bytes, value: bytes | None) -> str:
        """Our name for a header that is not known as it is written; "" for one that is not read."""
        low = name.lower()
        if low != name:
            slot = self._way.slots.get(low)
            if slot is not None:
                return slot
        if low.startswith(_OWN_PREFIX):
            own = self._contract.reading.own.get(low)
            if own is not None and value is not None:
                self.own.setdefault(own, []).append(value)
        elif self._contract.unknown is not UnknownHeaders.KEEP:
            self._unknown.append(low)
        return ""

    def _leave_out_nominated(self) -> None:
        lines = self.lines(CONNECTION)
        del self.found[CONNECTION]
        if len(lines) == 1 and lines[0] in PLAIN_CONNECTIONS:
            return
        for piece in b",".join(lines).split(b",", _NOMINATED_LIMIT_COUNT)[:_NOMINATED_LIMIT_COUNT]:
            name = self._way.slots.get(piece.strip(OWS).lower())
            if name and name in self.found:
                del self.found[name]
                self.spoil(name, DropReason.NOMINATED)

    def _keep_custom_budget(self, limit_bytes: int, *, stops: bool) -> None:
        """Refuse a request over it; of a record the fields declared last go."""
        sizes = {
            name: sum(len(name) + len(line) for line in self.lines(name))
            for name in self._contract.reading.custom
            if name in self.found
        }
        total = sum(sizes.values())
        if total <= limit_bytes:
            return
        self.refuse(_CUSTOM, f"{limit_bytes} bytes", TOO_LARGE_STATUS, DropReason.TOO_LONG)
        for name in () if stops else reversed(sizes):
            if total <= limit_bytes:
                return
            total -= sizes[name]
            del self.found[name]
            self.spoil(name, DropReason.OVER_BUDGET)

    def _judge_unknown(self) -> None:
        if self._contract.unknown is UnknownHeaders.REJECT and self.refusal is None:
            first = header_drop(self._unknown[0], DropReason.UNKNOWN)
            self.refusal = Refusal(_UNKNOWN_STATUS, first.name)
        self.dropped += [header_drop(name, DropReason.UNKNOWN) for name in self._unknown[:NAMED_LIMIT_COUNT]]
        if len(self._unknown) > NAMED_LIMIT_COUNT:
            self.dropped.append(Drop(_ALL, DropReason.UNKNOWN, len(self._unknown) - NAMED_LIMIT_COUNT))
