"""Value: what the declared fields say, each judged by its own rule, and who asks."""

from typing import Final

from pennon.context import Identity
from pennon.headers.contract import Contract
from pennon.headers.gathering import Gathering
from pennon.headers.grammar import OWS, agree
from pennon.headers.identity import identity_of
from pennon.headers.reading import Rule, Way
from pennon.headers.report import DropReason

_NOBODY: Final = Identity()


class Valuing(Gathering):
    """What was found, and what of it the declared fields came to.

    fields: name and value of those that count, without who asks; identity: that.
    """

    __slots__ = ("fields", "identity")

    def __init__(self, contract: Contract, way: Way, *, is_trusted: bool) -> None:
        super().__init__(contract, way, is_trusted=is_trusted)
        self.fields: tuple[tuple[str, str], ...] = ()
        self.identity = _NOBODY

    def read_fields(self) -> None:
        """All that were found and count from this sender."""
        rules = self._way.rules
        fields: list[tuple[str, str]] = []
        said: dict[str, str] = {}
        for name, first in self.found.items():
            rule = rules.get(name)
            if rule is None:
                continue
            if rule.barred is not None:
                self.dropped.append(rule.barred)
                self.lost.append(name)
                continue
            text = self._text_of(name, first, rule)
            if text is None:
                continue
            if rule.is_identity:
                said[name] = text
            else:
                fields.append((name, text))
        self.fields = tuple(fields)
        if said:
            self._read_identity(said)

    def _text_of(self, name: str, first: bytes, rule: Rule) -> str | None:
        """The value, if it is what the field is declared for."""
        value = self._line_of(name, rule) if name in self.more else first.strip(OWS)
        if value is None:
            return None
        if len(value) > rule.max_length:
            self.spoil(name, DropReason.TOO_LONG)
            return None
        text = value.decode("latin-1")
        if not (value.isascii() and text.isprintable() and rule.fullmatch(text)):
            self.spoil(name, DropReason.MALFORMED)
            return None
        return text

    def _line_of(self, name: str, rule: Rule) -> bytes | None:
        """Several lines as one value: a list's are joined (RFC 9110 §5.3), others must say the same."""
        lines = self.more[name]
        if rule.is_list:
            return b", ".join([line.strip(OWS) for line in lines])
        if agree(lines):
            return lines[0].strip(OWS)
        self.spoil(name, DropReason.REPEATED)
        return None

    def _read_identity(self, said: dict[str, str]) -> None:
        read = identity_of(said)
        self.identity = read.identity
        for drop in read.dropped:
            self.spoil(drop.name, drop.reason)
