"""Authoring: what an author writes, what is wrong with it, and what an edit does.

Here live the authoring documents and their checks, merge patches, the decisions of every edit (revisions, phases, void
floors), compiling to records, the hash chain of the change log, the format of tokens, and `Store`, the port through
which all of it is kept. Nothing is kept here: `pennon.store` does; who may edit is the server's business.
"""

from pennon.control.documents import (
    FlagDocument,
    FlagDraft,
    SegmentDocument,
    SegmentDraft,
    SettingsDocument,
    SettingsDraft,
)
from pennon.control.overrides import OverrideDocument, Registered
from pennon.control.ports import (
    PAGE_LIMIT_COUNT,
    Action,
    Author,
    Change,
    ChangeRow,
    Difference,
    Edited,
    EnvironmentRow,
    Exposure,
    ExposureCount,
    ExposureReceipt,
    NewToken,
    Page,
    Project,
    Publication,
    Role,
    TokenRow,
)
from pennon.control.reports import DivergenceTotal, OverrideUses, Report
from pennon.control.signers import SignerDocument
from pennon.control.store import Store

__all__ = [
    "PAGE_LIMIT_COUNT",
    "Action",
    "Author",
    "Change",
    "ChangeRow",
    "Difference",
    "DivergenceTotal",
    "Edited",
    "EnvironmentRow",
    "Exposure",
    "ExposureCount",
    "ExposureReceipt",
    "FlagDocument",
    "FlagDraft",
    "NewToken",
    "OverrideDocument",
    "OverrideUses",
    "Page",
    "Project",
    "Publication",
    "Registered",
    "Report",
    "Role",
    "SegmentDocument",
    "SegmentDraft",
    "SettingsDocument",
    "SettingsDraft",
    "SignerDocument",
    "Store",
    "TokenRow",
]
