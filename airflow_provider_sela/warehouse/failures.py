"""What a driver raised, as our own errors: with its code and remedy, without a lead, and retryable or not.

Drivers quote the row that they refuse, so their own words are repeated only where no lead has been near.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from airflow_provider_sela.exceptions import SelaError, SelaTargetError, SelaTargetUnavailableError

T = TypeVar("T")
# By the codes of SQLite, PostgreSQL and MySQL; DuckDB has none and quotes the operating system.
_NO_SPACE = "No space left on device"
_FULL = frozenset({"SQLITE_FULL", "53100", "1021", "1114", _NO_SPACE})
_READ_ONLY = frozenset({"SQLITE_READONLY", "25006", "1290", "1792"})
_TIMED_OUT = frozenset({"57014", "1969", "3024"})
_REFERRED = frozenset({"23503", "1451", "SQLITE_CONSTRAINT_FOREIGNKEY"})
_TRIGGERED = frozenset({"P0001", "45000", "1644", "SQLITE_CONSTRAINT_TRIGGER"})
TAKES_NO_WRITES = "it takes no writes, connect to a server and as a user that may write"
_REMEDIES = {
    _FULL: "its disk is full, make room there",
    _READ_ONLY: TAKES_NO_WRITES,
    _TIMED_OUT: "a time limit ended it, raise statement_timeout or max_statement_time for this user",
    _REFERRED: "rows of another table refer to leads that are gone, remove those or use mode merge",
    _TRIGGERED: "a trigger of the table refuses a row",
    frozenset({"SQLITE_CANTOPEN"}): "the folder must be there, and writable for the worker",
}
#: Of a rule, as PostgreSQL calls it.
_NAMED = ("table", "column", "constraint")
# MySQL's and ODBC's SQLSTATE for whatever has none.
_UNSORTED = "HY000"

_SQLSTATE = re.compile(r"[0-9A-Z]{5}")
#: Classes of SQLSTATE that no retry can mend: unsupported features, roles, data, constraints, what triggers
#: refuse, credentials, catalogs and schemas that are not there, names, rights and syntax, WITH CHECK OPTION,
#: limits of the database; and of others, what is beyond a configured limit, no table or not supported.
_FINAL_CLASSES = frozenset(
    {"0A", "0P", "22", "23", "27", "28", "38", "39", "3D", "3F", "42", "44", "45", "54", "P0"}
)
_FINAL_STATES = frozenset({"53400", "55000", "HYC00"})
#: The same by the numbers of MySQL and MariaDB, of which some drivers give no SQLSTATE and many have HY000:
#: rights, databases and tables, columns, values, packets, views, checks, generated columns, keys and
#: encodings, partitions, triggers, the binary log, primary keys that are demanded, tables with a history.
_FINAL_NUMBERS = frozenset(
    {1044, 1045, 1049, 1142, 1143, 1146, 1227, 1370, 1698, 1054, 1072, 1118, 1048, 1264, 1265, 1292, 1364,
     1366, 1406, 1690, 3140, 1153, 1288, 1347, 1356, 1471, 3819, 4025, 1906, 3105, 1059, 1071, 1104, 1115,
     1117, 1273, 1709, 1526, 1748, 1442, 1449, 1644, 1197, 1665, 3098, 3750, 4119}
)  # fmt: skip
#: MySQL files these under 42 and they pass: too many connections of the server, of a user, per hour.
_PASSING_NUMBERS = frozenset({1040, 1203, 1226})
#: Results of SQLite, without what stands behind the kind of constraint.
_FINAL_RESULTS = (
    "SQLITE_CANTOPEN", "SQLITE_CONSTRAINT", "SQLITE_CORRUPT", "SQLITE_ERROR", "SQLITE_MISMATCH",
    "SQLITE_NOTADB", "SQLITE_PERM", "SQLITE_READONLY", "SQLITE_TOOBIG",
)  # fmt: skip
#: A key that is there twice. Where loads do not queue, another load was faster.
_DUPLICATES = frozenset({"23505", "23000", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"})
#: Names of PEP 249, for drivers without codes; and what Python raises where a driver was called wrongly.
_FINAL_KINDS = frozenset(
    {"DataError", "IntegrityError", "NotSupportedError", "PermissionException", "ProgrammingError"}
)
_DEFECTS = (AttributeError, LookupError, NotImplementedError, TypeError, ValueError)
#: What PostgreSQL, PgBouncer and libpq say to a login, and DuckDB of a file, comes without a code.
_FINAL_OPENING = re.compile(
    r"FATAL:? +(password authentication failed|SASL authentication failed|(database|role) .* does not exist"
    r"|no such (database|user)|no pg_hba\.conf entry|pg_hba\.conf rejects|permission denied for database"
    r"|role .* is not permitted to log in|unsupported (options )?startup parameter"
    r"|unrecognized configuration parameter|invalid value for parameter)"
    r"|server does not support SSL|root certificate file .* does not exist|certificate verify failed"
    r"|no password supplied|invalid \S+ value"
    r"|IO Error: .*(No such file or directory|Is a directory|Permission denied|Read-only file system"
    r"|database does not exist|not a valid DuckDB database file|version number)"
    r"|Corrupt (database|WAL) file"
)


def scrubbed(work: Callable[[], T], *, queued: bool = True) -> T:
    """Run something that may make a driver fail while it holds leads.

    Only the failure's class and code survive, and the failure is raised outside of the handler, so that not
    even ``__context__`` leads to the original.

    :param queued: whether loads wait for each other; where they do not, a duplicate key is passing.
    """
    try:
        return work()
    except SelaError:
        raise
    except Exception as error:  # noqa: BLE001 (drivers share no base class)
        final, described = _is_final(error, queued=queued), _described(error)
    if final:
        failure = SelaTargetError(f"the database refuses this and nothing was written: {described}{_SILENT}")
    else:
        failure = SelaTargetUnavailableError(
            f"the database failed and nothing was written: {described}{_SILENT}"
        )
    raise failure


_SILENT = ". Its own words may quote leads and are left out here; the database's log has them"


def quoted(work: Callable[[], T], what: str) -> T:
    """Run something that meets the database before any lead does; its own words are kept.

    :param what: the beginning of the message.
    """
    try:
        return work()
    except SelaError:
        raise
    except Exception as error:  # noqa: BLE001 (drivers share no base class)
        kind = SelaTargetError if _is_final(error, queued=True) else SelaTargetUnavailableError
        # Java's have their stack behind them.
        words = " ".join(str(error).partition("\n\tat ")[0].split())
        failure = kind(f"{what}: {_described(error)}: {words}")
    raise failure


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of a driver's error, whichever way the driver carries it; None where it has none."""
    found = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    for carrier in (error, *error.args):
        # A Java exception, or a driver's error that wraps one.
        if not found and hasattr(carrier, "getSQLState"):
            found = carrier.getSQLState()
    # pyodbc. A text that stands alone is a message, and could be a value.
    if not found and len(error.args) > 1 and isinstance(error.args[0], str):
        found = error.args[0]
    return str(found) if found and _SQLSTATE.fullmatch(str(found)) else None


