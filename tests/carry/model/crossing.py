"""Requests that leave one service and come in at another, with what the oracle knows of what they carry."""

from collections.abc import Mapping

from tests.carry.model.invariants import Invariant, demand, unraised
from tests.carry.model.member import Said, Written, said_by
from tests.carry.model.world import ENTROPY, MINUTE_NS, Event, Node, Parcel, Service, members_in, said_in

from pennon.carry import Note, OverrideClaims, arrive, depart, returning, take_returned
from pennon.context import Identity, Origin
from pennon.headers import Contract, Downstream, DropReason


def leave(node: Node, contract: Contract, downstream: Downstream) -> Parcel:
    """What goes with a call or a record: all that the request holds, but for what is counted as cut."""
    departure = unraised(depart, contract, downstream, node.context, trace=None)
    said = said_in(departure.set)
    due = {event.written: event for event in node.leaving()}
    _demand_said(node, said, due, departure.cut_count)
    demand(
        said.is_replay or not node.is_replay,
        Invariant.NEVER_EXPOSED,
        lambda: "a replayed record's request leaves without the mark",
    )
    sent = tuple(due[written] for written in dict.fromkeys(said.decisions))
    return Parcel(departure.set, sent, node.refused)


def respond(node: Node) -> tuple[bytes, tuple[Event, ...]]:
    """What goes back with the response: what was decided here and behind it, without what the caller sent."""
    encoded = unraised(returning, node.context.ledger, is_replay=node.is_replay)
    said = said_by(encoded.value)
    due = {event.written: event for event in node.leaving() if event not in node.brought}
    _demand_said(node, said, due, encoded.cut_count)
    return encoded.value.encode(), tuple(due[written] for written in dict.fromkeys(said.decisions))


def take_back(node: Node, value: bytes, events: tuple[Event, ...], began_ns: int, *, has_age: bool) -> None:
    """The response comes in, perhaps out of a cache. events: what the oracle knows to be in it."""
    notes: set[Note] = set()
    ledger = node.context.ledger
    values = [value] if value else []
    unraised(take_returned, ledger, values, has_age=has_age, began_ns=began_ns, note=notes.add)
    oldest = began_ns // MINUTE_NS - 5
    for event in () if has_age else events:
        if event.written.minute >= oldest:
            _take(node, event, notes)


def _take(node: Node, event: Event, notes: set[Note]) -> None:
    """What is held stays; what is newer is kept behind it, for where that is void; a kill takes away what was made."""
    rivals = [each for each in node.arrived if each.about == event.about]
    made = next(((key, each) for key, each in reversed(node.made.items()) if each.place == event.place), None)
    if made is not None and made[1].about != event.about:
        made = None
    if event.is_kill:
        node.hold(event)
        if made is not None and not made[1].is_kill and event.written.revision >= made[0][2]:
            del node.made[made[0]]
        return
    held = [each for each in rivals if each.written.revision >= event.written.revision] if made is None else []
    if made is not None and made[0][2] <= event.written.revision:
        held = [made[1]]
    demand(
        all(each.variant == event.variant or each.is_kill for each in held) or Note.CONFLICT in notes,
        Invariant.EVERY_DEPARTURE_COUNTED,
        lambda: f"{event} came back, held is {held}; noted: {sorted(notes)}",
    )
    is_news = all(each.written.revision < event.written.revision for each in rivals)
    if is_news and (made is None or made[1].written.revision < event.written.revision):
        node.hold(event)


def _demand_said(node: Node, said: Said, due: Mapping[Written, Event], cut_count: int) -> None:
    """What leaves is what is due, but for what is counted as cut."""
    strange = next((written for written in said.decisions if written not in due), None)
    culprit = Invariant.ONE_ANSWER_PER_PATH
    if strange in node.refused:
        culprit = Invariant.STRANGER_CHANGES_NOTHING
    elif strange is not None and any(
        each.origin is Origin.KILL and each[:3] == strange[:3] and each.flag_id == strange.flag_id for each in due
    ):
        culprit = Invariant.KILL_IS_OBEYED
    elif strange is not None and any(strange == each._replace(fingerprint=strange.fingerprint) for each in due):
        culprit = Invariant.OTHER_UNIT_NEVER
    demand(strange is None, culprit, lambda: f"{strange} leaves, due are {sorted(due)}")
    missing = len(due) - len(set(said.decisions))
    demand(
        (missing, 0) == (cut_count, said.bad_count) and (said.was_cut or not missing),
        Invariant.EVERY_DEPARTURE_COUNTED,
        lambda: f"{missing} decisions are missing, {cut_count} counted; on the wire: {said}, due: {due}",
    )


def come(
    service: Service,
    parcel: Parcel,
    contract: Contract,
    *,
    is_trusted: bool,
    units: dict[str, str],
    plan: str | None,
    is_replay: bool = False,
    claims: OverrideClaims | None = None,
) -> Node:
    """The request that a call or record becomes at a service. is_replay: it is processed again on purpose.

    is_trusted: if not, the oracle takes it for one that brought nothing but a token. claims: what the token says.
    """
    identity = Identity(units=units, attributes={} if plan is None else {"plan": plan})
    arrival = unraised(
        arrive,
        contract,
        parcel.headers,
        is_trusted=is_trusted,
        identity=identity,
        entropy=ENTROPY,
        is_replay=is_replay,
        takes_override=not is_trusted,
    )
    node = Node(service, arrival.context, units, plan)
    said = said_in(parcel.headers)
    if not is_trusted:
        node.claims = None if arrival.context.ledger.override is None else claims
        node.is_replay = is_replay
        node.refused = parcel.refused | set(said.decisions)
        ledger, context = arrival.context.ledger, arrival.context
        demand(
            not (ledger.arrived or ledger.foreign or ledger.was_cut or context.is_replay is not is_replay),
            Invariant.STRANGER_CHANGES_NOTHING,
            lambda: f"{ledger.arrived}, {ledger.foreign} were taken from a stranger",
        )
        return node
    drops = [drop for drop in arrival.report.dropped if drop.name == "baggage:pennon"]
    node.refused = parcel.refused
    # A member that came twice may be dropped once.
    is_taken = len(drops) < len(members_in(parcel.headers))
    node.is_replay = is_replay or (said.is_replay and is_taken)
    if is_taken:
        events = {event.written: event for event in parcel.events}
        for written in said.decisions:
            if written in events:
                node.hold(events[written])
        node.brought = frozenset(node.arrived)
    demand(
        drops or said.bad_count == len(arrival.group_faults),
        Invariant.EVERY_DEPARTURE_COUNTED,
        lambda: f"{said.bad_count} groups are bad, counted are {arrival.group_faults}",
    )
    demand(
        all(drop.reason is DropReason.OVER_BUDGET for drop in drops),
        Invariant.EVERY_DEPARTURE_COUNTED,
        lambda: f"our member was dropped: {drops}",
    )
    return node
