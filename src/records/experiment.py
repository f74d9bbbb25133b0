"""Sacred's experiment, with observers that do not depend on one another."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from sacred import Experiment
from sacred.observers import FileStorageObserver, MongoObserver, SqlObserver, TinyDbObserver
from sacred.utils import SacredError

from ..utils.sacred_error import Error
from .alive import read
from .apart import Apart, in_short
from .folder import Folder, said
from .same import beginnings, is_same, tell_other
from .sql import SqlRuns
from .tiny import TinyRuns

#: the extra that installs what an option of Sacred's needs
EXTRAS = {"--mongo_db": "mongo", "--sql": "sql", "--tiny_db": "tinydb"}
SECONDS = 5.0  # after which a database server that does not answer is not there
FIRST = 100  # priority of the folder that every run has, whose number is the one that is told


class Recorded(Experiment):
    """An experiment whose runs are recorded in every place by themselves.

    Attributes:
        place: folder of the records of such runs, one numbered folder each.
        continued: what :func:`records_of` told of the run that goes on, its folder under ``place`` first, if any.
    """

    place: Path
    continued: Sequence[tuple[str, Any]] = ()

    def _create_run(self, command_name: Any = None, config_updates: Any = None, named_configs: Any = (),
                    info: Any = None, meta_info: Any = None, options: Any = None) -> Any:
        limit = _limit_of_servers() if (options or {}).get("--mongo_db") else nullcontext
        try:
            with limit():
                # Sacred need not warn of changed types: keys and values have been checked.
                run = super()._create_run(command_name, config_updates, named_configs, info, meta_info,
                                          {**(options or {}), "--force": True})
                run.meta_info["options"]["--force"] = bool((options or {}).get("--force"))  # what was said
                if not run.unobserved:
                    run.observers = self._apart(run, limit)
        except Exception as error:  # drivers of databases raise some dozen kinds
            given = [(option, (options or {}).get(option)) for option in EXTRAS if (options or {}).get(option)]
            if isinstance(error, SacredError) or not given:
                raise
            raise _no_observer(given, error) from None
        return run

    def _apart(self, run: Any, limit: Callable[[], AbstractContextManager[Any]]) -> list[Apart]:
        """The run's observers, each by itself and in a state to record."""
        left = list(self.continued)

        def continued(kind: str) -> Any:
            """The number that the next observer of a kind goes on with."""
            found = next((each for each in left if each[0] == kind), None)
            if found:
                left.remove(found)
            return found[1] if found else None

        own = continued("Folder") if left and left[0][0] == "Folder" else None
        folder = Folder(self.place, Path(own) if own else None)
        if own:
            run.captured_out = said(Path(own))
        times = beginnings(Path(own) if own else None)
        apart = [Apart(folder, str(self.place), run._id, FIRST)]
        for each in run.observers:
            if isinstance(each, FileStorageObserver):
                if Path(each.basedir).resolve() != self.place.resolve():
                    before = continued("Folder")
                    old = Path(each.basedir, Path(before).name) if before else None
                    known = read(old).get("model") if old else None
                    goes_on = own and known and known == read(Path(own)).get("model")
                    apart.append(Apart(Folder(each.basedir, old if goes_on else None), each.basedir, run._id))
            elif isinstance(each, MongoObserver):
                apart.append(self._mongo(each, continued("MongoObserver"), times, run._id, limit))
            elif isinstance(each, SqlObserver):
                each.engine.connect().close()
                apart.append(Apart(SqlRuns(each.engine, continued("SqlRuns"), times), "the SQL database", run._id))
            elif isinstance(each, TinyDbObserver):
                apart.append(Apart(TinyRuns(each.root, continued("TinyRuns"), times), each.root, run._id))
            else:
                apart.append(Apart(each, type(each).__name__, run._id))
        return apart

    def _mongo(self, observer: Any, number: Any, times: Sequence[datetime], given: Any,
               limit: Callable[[], AbstractContextManager[Any]]) -> Apart:
        """The observer, once its server has answered; that of a continued run without the series recorded so far."""
        observer._client.admin.command("ping")
        if number is not None and (found := observer.runs.find_one({"_id": number})):
            if is_same(found.get("start_time"), times):
                observer.overwrite = found
                observer.metrics.delete_many({"run_id": number})
            else:
                tell_other("MongoDB", number)
        chosen = int(given) if isinstance(given, str) and given.isdecimal() else given
        return Apart(observer, "MongoDB", chosen, limit=limit)


def records_of(run: Any) -> list[tuple[str, Any]]:
    """Kind and number of all records of a run of Sacred's, in which a later one can go on; a folder is its own number.
    """
    apart = [each for each in run.observers if isinstance(each, Apart)]
    return [(type(each.observer).__name__, each.observer.dir if isinstance(each.observer, Folder) else each.id)
            for each in apart]


def _limit_of_servers() -> Callable[[], AbstractContextManager[Any]]:
    """A context in which MongoDB's driver waits no longer than :data:`SECONDS`, where it is installed."""
    try:
        import pymongo
    except ImportError:
        return nullcontext
    return lambda: pymongo.timeout(SECONDS)


def _no_observer(given: Sequence[tuple[str, Any]], error: Exception) -> Error:
    """What to say of an observer that cannot be made."""
    if isinstance(error, ImportError):
        module = (error.name or "").partition(".")[0]
        fits = {"mongo": "pymongo gridfs bson", "sql": "sqlalchemy", "tinydb": "tinydb tinydb_serialization hashfs"}
        for option, _ in given:
            if module in fits[EXTRAS[option]].split():
                extra = EXTRAS[option]
                return Error(f"{option} needs {fits[extra].split()[0]}: pip install 'epymarl-cpa[{extra}]'.")
        return Error(f"{given[0][0]} needs what is not installed ({in_short(error)}).")
    if given[0][0] == "--mongo_db" and isinstance(error, AttributeError):  # Sacred's reader of addresses found none
        return Error(f"--mongo_db={given[0][1]} is no address; it has the form [host:port:]database, such as "
                     "localhost:27017:study.")
    if given[0][0] == "--mongo_db" and "ServerSelection" in type(error).__name__:
        return Error(f"no MongoDB server has answered at --mongo_db={hidden(str(given[0][1]))} within {SECONDS:.0f} s "
                     f"({hidden(in_short(error)).partition(' (')[0]}).")
    words = " ".join(f"{option}={hidden(str(value))}" for option, value in given)
    return Error(f"the run cannot be recorded: {words} is no database that can be reached ({hidden(in_short(error))}).")


def hidden(address: str) -> str:
    """An address without its password."""
    return re.sub(r"(//[^:/@\s]*):[^@\s]*@", r"\1:...@", address)