def _number(error: BaseException) -> int | None:
    number = getattr(error, "errno", None)
    if number is None and len(error.args) > 1:
        number = error.args[0]
    return number if isinstance(number, int) else None


def _is_final(error: BaseException, *, queued: bool) -> bool:
    """Whether the same statement would be refused again."""
    state, number, result = sqlstate(error), _number(error), getattr(error, "sqlite_errorname", None)
    if number in _PASSING_NUMBERS or (not queued and {state, result} & _DUPLICATES):
        return False
    if number in _FINAL_NUMBERS or _FINAL_OPENING.search(str(error)):
        return True
    if state:
        return state[:2] in _FINAL_CLASSES or state in _FINAL_STATES
    if result:
        return str(result).startswith(_FINAL_RESULTS)
    if isinstance(error, _DEFECTS):
        return True
    return not _FINAL_KINDS.isdisjoint(kind.__name__ for kind in type(error).__mro__)


def _described(error: BaseException) -> str:
    # The name of a Java exception is a whole one.
    name = type(error).__name__
    kind = name if "." in name else f"{type(error).__module__.partition('.')[0]}.{name}"
    state, number = sqlstate(error), _number(error)
    known = number if state == _UNSORTED and number else state
    code = known or getattr(error, "sqlite_errorname", None) or number
    if code is None and _NO_SPACE in str(error):
        code = _NO_SPACE
    return kind if code is None else f"{kind} ({code}){_remedy(str(code))}{_rule(error)}"


def _remedy(code: str) -> str:
    return next((f": {remedy}" for codes, remedy in _REMEDIES.items() if code in codes), "")


def _rule(error: BaseException) -> str:
    """The rule of the table that a row breaks, where PostgreSQL names it apart from the row."""
    names = ((what, getattr(getattr(error, "diag", None), f"{what}_name", None)) for what in _NAMED)
    told = ", ".join(f"{what} {name}" for what, name in names if name)
    return told and f"; {told}"
