"""The storage of anybody's Optuna study, opened to be read: nothing is made where nothing is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import Study

from fusion_ops.errors import ConfigError, FusionNasError, RunError
from reports.masking import masked
from search.config.document import visible
from search.study.storage import engine_settings, said, with_driver

__all__ = ["open_study"]

MOST_NAMES = 8


def open_study(url: str, name: str | None = None) -> Study:
    """Return a study, to be read.

    Args:
        url: Of its storage, as Optuna takes it: `sqlite:///FILE`, `postgresql://…`, `mysql://…`; or the file of a
            journal.
        name: Its name; needed where the storage has several.

    Raises:
        RunError: There is no such storage or study; passwords in the URL are masked.
        ConfigError: There are several studies and no name.
    """
    storage = _opened(url)
    with _told(url):
        names = [study.study_name for study in storage.get_all_studies()]
    if not names:
        raise RunError(f"{_shown(url)} has no study. Name the storage that your study was created with.")
    if name is None and len(names) > 1:
        raise ConfigError(f"{_shown(url)} has {len(names)} studies; name one with --study-name: {_listed(names)}.")
    if name is not None and name not in names:
        raise RunError(f"{_shown(url)} has no study {visible(name, 80)!r}; it has {_listed(names)}.")
    with _told(url):
        return optuna.load_study(study_name=name or names[0], storage=storage)


def _opened(url: str) -> BaseStorage:
    if "://" not in url:
        return _journal(Path(url), url)
    file = Path(url.partition(":///")[2].partition("?")[0])
    if url.startswith("sqlite") and not file.is_file():
        raise RunError(f"{_shown(url)} names the file {file}, which {_is_none(file)}.")
    with _told(url):
        _require_tables(url)
        return RDBStorage(with_driver(url), engine_kwargs=engine_settings(url), skip_table_creation=True)


def _journal(file: Path, url: str) -> JournalStorage:
    if not file.is_file():
        raise RunError(
            f"{file} {_is_none(file)}; a study is named by its storage's URL, such as sqlite:///study.db, or the file "
            "of its journal."
        )
    with _told(url):
        if not _is_journal(file):
            raise RunError(
                f"{file} is no journal of Optuna. A study in a database is named by its URL, such as sqlite:///study.db."
            )
        return JournalStorage(JournalFileBackend(str(file)))


def _is_none(file: Path) -> str:
    return "is no file" if file.exists() else "does not exist"


def _is_journal(file: Path) -> bool:
    """Return whether a file begins as a journal does, with a line of JSON that has an operation, or is empty."""
    with file.open("rb") as stream:
        first = stream.readline()
    try:
        return not first or "op_code" in json.loads(first)
    except (ValueError, TypeError):
        return False


def _require_tables(url: str) -> None:
    import sqlalchemy

    engine = sqlalchemy.create_engine(with_driver(url), **engine_settings(url))
    try:
        if not sqlalchemy.inspect(engine).has_table("studies"):
            raise RunError(f"{_shown(url)} has no study: it is no storage of Optuna.")
    finally:
        engine.dispose()


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Turn whatever a storage raises into one line."""
    try:
        yield
    except FusionNasError:
        raise
    except ImportError as error:
        raise RunError(f"{_shown(url)} needs a driver that does not load: {error}.") from None
    except Exception as error:
        raise RunError(f"{_shown(url)} cannot be read as a storage of Optuna: {said(error)}.") from None


def _shown(url: str) -> str:
    return visible(masked(url), 200)


def _listed(names: list[str]) -> str:
    shown = [visible(name, 60) for name in names[:MOST_NAMES]]
    return ", ".join([*shown, *(["…"] if len(names) > MOST_NAMES else [])])
