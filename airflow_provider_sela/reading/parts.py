"""What the tasks of a read in parts pass on: the plan, its parts, and what became of them.

XCom carries a :class:`Part` each, which says where a file is and what it must be. The files, in one folder
for each read, hold the plan with the first answers, and the answers of each part, as far as the privacy rules
let them pass.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from airflow_provider_sela.api.leads import canonical_json
from airflow_provider_sela.exceptions import SelaError, SelaRequestError
from airflow_provider_sela.privacy import Privacy
from airflow_provider_sela.reading.replies import Reply
from airflow_provider_sela.settings import Settings
from airflow_provider_sela.snapshot.windows import Window
from airflow_provider_sela.storage.shared_folder import LostError, SharedFolder

PLAN = "plan"


@dataclass(frozen=True)
class Part:
    """What one task hands to the next of a part, as XCom: where it is, and no lead.

    :param folder: folder of the read.
    :param plan: SHA-256 of the plan; empty where the list is too short to be split.
    :param part: number of the part, from 0.
    :param of: number of parts.
    :param sha256: of the part, once it is read.
    :param until: newest ``Date`` header in it, microseconds since the epoch; None if there is none.
    :param leads: distinct leads in it.
    :param requests: requests that it took, retries included.
    :param retries: requests that were sent again.
    :param met: see :attr:`Redaction.met <airflow_provider_sela.privacy.Redaction.met>`.
    """

    folder: str
    plan: str
    part: int
    of: int
    sha256: str = ""
    until: int | None = None
    leads: int = 0
    requests: int = 0
    retries: int = 0
    met: Sequence[int] = ()

    def xcom(self) -> dict[str, Any]:
        """The part as plain data."""
        return asdict(self)

    @classmethod
    def from_xcom(cls, value: object) -> Part:
        """The part that :meth:`xcom` gave.

        :raises SelaRequestError: it is something else.
        """
        with suppress(TypeError):
            if isinstance(value, Mapping):
                return cls(**value)
        raise SelaRequestError(
            "a part is not what was planned: give SelaReadPartOperator one item of the output of"
            " SelaPlanPartsOperator (by expand), and the task after it the output of SelaReadPartOperator"
        )


@dataclass(frozen=True)
class Plan:
    """How a read was begun and split into parts.

    :param started: when its first request was about to be sent, by the server's clock.
    :param page_size: leads per request that were asked for.
    :param asked: from :func:`asked_of`.
    :param parts: windows of each part.
    :param requests: requests that planning took, retries included.
    :param retries: requests that were sent again.
    :param met: as of a :class:`Part`.
    """

    started: datetime
    page_size: int
    asked: Mapping[str, str]
    parts: Sequence[Sequence[Window]]
    requests: int
    retries: int
    met: Sequence[int] = ()

    def line(self) -> bytes:
        """The plan as a line of JSON."""
        return json.dumps({**vars(self), "started": self.started.isoformat()}).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Plan:
        """The plan that :meth:`line` wrote."""
        values = json.loads(line)
        parts = [[Window(*window) for window in part] for part in values["parts"]]
        return cls(**{**values, "started": datetime.fromisoformat(values["started"]), "parts": parts})


def part_name(number: int) -> str:
    """Name of the file of a part."""
    return f"part-{number:04}"


def plan_in(folder: SharedFolder, digest: str) -> tuple[Plan, list[Reply]]:
    """The plan in a folder, and the replies with which its read began.

    :param digest: its SHA-256.
    :raises LostError: it is not there, or not what was left there.
    """
    with _of_this_version():
        lines = folder.lines(PLAN, digest)
        return Plan.from_line(next(lines)), [Reply.from_line(line) for line in lines]


class Parts:
    """A read in parts, as the task that ends it finds it; :meth:`open` makes it.

    What was asked of another account, with other filters or under other privacy rules, is refused. What is
    lost is not: no part is needed for the proof, since each window that has no answer is read again.
    """

    def __init__(
        self,
        folder: SharedFolder,
        plan: Plan,
        planning: list[Reply],
        parts: Sequence[Part],
        log: logging.Logger,
    ) -> None:
        self.plan = plan
        self._folder = folder
        self._planning = planning
        self._parts = parts
        self._log = log

    @classmethod
    def open(cls, outputs: object, asked: Mapping[str, str], log: logging.Logger) -> Parts | None:
        """What other tasks have read; None where nothing was split, or where the plan is lost.

        :param outputs: XCom of the tasks that read the parts.
        :param asked: see :class:`Plan`; of the task that ends the read.
        :param log: where losses are logged.
        :raises SelaRequestError: the parts are no parts, or not of what was asked.
        :raises SelaTargetError: the storage cannot be read.
        """
        every = [Part.from_xcom(value) for value in _items(outputs)]
        # Tasks that were cleared one by one may have read for different plans; each is as good as another.
        (url, digest), _ = Counter((part.folder, part.plan) for part in every).most_common(1)[0]
        parts = [part for part in every if (part.folder, part.plan) == (url, digest) and part.of]
        if not parts:
            return None
        folder = SharedFolder(url)
        try:
            plan, planning = plan_in(folder, digest)
        except LostError as error:
            log.warning(
                "Sela: the plan in %s %s: this task reads the whole list alone. If nobody cleared it after a"
                " success, check that all workers share the folder",
                url, error,
            )  # fmt: skip
            _remove(folder, log)
            return None
        refuse_others(plan.asked, asked)
        return cls(folder, plan, planning, parts, log)

    @property
    def requests(self) -> int:
        """Requests that planning and reading took, retries included."""
        return self.plan.requests + sum(part.requests for part in self._parts)

    @property
    def retries(self) -> int:
        """Requests that were sent again."""
        return self.plan.retries + sum(part.retries for part in self._parts)

    @property
    def met(self) -> set[int]:
        """Places of the privacy options' names that were met."""
        return set(self.plan.met).union(*(part.met for part in self._parts))

    def planning_replies(self) -> Iterator[Reply]:
        """Replies of the task that planned, in the order in which it had them."""
        return iter(self._planning)

    def part_replies(self) -> Iterator[Reply]:
        """Replies of the tasks that read, as far as they are found."""
        read = {part.part: part for part in self._parts}
        for number in range(len(self.plan.parts)):
            try:
                if number not in read:
                    raise LostError("was not read")
                with _of_this_version():
                    yield from map(
                        Reply.from_line, self._folder.lines(part_name(number), read[number].sha256)
                    )
            except LostError as error:
                self._log.warning("Sela: part %d %s: its windows are read again", number, error)

    @property
    def until(self) -> int | None:
        """The newest ``Date`` among those replies, None if there is none."""
        return max((part.until for part in self._parts if part.until is not None), default=None)

    def remove(self) -> None:
        """Remove what was left: it holds leads, and is of no use once they have landed."""
        _remove(self._folder, self._log)


