"""What the control plane keeps, in a SQL database: the one implementation of `pennon.control.Store`.

Here live the tables and their migrations, the transactions, the numbering of environments, the rows of the change log,
and the way back to a backup. What an edit means is decided by `pennon.control`, inside these transactions; nothing here
looks into a document.
"""

from pennon.store.keeping import Kept, KeptKill
from pennon.store.restoring import Restored, begin_epoch, restore_backup
from pennon.store.store import open_store

__all__ = ["Kept", "KeptKill", "Restored", "begin_epoch", "open_store", "restore_backup"]
