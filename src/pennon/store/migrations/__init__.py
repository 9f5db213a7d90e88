"""The schema's history, run by `open_store`. One file per step under `versions`; a published step is never edited."""
