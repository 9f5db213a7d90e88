"""What somebody types to find a journey."""

import re
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

QUERY_LIMIT_CHARACTERS: Final = 200

# A trace id in any case, or enough of one: eight digits are shared by chance once in four billion.
_HEX: Final = re.compile(r"[0-9a-fA-F]{8,32}")


class Query(msgspec.Struct, frozen=True):
    """text: a user, a request id, a correlation id, a trace id or at least eight digits of its beginning; "" is all."""

    text: str

    @classmethod
    def of(cls, typed: str) -> "Query":
        """What was typed or pasted, without what came along."""
        return cls(typed.strip()[:QUERY_LIMIT_CHARACTERS])

    def means(self, names: AbstractSet[str]) -> bool:
        """Whether one of a journey's names is the one."""
        if not self.text or self.text in names:
            return True
        if not _HEX.fullmatch(self.text):
            return False
        beginning = self.text.lower()
        return any(len(name) == 32 and name.startswith(beginning) for name in names)
