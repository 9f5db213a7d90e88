"""The store's Protocol, whole: what authors edit, who may sign, what was signed, and what SDKs report."""

from typing import Protocol

from pennon.control.break_glass import BreakGlassStore
from pennon.control.overrides import OverrideStore
from pennon.control.ports import FlagStore
from pennon.control.reports import ReportStore
from pennon.control.signers import SignerStore


class Store(FlagStore, SignerStore, OverrideStore, BreakGlassStore, ReportStore, Protocol):
    """Everything that is kept. See the parts, and `ports` for what holds of all methods."""