def _remove(folder: SharedFolder, log: logging.Logger) -> None:
    try:
        folder.remove()
    except SelaError as error:
        log.warning("Sela: the parts could not be removed: %s", error)


def asked_of(settings: Settings, filters: Mapping[str, str], privacy: Privacy) -> dict[str, str]:
    """A digest each of connection, filters and privacy rules, by the name that an error gives it.

    Keyed by the token, so that another account gives others, and nobody can try out filters or a salt.
    """

    def digest(value: object) -> str:
        key = settings.authorization.encode()
        return hmac.digest(key, canonical_json(value).encode(), "sha256")[:8].hex()

    return {
        "connection (sela_conn_id, or its token)": digest(settings.base_url),
        "filter (email, external_id, phone_number or user)": digest(dict(filters)),
        "privacy rule (exclude_fields, hash_fields, salt_conn_id, keep_metadata or drop_metadata)": digest(
            privacy.rules
        ),
    }


def asked_key(settings: Settings, filters: Mapping[str, str], privacy: Privacy) -> str:
    """One text that stands for all of it, to be kept beside a load."""
    return "".join(asked_of(settings, filters, privacy).values())


def refuse_others(theirs: Mapping[str, str], ours: Mapping[str, str]) -> None:
    """Compare what was asked when a read was planned with what another task asks.

    :raises SelaRequestError: they differ; the message says in what.
    """
    other = next((name for name in ours if ours[name] != theirs.get(name)), None)
    if other is not None:
        raise SelaRequestError(
            f"the parts were planned with another {other}: give all tasks of a read in parts the same, then"
            " clear the task that plans"
        )


def _items(outputs: object) -> list[object]:
    """XCom of mapped tasks is a sequence that Airflow fetches item by item. It is asked for its length first:
    a look behind its end, which is how Python iterates over one, is logged as an error."""
    if isinstance(outputs, Sequence) and not isinstance(outputs, str) and len(outputs):
        return [outputs[place] for place in range(len(outputs))]
    raise SelaRequestError("parts is empty: give it the output of SelaReadPartOperator, as parts=read.output")


@contextmanager
def _of_this_version() -> Iterator[None]:
    """What another version of this package left may have another form."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise LostError(f"was left by another version of this package ({type(error).__name__})") from None
