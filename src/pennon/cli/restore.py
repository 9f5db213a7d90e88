"""`pennon restore`: a backup in place of the database, which this command opens itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pennon.cli import printing
from pennon.cli.extras import extra
from pennon.cli.options import database_option, json_option

if TYPE_CHECKING:
    from pennon.control import EnvironmentRow

_BY: Final = "pennon restore"


@click.command()
@click.argument("backup", required=False, type=click.Path(path_type=Path))
@database_option
@click.option("--in-place", is_flag=True, help="The database has been restored by other means: only begin a new epoch.")
@click.option("--seen-epoch", default=0, metavar="EPOCH", help="With --in-place: the latest epoch that was in use.")
@click.option("--drop-kills", is_flag=True, help="Flags killed since the backup come back alive.")
@json_option
def restore(
    backup: Path | None, database: str, in_place: bool, seen_epoch: int, drop_kills: bool, as_json: bool
) -> None:
    """Put BACKUP, an SQLite file, in place of the database, and begin a new epoch in every environment.

    Decisions that were carried before apply no more, and every client takes a snapshot. A server may go on running.
    What is killed or revoked now stays so, and the database of before is kept beside the new one.
    """
    if (backup is None) != in_place:
        raise click.UsageError("give either BACKUP or --in-place")
    document = _begin_epoch(database, seen_epoch) if backup is None else _restore(database, backup, drop_kills)
    if as_json:
        printing.json_document(document)
    else:
        printing.restored(document)


def _restore(database: str, backup: Path, drop_kills: bool) -> dict[str, Any]:
    # Imported here, as the server is: no other command should pay for SQLAlchemy and pydantic.
    with extra("server"):
        from pennon.control import Author
        from pennon.store import restore_backup

    by = Author(_BY, f"restored from {backup.name}")
    done = restore_backup(database, backup, by=by, keeps_kills=not drop_kills)
    kept = done.kept
    return {
        "environments": [_environment(row) for row in done.environments],
        "kills": [{"project": kill.project, "environment": kill.environment, "flag": kill.flag} for kill in kept.kills],
        "revoked_tokens": kept.revoked_token_count,
        "revoked_overrides": kept.revoked_override_count,
        "removed_signers": kept.removed_signer_count,
        "forgotten_tokens": kept.forgotten_token_count,
        "beside": None if done.beside is None else str(done.beside),
    }


def _begin_epoch(database: str, seen_epoch: int) -> dict[str, Any]:
    with extra("server"):
        from pennon.control import Author
        from pennon.store import begin_epoch

    rows = begin_epoch(database, by=Author(_BY, "restored by other means"), seen=seen_epoch)
    return {"environments": [_environment(row) for row in rows]}


def _environment(row: "EnvironmentRow") -> dict[str, Any]:
    key = row.environment.key
    return {"project": row.project, "environment": key, "epoch": row.epoch, "revision": row.revision}
