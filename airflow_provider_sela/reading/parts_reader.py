"""A read in parts: the first requests, which plan it, and the requests of one part.

The task that finishes is a :class:`~airflow_provider_sela.reading.lead_snapshot.LeadSnapshot` like any other.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from airflow_provider_sela.exceptions import SelaTargetError
from airflow_provider_sela.http.exchange import Run
from airflow_provider_sela.http.transport import Transport
from airflow_provider_sela.privacy import Privacy, Redaction
from airflow_provider_sela.reading.clock import ServerClock
from airflow_provider_sela.reading.fetching import Fetchers
from airflow_provider_sela.reading.parts import PLAN, Part, Plan, asked_of, part_name, plan_in, refuse_others
from airflow_provider_sela.reading.progress import Progress
from airflow_provider_sela.reading.replies import Reply
from airflow_provider_sela.snapshot.parts import split_into_parts
from airflow_provider_sela.snapshot.reading import Reading
from airflow_provider_sela.snapshot.windows import Window
from airflow_provider_sela.storage.publishing import Publication
from airflow_provider_sela.storage.shared_folder import CompressedLines, LostError, SharedFolder


class PartsReader:
    """Plans a read in parts, or reads one of them.

    Each task has its own.

    :param transport: where requests go out.
    :param filters: from :func:`~airflow_provider_sela.api.request.lead_filters`.
    :param privacy: what must not be written.
    :param run: what attempts of this task run have in common, as part of a file name; default: a random name.
    :param attempt: number of this attempt, from 1.
    :param log: where progress is logged.
    """

    def __init__(
        self,
        transport: Transport,
        filters: Mapping[str, str],
        privacy: Privacy,
        *,
        run: str | None,
        attempt: int,
        log: logging.Logger,
    ) -> None:
        self._transport = transport
        self._filters = filters
        self._privacy = privacy
        self._run = run or secrets.token_hex(6)
        self._attempt = attempt
        self._log = log

    def plan(self, base: str, *, page_size: int, most: int) -> list[Part]:
        """Begin a read, and split what it then wants to read at once into parts.

        :param base: where the folder for the read is made.
        :param page_size: leads per request that are asked for.
        :param most: parts at most.
        :return: at least one, because Airflow skips what is mapped over nothing and all that follows.
        """
        folder = SharedFolder.new(base, self._run)
        clock, run = ServerClock(), Run(self._transport.settings)
        job = _PlanningJob(Reading(page_size))
        redaction = Redaction(self._privacy)
        self._fetchers(run, clock, redaction).run(job, 1, Progress(self._log))
        parts = split_into_parts(job.windows, most)
        if not parts:
            self._log.info("Sela: %s leads are too few to be split into parts", job.expected)
            return [Part(folder.url, plan="", part=0, of=0)]
        asked = asked_of(self._transport.settings, self._filters, self._privacy)
        plan = Plan(clock.started, page_size, asked, parts, run.requests, run.retries, redaction.met)
        with CompressedLines() as lines, self._publication(folder, PLAN) as publication:
            for line in chain([plan.line()], (reply.line() for reply in job.replies)):
                lines.add(line)
            digest = lines.publish(publication)
        self._log.info("Sela: %d windows in %d parts", len(job.windows), len(parts))
        return [Part(folder.url, digest, number, len(parts)) for number in range(len(parts))]

    def read(self, part: Part, *, concurrency: int) -> Part:
        """Read the windows of a part into a file, in place of what an earlier attempt left.

        :param concurrency: requests in flight at once.
        :raises SelaTargetError: the plan is not there.
        """
        if not part.of:
            return part
        folder = SharedFolder(part.folder)
        windows = self._windows(folder, part)
        run = Run(self._transport.settings)
        redaction = Redaction(self._privacy)
        # The publication proves that the place can be written before anything is read.
        with CompressedLines() as lines, self._publication(folder, part_name(part.part)) as publication:
            job = _PartJob(windows, lambda reply: lines.add(reply.line()))
            self._fetchers(run, ServerClock(), redaction).run(job, concurrency, Progress(self._log))
            digest = lines.publish(publication)
        self._log.info(
            "Sela: part %d of %d: %d leads, %d requests, %d retries",
            part.part, part.of, job.leads, run.requests, run.retries,
        )  # fmt: skip
        return replace(
            part,
            sha256=digest,
            until=job.until,
            leads=job.leads,
            requests=run.requests,
            retries=run.retries,
            met=redaction.met,
        )

    def _windows(self, folder: SharedFolder, part: Part) -> Sequence[Window]:
        try:
            plan, _ = plan_in(folder, part.plan)
        except LostError as error:
            failure = SelaTargetError(
                f"the plan in {folder.url} {error}: check that all workers share the folder, then clear the"
                " task that plans"
            )
        else:
            refuse_others(plan.asked, asked_of(self._transport.settings, self._filters, self._privacy))
            return plan.parts[part.part]
        raise failure

    def _publication(self, folder: SharedFolder, name: str) -> Publication:
        return folder.publication(name, run=self._run, attempt=self._attempt)

    def _fetchers(self, run: Run, clock: ServerClock, redaction: Redaction) -> Fetchers:
        return Fetchers(self._transport, self._filters, run, clock, redaction or None)


class _PlanningJob:
    """A reading, until it wants more than one window at once."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.replies: list[Reply] = []
        self.windows: list[Window] = []

    @property
    def over(self) -> bool:
        return bool(self.windows) or self._reading.verdict is not None

    @property
    def leads(self) -> int:
        return len(self._reading.ids)

    @property
    def expected(self) -> int | None:
        return self._reading.expected

    def wanted(self) -> list[Window]:
        windows = self._reading.wanted()
        if len(windows) > 1:
            self.windows = windows
            return []
        return windows

    def take(self, reply: Reply, started: int, ended: int) -> None:
        self.replies.append(reply)
        self._reading.record(reply.response(started, ended))


class _PartJob:
    """A few windows, each read once."""

    def __init__(self, windows: Sequence[Window], keep: Callable[[Reply], None]) -> None:
        self._waiting = list(windows)
        self._left = len(windows)
        self._keep = keep
        self._ids: set[int] = set()
        self.until: int | None = None
        self.expected = sum(window.page_size for window in windows)

    @property
    def over(self) -> bool:
        return not self._left

    @property
    def leads(self) -> int:
        return len(self._ids)

    def wanted(self) -> list[Window]:
        windows, self._waiting = self._waiting, []
        return windows

    def take(self, reply: Reply, started: int, ended: int) -> None:
        self._keep(reply)
        self._ids.update(reply.leads.ids)
        self.until = max(filter(None, (self.until, reply.date)), default=None)
        self._left -= 1
