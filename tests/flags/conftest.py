"""What the tests of the flag engine share: the vectors, short ways to records, and strategies for any input."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st

from pennon.context import Environment
from pennon.flags import (
    BUCKETS,
    ClauseRecord,
    Comparison,
    ContainsClause,
    Delete,
    EqualsClause,
    Flag,
    FlagRecord,
    FlagType,
    InClause,
    NumberClause,
    PrefixClause,
    PresentClause,
    RuleRecord,
    Ruleset,
    RulesetRecord,
    SegmentClause,
    SegmentRecord,
    SemverClause,
    ServeRecord,
    SplitRecord,
    SuffixClause,
    VariantRecord,
    member_hash,
    ranges_of,
)

VECTORS = Path(__file__).parents[1] / "conformance" / "vectors"
ENVIRONMENT = Environment(0x0102030405, "production", "env")
ON_OFF = (VariantRecord("on", 1, value=True), VariantRecord("off", 2, value=False))
OFF = ServeRecord("off")


class Make:
    """Short ways to records; every argument has a harmless default."""

    environment = ENVIRONMENT

    def split(self, weights: Any = (("on", BUCKETS),), coverage: int = BUCKETS, **over: Any) -> ServeRecord:
        """A split in m3-cbor with salt "s" and rest off."""
        whole = {"algo": "m3-cbor", "salt": "s", "phase": 1, "rest": "off", **over}
        return ServeRecord(split=SplitRecord(ranges=ranges_of(weights, coverage), **whole))

    def flag(self, key: str = "f", **over: Any) -> FlagRecord:
        """A boolean flag that serves off to everyone."""
        whole = {"id": 1, "type": FlagType.BOOLEAN, "variants": ON_OFF, "off": "off", "fallthrough": OFF, **over}
        return FlagRecord(key=key, **whole)

    def gate(self, *clauses: ClauseRecord, **over: Any) -> FlagRecord:
        """A flag that is on where all these clauses hold."""
        return self.flag(rules=(RuleRecord("r1", clauses, ServeRecord("on")),), **over)

    def record(self, *flags: FlagRecord, segments: tuple[SegmentRecord, ...] = (), revision: int = 1) -> RulesetRecord:
        """A ruleset of these flags and segments."""
        return RulesetRecord(
            ENVIRONMENT,
            7,
            revision,
            flags={flag.key: flag for flag in flags},
            segments={segment.key: segment for segment in segments},
        )

    def delete(self, **kinds: tuple[str, ...]) -> Delete:
        """What a delta takes away, by kind."""
        return Delete(**kinds)

    def compiled(self, flag: FlagRecord, *segments: SegmentRecord) -> Flag:
        """The flag, compiled."""
        compiled = Ruleset.of(self.record(flag, segments=segments)).flag(flag.key)
        assert compiled is not None
        return compiled

    def holds(self, clause: ClauseRecord, attributes: Mapping[str, Any], *segments: SegmentRecord) -> bool:
        """Whether a clause holds for these attributes."""
        answer = self.compiled(self.gate(clause), *segments).answer(None, attributes, {})
        assert answer.error is None, answer
        return answer.value is True


@pytest.fixture(scope="session")
def make() -> Make:
    """Short ways to records."""
    return Make()


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], dict[str, Any]]:
    """The vectors of that name. json, because msgspec reads no lone surrogates."""

    def read(name: str) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
        return loaded

    return read


class Hostile:
    """A value that raises whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise RuntimeError


