"""The examples of docs/reference/flags.md are what the engine reads."""

import base64
import re
from pathlib import Path
from typing import Any

import msgspec

from pennon.flags import (
    FlagRecord,
    ReconciledRecord,
    RevocationRecord,
    RulesetRecord,
    SegmentRecord,
    SignerRecord,
    cbor_text,
    member_hash,
)

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "flags.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)


def test_reference_examples_are_usable_records(make: Any) -> None:
    """The page's flag compiles and its segment lists whom it says."""
    _, flag, segment, *_ = EXAMPLES
    assert make.compiled(msgspec.json.decode(flag, type=FlagRecord)).fault is None
    assert (member_hash("beta", "user-1"),) == msgspec.json.decode(segment, type=SegmentRecord).members


def test_reference_bytes_are_those_hashed() -> None:
    """The page's example of what is hashed."""
    assert f"`{cbor_text('s:user-7').hex(' ')}`" in PAGE


def test_reference_shows_every_member(make: Any) -> None:
    """A record's member that the page leaves out would be unknown to other languages."""
    records: tuple[type[msgspec.Struct], ...] = (
        RulesetRecord,
        FlagRecord,
        SegmentRecord,
        SignerRecord,
        RevocationRecord,
    )
    for example, record in zip(EXAMPLES, records, strict=True):
        assert {field.name for field in msgspec.structs.fields(record)} == msgspec.json.decode(example).keys()
    assert RevocationRecord.__struct_fields__ == ReconciledRecord.__struct_fields__


def test_reference_signer_is_a_usable_key() -> None:
    """The page's key is 32 bytes."""
    signer = msgspec.json.decode(EXAMPLES[3], type=SignerRecord)
    assert len(base64.urlsafe_b64decode(signer.key + "=")) == 32
