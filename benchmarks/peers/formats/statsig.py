"""The jobs as Statsig's config specs: gates for booleans, dynamic configs for values, an ID list for the segment.

Conditions are kept apart and named by rules. Percentages are 0 to 100 in rules and 0 to 1,000 in bucket conditions. A
split over several values is one rule for each, which repeats the rule's conditions beside its bucket. A config's value
is read through a parameter store, the fastest way to one text.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.peers.formats.common import Document, on_share, shares_of, unknown, values_of

from pennon.flags import (
    ClauseRecord,
    EqualsClause,
    FlagRecord,
    FlagType,
    InClause,
    NumberClause,
    SegmentClause,
    SemverClause,
    ServeRecord,
    SuffixClause,
)

# Attributes that a StatsigUser has fields for, faster to reach than custom ones: (argument, name in conditions).
NATIVE: Final = {"country": ("country", "country"), "email": ("email", "email"), "app": ("app_version", "appVersion")}


def document(flags: Sequence[FlagRecord], members: Mapping[str, Sequence[str]]) -> Document:
    """The specs, and beside them the ID lists and which attribute is which field of the user."""
    specs = Specs()
    for flag in flags:
        specs.add(flag)
    for key in members:
        specs.add_segment(key)
    fields = {attribute: argument for attribute, (argument, _) in NATIVE.items()}
    return {
        "specs": specs.written(),
        "id_lists": {key: list(keys) for key, keys in members.items()},
        "fields": fields,
    }


class Specs:
    """Specs in the making; equal conditions are written once."""

    def __init__(self) -> None:
        self._conditions: dict[str, Document] = {}
        self._gates: Document = {}
        self._configs: Document = {}

    def add(self, flag: FlagRecord) -> None:
        """A gate or a dynamic config."""
        values = values_of(flag)
        is_boolean = flag.type is FlagType.BOOLEAN
        rules: list[Document] = []
        for clauses, serve in [*((rule.clauses, rule.serve) for rule in flag.rules), ((), flag.fallthrough)]:
            conditions = [self._clause(clause) for clause in clauses]
            rules += self._gate_rules(conditions, serve) if is_boolean else self._rules(flag, conditions, serve)
        for number, rule in enumerate(rules, 1):
            rule |= {"id": f"{flag.key}-{number}", "name": f"{flag.key}-{number}"}
        if is_boolean:
            self._gates[flag.key] = _spec("feature_gate", rules, default=False)
        else:
            self._configs[flag.key] = _spec("dynamic_config", rules, default={"value": values[flag.off]})

    def add_segment(self, key: str) -> None:
        """A segment is a gate that asks the ID list of its name."""
        rule = self._rule([self._condition("unit_id", "in_segment_list", key)], value=True)
        rule |= {"id": key, "name": key}
        self._gates[f"segment:{key}"] = {**_spec("feature_gate", [rule], default=False), "entity": "segment"}

    def written(self) -> Document:
        """The whole document."""
        return {
            "has_updates": True,
            "time": 1,
            "response_format": "dcs-v2",
            "feature_gates": self._gates,
            "dynamic_configs": self._configs,
            "layer_configs": {},
            "layers": {},
            "param_stores": {key: _store(key) for key in self._configs},
            "experiment_to_layer": {},
            "condition_map": self._conditions,
        }

    def _gate_rules(self, conditions: list[str], serve: ServeRecord) -> list[Document]:
        if serve.split is not None:
            return [self._rule(conditions, value=True, percentage=on_share(serve.split) * 100)]
        return [self._rule(conditions, value=True)] if serve.variant == "on" else []

    def _rules(self, flag: FlagRecord, conditions: list[str], serve: ServeRecord) -> list[Document]:
        values = values_of(flag)
        if serve.split is None:
            return [self._rule(conditions, value={"value": values[serve.variant or ""]})]
        shares = shares_of(serve.split)
        rules, below = [], 0.0
        for variant, share in list(shares.items())[:-1]:
            below += share * 1_000
            bucket = self._condition("user_bucket", "lt", round(below), salt=serve.split.salt)
            rules.append(self._rule([*conditions, bucket], value={"value": values[variant]}))
        return [*rules, self._rule(conditions, value={"value": values[list(shares)[-1]]})]

    def _rule(self, conditions: list[str], *, value: Any, percentage: float = 100) -> Document:
        return {
            "salt": "",
            "idType": "userID",
            "conditions": conditions or [self._condition("public")],
            "passPercentage": percentage,
            "returnValue": value,
        }

    def _clause(self, clause: ClauseRecord) -> str:
        match clause:
            case EqualsClause():
                return self._asking(clause.attribute, "any_case_sensitive", [clause.value])
            case InClause():
                return self._asking(clause.attribute, "any_case_sensitive", list(clause.values))
            case NumberClause(compare=">="):
                return self._asking(clause.attribute, "gte", clause.value)
            case SemverClause(compare=">="):
                return self._asking(clause.attribute, "version_gte", clause.value)
            case SuffixClause():
                return self._asking(clause.attribute, "str_ends_with_any", [clause.value])
            case SegmentClause():
                return self._condition("pass_gate", None, f"segment:{clause.segment}")
        return unknown(clause)

    def _asking(self, attribute: str, operator: str, target: Any) -> str:
        _, field = NATIVE.get(attribute, ("", attribute))
        return self._condition("user_field", operator, target, field=field)

    def _condition(
        self, kind: str, operator: str | None = None, target: Any = None, *, field: str | None = None, salt: str = ""
    ) -> str:
        condition = {
            "type": kind,
            "operator": operator,
            "field": field,
            "targetValue": target,
            "additionalValues": {"salt": salt} if salt else {},
            "isDeviceBased": False,
            "idType": "userID",
        }
        for name, known in self._conditions.items():
            if known == condition:
                return name
        name = str(len(self._conditions) + 1)
        self._conditions[name] = condition
        return name


def _store(key: str) -> Document:
    reference = {"ref_type": "dynamic_config", "param_type": "string", "config_name": key, "param_name": "value"}
    return {"targetAppIDs": [], "parameters": {"value": reference}}


def _spec(kind: str, rules: list[Document], *, default: Any) -> Document:
    return {
        "type": kind,
        "entity": kind,
        "salt": kind,
        "enabled": True,
        "idType": "userID",
        "version": 1,
        "defaultValue": default,
        "rules": rules,
    }
