"""The suite of a contract: all its cases, to be parametrised or run at once."""

from collections.abc import Iterator, Sequence
from typing import Final

from pennon.headers import Boundary, Contract
from pennon.testing.headers.background_cases import background_cases
from pennon.testing.headers.baggage_cases import baggage_cases
from pennon.testing.headers.boundary_cases import boundary_cases
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case, run_all
from pennon.testing.headers.deadline_cases import deadline_cases
from pennon.testing.headers.declared import setting_of
from pennon.testing.headers.downstream_cases import downstream_cases
from pennon.testing.headers.driving import App
from pennon.testing.headers.field_cases import field_cases
from pennon.testing.headers.id_cases import id_cases
from pennon.testing.headers.joining_cases import joining_cases
from pennon.testing.headers.late_cases import late_cases
from pennon.testing.headers.limit_cases import limit_cases
from pennon.testing.headers.part_cases import part_cases
from pennon.testing.headers.probing import Probe
from pennon.testing.headers.proxy_cases import proxy_cases
from pennon.testing.headers.record_cases import record_cases
from pennon.testing.headers.rule_cases import rule_cases
from pennon.testing.headers.service import Needs, Setting, door_within


def cases_of(
    contract: Contract,
    boundary: Boundary,
    *,
    verified: Caller | None = None,
    stranger: Caller | None = None,
    background: Sequence[str] = (),
) -> list[Case]:
    """Every case of a contract at this boundary, each with an id of its own.

        @pytest.mark.parametrize("case", cases_of(CONTRACT, BOUNDARY), ids=str)
        def test_contract(case): case.run(door)

    verified, stranger: who the boundary verifies, and who not, where its callables want more than a usual address.
    background: that of the probe by which they will be run; a case for each.
    Raises: ValueError if a mesh's verifier knows none of these, or nobody can bring what every request must have.
    """
    setting = setting_of(contract, boundary, verified=verified, stranger=stranger)
    return [*_cases(setting), *background_cases(setting, background)]


def run_suite(
    app: App,
    contract: Contract,
    *,
    boundary: Boundary | None = None,
    verified: Caller | None = None,
    stranger: Caller | None = None,
    probe: Probe | None = None,
    path: str = "/",
    leave_out: tuple[str, ...] = (),
    outside_only: bool = False,
) -> int:
    """Run all cases, then complain once; how many ran.

    boundary: None: that of the door which the application is, or leads to. verified, stranger: as for `cases_of`.
    probe, path: as for `Case.run`.
    leave_out: ids of cases, or how they begin. outside_only: those alone that need no more than responses.
    Raises: AssertionError with every rule that is broken; Unseen if there is no way to look inside; ValueError.
    """
    if boundary is None:
        door = door_within(app)
        if door is None:
            raise ValueError("boundary: no door is found in the application, so it must be said who is believed")
        boundary = door.boundary
    background = () if probe is None else probe.background
    cases = [
        case
        for case in cases_of(contract, boundary, verified=verified, stranger=stranger, background=background)
        if not case.id.startswith(leave_out or ("\0",)) and (case.needs is Needs.ANSWERS or not outside_only)
    ]
    return run_all(cases, lambda case: case.run(app, probe=probe, path=path))


def _cases(setting: Setting) -> Iterator[Case]:
    for declared in setting.contract.fields:
        yield from field_cases(setting, declared)
    for part in _PARTS:
        yield from part(setting)


_PARTS: Final = (
    *(id_cases, baggage_cases, limit_cases, downstream_cases, joining_cases, deadline_cases, late_cases, proxy_cases),
    *(record_cases, part_cases, boundary_cases, rule_cases),
)
