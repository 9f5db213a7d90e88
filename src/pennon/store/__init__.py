"""What the control plane keeps, in a SQL database: the one implementation of `pennon.control.Store`.

Here live the tables and their migrations, the transactions, the numbering of environments and the rows of the change
log. What an edit means is decided by `pennon.control`, inside these transactions; nothing here looks into a document.
"""

from pennon.store.store import open_store

__all__ = ["open_store"]
