"""Cases: what a contract promises, one rule at a time, and what is asked of a service to see whether it keeps it."""

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from pennon.testing.headers import asking
from pennon.testing.headers.driving import App
from pennon.testing.headers.probing import Probe
from pennon.testing.headers.service import Needs, Service, Setting, Unmet, door_within

CaseT = TypeVar("CaseT")
Check = Callable[[Service], None]


class Case:
    """One rule of a contract, and how to see whether a service keeps it.

    id: "<field or part>/<rule>…", e.g. "x-tenant-id/trust/stranger". field: the field's name or the contract's part.
    rule: the declaration's, e.g. "max_length". says: what must hold. needs: where one must look.
    """

    __slots__ = ("_check", "_setting", "field", "id", "needs", "rule", "says")

    def __init__(self, setting: Setting, part: str, rule: str, says: str, check: Check, needs: Needs) -> None:
        self.field = part
        self.rule = rule.partition("/")[0]
        self.id = f"{part}/{rule}"
        self.says = says
        self.needs = needs
        self._setting = setting
        self._check = check

    def __repr__(self) -> str:
        return f"Case({self.id!r})"

    def __str__(self) -> str:
        return self.id

    def run(self, app: App, *, probe: Probe | None = None, path: str = "/") -> None:
        """Ask the application, and see whether it keeps the rule.

        app: the door itself, as `pennon.http.asgi` or `wsgi` returned it: what it leads to is left alone, a probe
            stands in its place. Or any ASGI or WSGI application: then its responses are all that is seen, unless
            `probe` has the path in it.
        Raises: AssertionError, which tells what was sent, expected and came; Unseen if the rule cannot be seen there.
        """
        buried = door_within(app) if self.needs is Needs.DOOR else None
        if buried is not None:
            app, probe = cast("App", buried), None
        service = Service(app, self._setting, probe=probe, path=path)
        try:
            service.look(self.needs)
            self._check(service)
        except Unmet as unmet:
            told = "\n  ".join(str(unmet).splitlines())
            raise AssertionError(f"{self.id}: {self.says}\n  {told}") from None
        asking.note(self._setting.contract, self.id)


def run_all(cases: Sequence[CaseT], run: Callable[[CaseT], None]) -> int:
    """Run each, then complain once; how many there were. Raises: AssertionError with what every one of them said."""
    broken = []
    for case in cases:
        try:
            run(case)
        except AssertionError as error:
            broken.append(str(error))
    if broken:
        raise AssertionError("\n".join([f"{len(broken)} of {len(cases)} failed:", *broken]))
    return len(cases)