class HostileText(str):
    """A text whose every comparison raises; only its characters may be looked at."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError

    def startswith(self, *_: object) -> bool:
        raise RuntimeError


class HostileMapping(dict[str, Any]):
    """A mapping that raises when it is read."""

    def get(self, *_: object) -> Any:
        raise RuntimeError


class Anything:
    """Strategies: any text, any value, any context, any flag, also flags that cannot be used."""

    text = st.text(st.characters(exclude_categories=()), max_size=40)
    scalar = st.none() | st.booleans() | st.integers() | st.floats() | text | st.sampled_from(["a", "1.2.3", 1, True])
    value = st.recursive(
        scalar | st.binary(max_size=4) | st.builds(Hostile) | st.builds(HostileText, text) | st.just(object),
        lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(st.text(max_size=2), inner),
        max_leaves=4,
    )
    attributes = st.dictionaries(st.sampled_from(["x", "y"]), value, max_size=2)
    unit_key = st.none() | text | st.text(max_size=300) | st.builds(HostileText, text)
    units = st.dictionaries(st.sampled_from(["user", "account"]), text, max_size=2)

    _variant = st.sampled_from(["a", "b", "c", "unknown"])
    _comparison = st.sampled_from(Comparison)
    _common: ClassVar[dict[str, Any]] = {"attribute": st.sampled_from(["x", "y"]), "negate": st.booleans()}
    _plain = st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["a", "1.2.3"])
    clause = (
        st.builds(EqualsClause, value=_plain, **_common)
        | st.builds(InClause, values=st.lists(_plain, max_size=3).map(tuple), **_common)
        | st.builds(PrefixClause, value=text, **_common)
        | st.builds(SuffixClause, value=text, **_common)
        | st.builds(ContainsClause, value=text, **_common)
        | st.builds(NumberClause, compare=_comparison, value=st.integers() | st.floats(allow_nan=False), **_common)
        | st.builds(SemverClause, compare=_comparison, value=st.sampled_from(["1.2.3", "1.2.3-a", "1"]), **_common)
        | st.builds(PresentClause, **_common)
        | st.builds(SegmentClause, segment=st.sampled_from(["s", "t", "gone"]), negate=st.booleans())
    )
    split = st.builds(
        SplitRecord,
        algo=st.sampled_from(["m3-cbor", "m3-utf8", "sha1"]),
        salt=st.sampled_from(["s", "ü", "a:b"]),
        phase=st.just(1),
        ranges=st.lists(st.tuples(_variant, st.integers(0, BUCKETS), st.integers(0, BUCKETS)), max_size=3).map(tuple),
        rest=_variant,
    )
    serve = st.builds(ServeRecord, variant=_variant) | st.builds(ServeRecord, split=split) | st.just(ServeRecord())
    rule = st.builds(RuleRecord, id=st.text(max_size=2), clauses=st.lists(clause, max_size=3).map(tuple), serve=serve)
    flag = st.builds(
        FlagRecord,
        key=st.just("f"),
        id=st.just(1),
        type=st.just(FlagType.STRING),
        variants=st.just(tuple(VariantRecord(key, at, key) for at, key in enumerate("abc"))),
        off=_variant,
        fallthrough=serve,
        unit=st.sampled_from(["user", "account"]),
        revision=st.integers(0, 50),
        void_before=st.integers(0, 50),
        on=st.booleans(),
        killed=st.booleans(),
        rules=st.lists(rule, max_size=3).map(tuple),
    )
    segment = st.builds(
        SegmentRecord,
        key=st.sampled_from(["s", "t"]),
        unit=st.sampled_from(["user", "account"]),
        salt=st.sampled_from(["s", "a:b"]),
        members=st.lists(text.map(lambda key: member_hash("s", key)) | st.just("zz"), max_size=2).map(tuple),
        rules=st.lists(st.lists(clause, max_size=2).map(tuple), max_size=2).map(tuple),
        revision=st.just(1),
    )
    segments = st.lists(segment, max_size=2, unique_by=lambda segment: segment.key).map(tuple)


@pytest.fixture(scope="session")
def anything() -> type[Anything]:
    """Strategies for any input."""
    return Anything


@pytest.fixture(scope="session")
def hostile_mapping() -> Mapping[str, Any]:
    """A mapping that raises when it is read."""
    return HostileMapping()
