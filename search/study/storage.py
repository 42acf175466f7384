"""A database that keeps the study: opened, checked before a run starts, missed in one line when it is lost."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage

from fusion_ops.errors import RunError, StorageLost
from reports.masking import masked
from search.training.disk import causes

__all__ = [
    "engine_settings",
    "guarded",
    "has_studies",
    "open_storage",
    "require_storage",
    "said",
    "storage_error",
    "with_driver",
]

CONNECT_SECONDS = 5
PATIENCE_SECONDS = 10.0
PAUSE_SECONDS = 0.5


def open_storage(url: str) -> RDBStorage:
    """Return the storage at `url`; it outlives a restart of the server of up to ten seconds.

    Args:
        url: `sqlite:///FILE`, `postgresql://…` or `postgresql+psycopg://…`.

    Raises:
        RunError: The database does not answer, refuses, or its driver does not load.
    """
    with _refusals_reported(url):
        storage = RDBStorage(with_driver(url), engine_kwargs=engine_settings(url))
    _wait_for_restarts(storage.engine)
    weakref.finalize(storage, storage.engine.dispose)
    return storage


def require_storage(url: str | None) -> None:
    """Check that a study can be kept at `url`; nothing is written.

    Raises:
        RunError: The database does not answer, refuses, or its driver does not load.
    """
    if url is None:
        return
    if url.startswith("sqlite"):
        folder = _file(url).parent
        if not folder.is_dir():
            raise RunError(f"`storage.url` names a file in {folder}, which does not exist; make that folder first.")
        return
    with _engine(url) as engine:
        engine.connect().close()


def has_studies(url: str) -> bool:
    """Return whether Optuna's tables are there; nothing is written, while `open_storage` makes what is missing.

    Raises:
        RunError: The file of SQLite is missing, or the database does not answer, refuses, or has no driver here.
    """
    import sqlalchemy

    if url.startswith("sqlite") and not _file(url).is_file():
        raise RunError(f"`storage.url` names {_file(url)}, which does not exist; put that file back.")
    with _engine(url) as engine:
        return bool(sqlalchemy.inspect(engine).has_table("studies"))


@contextmanager
def guarded(url: str | None, command: str = "resume") -> Iterator[None]:
    """Turn what the loss of the database causes, however it is wrapped, into one error.

    Args:
        url: Of the database; `None` for a journal.
        command: Of fusion-nas, with which the run goes on.

    Raises:
        StorageLost: The database was lost within the block.
    """
    try:
        yield
    except Exception as error:
        if url is None or (cause := storage_error(error)) is None:
            raise
        raise StorageLost(
            f"the study's storage {masked(url)} was lost: {said(cause)}; "
            f"continue with `fusion-nas {command}` when it is back."
        ) from error


def storage_error(error: BaseException) -> BaseException | None:
    """Return what the database's driver raised among the causes of `error`, or `None`."""
    from sqlalchemy.exc import SQLAlchemyError

    return next((link for link in causes(error) if isinstance(link, SQLAlchemyError)), None)


@contextmanager
def _engine(url: str) -> Iterator[Any]:
    """Give a connection for a look; what the database refuses is one line."""
    import sqlalchemy

    with _refusals_reported(url):
        engine = sqlalchemy.create_engine(with_driver(url), **engine_settings(url))
        try:
            yield engine
        finally:
            engine.dispose()


def _file(url: str) -> Path:
    return Path(url.partition(":///")[2].partition("?")[0])


def with_driver(url: str) -> str:
    """Return the URL with psycopg named as its driver: the default differs between versions of SQLAlchemy."""
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def engine_settings(url: str) -> dict[str, Any]:
    """Return how SQLAlchemy is to connect: a server that does not answer is given up after seconds."""
    if url.startswith("sqlite"):
        return {}
    timeout = {} if "connect_timeout=" in url else {"connect_timeout": CONNECT_SECONDS}
    return {"pool_pre_ping": True, "connect_args": timeout}


def _wait_for_restarts(engine: Any) -> None:
    """Have new connections tried again for a while; once that was in vain, a further one is tried once only."""
    from sqlalchemy import event

    patience = PATIENCE_SECONDS

    def connect(dialect: Any, record: Any, arguments: Any, parameters: Any) -> Any:
        nonlocal patience
        deadline = time.monotonic() + patience
        while True:
            try:
                connection = dialect.connect(*arguments, **parameters)
            except dialect.loaded_dbapi.OperationalError:
                if time.monotonic() > deadline:
                    patience = 0.0
                    raise
                time.sleep(PAUSE_SECONDS)
            else:
                patience = PATIENCE_SECONDS
                return connection

    event.listen(engine, "do_connect", connect)


@contextmanager
def _refusals_reported(url: str) -> Iterator[None]:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except ImportError as error:
        raise RunError(f"`storage.url` needs a driver that does not load: {error}.") from None
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        raise RunError(
            f"`storage.url` cannot be used: {masked(url)}: {said(error)}; check that the server runs, that the "
            "database and the user exist, and the password (in the URL, PGPASSWORD or ~/.pgpass)."
        ) from None


def said(error: BaseException) -> str:
    """Return what the driver said, on one line."""
    links = list(causes(error))
    originals = (getattr(link, "orig", None) for link in links)
    original = next((said for said in originals if said is not None), links[-1])
    return masked(" ".join(str(original).split()))[:300].rstrip(".?")
