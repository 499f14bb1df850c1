"""What holds no template is checked when the DAG is parsed; what comes by one, before the first request."""

from __future__ import annotations

import inspect
from datetime import UTC, date, datetime
from typing import Any, get_args

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_sela.api.parameters import OnUnverified
from airflow_provider_sela.exceptions import SelaRequestError
from airflow_provider_sela.operators.base import SelaBaseOperator, SelaReadOperator
from airflow_provider_sela.operators.leads import SelaLeadsOperator
from airflow_provider_sela.operators.parts import SelaPlanPartsOperator, SelaReadPartOperator
from airflow_provider_sela.operators.read_options import WHOLE_MODES
from airflow_provider_sela.sensors.leads import SelaLeadSensor
from airflow_provider_sela.testing import SelaApi
from airflow_provider_sela.transfers.leads_to_sql import SelaLeadsToSqlOperator
from airflow_provider_sela.transfers.table_options import Deletes, ModeName
from airflow_provider_sela.warehouse.tables import Mode
from tests.support.tasks import rendered

OPERATORS: dict[type[Any], dict[str, Any]] = {
    SelaLeadsOperator: {},
    SelaLeadsToSqlOperator: {"conn_id": "warehouse", "table": "leads"},
    SelaPlanPartsOperator: {"path": "s3://bucket/parts"},
    SelaReadPartOperator: {"part": {"folder": "s3://bucket/parts", "plan": "", "part": 0, "of": 1}},
}
TASKS = {**OPERATORS, SelaLeadSensor: {"external_id": "your_crm_123"}}

#: Of every operator.
SHARED = [
    ({"email": ""}, "email is empty"),
    ({"external_id": " "}, "external_id is empty"),
    ({"phone_number": "None"}, "phone_number is the text None"),
    ({"user": "me"}, "user is not a whole number"),
    ({"page_size": 0}, "page_size is 0: it starts at 1"),
    ({"exclude_fields": ["emial"]}, "exclude_fields: .*the nearest is email"),
    ({"exclude_fields": ""}, "exclude_fields is empty"),
    ({"hash_fields": ["email"]}, "hash_fields needs a salt.*salt_conn_id"),
    ({"hash_fields": ["phone"], "salt_conn_id": "salt"}, "hash_fields: .*the nearest is phone_number"),
    ({"hash_fields": ["lead_type"], "salt_conn_id": "salt"}, "lead_type is no text field"),
    ({"hash_fields": ["email"], "exclude_fields": ["email"], "salt_conn_id": "salt"}, "both excluded and"),
    ({"salt_conn_id": ""}, "salt_conn_id is empty"),
    ({"keep_metadata": 5}, "keep_metadata is no list of texts"),
    ({"keep_metadata": ["a"], "drop_metadata": ["b"]}, "both kept and dropped"),
    ({"drop_metadata": [None]}, "drop_metadata is empty"),
    ({"sela_conn_id": ""}, "sela_conn_id is empty"),
]
OWN = [
    (SelaLeadsOperator, {"on_unverified": "maybe"}, "on_unverified is 'maybe': allowed are fail and warn"),
    (SelaLeadsOperator, {"path": "/data/leads.xlsx"}, r"path ends with no suffix .*\.parquet"),
    (SelaLeadsOperator, {"path": "~/leads.csv"}, "path is a local path that does not begin with /"),
    (SelaLeadsOperator, {"conn_id": ""}, "conn_id is empty"),
    (SelaLeadsOperator, {"max_xcom_leads": 0}, "max_xcom_leads is 0: it starts at 1"),
    (SelaLeadsToSqlOperator, {"conn_id": ""}, "conn_id is empty"),
    (SelaLeadsToSqlOperator, {"table": "a b"}, "table is 'a b': expected is a name"),
    (SelaLeadsToSqlOperator, {"mode": "upsert"}, "mode is 'upsert': allowed are merge, replace, append and"),
    (SelaLeadsToSqlOperator, {"create_table": "maybe"}, "create_table is 'maybe': allowed are True and"),
    (SelaLeadsToSqlOperator, {"add_columns": None}, "add_columns is None: allowed are True and False"),
    (SelaLeadsToSqlOperator, {"deletes": ""}, "deletes is '': allowed are ignore and mark"),
    (SelaLeadsToSqlOperator, {"max_deletes": -1}, "max_deletes is -1: expected is a number"),
    (SelaLeadsToSqlOperator, {"deletes": "mark", "mode": "replace"}, "goes with merge and history"),
    (SelaLeadsToSqlOperator, {"deletes": "mark", "user": 5}, "leave the filters out"),
    (SelaPlanPartsOperator, {"path": "parts"}, "path is a local path that does not begin with /"),
    (SelaPlanPartsOperator, {"path": None}, "path is empty"),
    (SelaPlanPartsOperator, {"max_parts": 1025}, "max_parts is 1025: allowed is 1 to 1024"),
    (SelaReadPartOperator, {"part": "s3://bucket/parts"}, "part is no part: map the task over the output"),
    (SelaReadPartOperator, {"part": None}, "part is no part"),
    (SelaLeadsToSqlOperator, {"parts": "s3://bucket/parts"}, "parts is no output of SelaReadPartOperator"),
    (SelaLeadsOperator, {"parts": 5}, "parts is no output of SelaReadPartOperator"),
    (SelaLeadSensor, {"external_id": None}, "external_id is empty"),
    (SelaLeadSensor, {"statuses": []}, "statuses is an empty list"),
    (SelaLeadSensor, {"statuses": ""}, "statuses is empty"),
    (SelaLeadSensor, {"deferrable": "maybe"}, "deferrable is 'maybe': allowed are True and False"),
    (SelaLeadSensor, {"start_from_trigger": None}, "start_from_trigger is None: allowed are True and"),
    (SelaLeadSensor, {"max_failures": -1}, "max_failures is -1: it starts at 0"),
    (SelaLeadSensor, {"sela_conn_id": "None"}, "sela_conn_id is the text None"),
]
CHOICES = [
    (SelaLeadsOperator, "on_unverified", OnUnverified),
    (SelaLeadsToSqlOperator, "on_unverified", OnUnverified),
    (SelaLeadsToSqlOperator, "mode", ModeName),
    (SelaLeadsToSqlOperator, "deletes", Deletes),
]
REFUSED = [
    *((kind, arguments, message) for kind in OPERATORS for arguments, message in SHARED),
    *OWN,
]


def named(value: Any) -> str | None:
    return value.__name__ if isinstance(value, type) else None


@pytest.mark.parametrize(("kind", "arguments", "message"), REFUSED, ids=named)
def test_what_no_run_can_mend_is_refused_when_the_dag_is_parsed(
    kind: type[Any], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(SelaRequestError, match=message):
        kind(**{"task_id": "task", **TASKS[kind], **arguments})


@pytest.mark.parametrize("kind", TASKS, ids=named)
def test_a_value_of_a_type_that_no_parameter_has_is_refused_by_name_when_the_dag_is_parsed(
    kind: type[Any],
) -> None:
    for name in kind.readers:
        for value in (b"x", object(), date(2026, 1, 1), iter("x"), {"a": object()}, [b"x"]):
            if name in ("part", "parts") and isinstance(value, dict if name == "part" else list):
                continue
            with pytest.raises(SelaRequestError, match=rf"\b{name}\b"):
                kind(**{"task_id": "task", **TASKS[kind], name: value})


@pytest.mark.parametrize("kind", TASKS, ids=named)
def test_what_airflow_resolves_or_calls_in_a_run_passes_unchecked(kind: type[Any]) -> None:
    """As functions do from Airflow 3.1 on, and objects with templates of their own."""

    class Templated:
        template_fields = ("text",)

    for value in (lambda context, jinja_env: "x", Templated()):
        for name in kind.template_fields:
            kind(**{"task_id": "task", **TASKS[kind], name: value})


@pytest.mark.parametrize(("kind", "arguments", "message"), REFUSED, ids=named)
def test_what_a_template_gives_is_refused_before_the_first_request(
    api: SelaApi, hook: Any, kind: type[Any], arguments: dict[str, Any], message: str
) -> None:
    given = {name: value for name, value in arguments.items() if name in kind.template_fields}
    if not given:
        pytest.skip("is no template")
    # A DAG that renders native objects makes the text None to None.
    native = not all(isinstance(value, str) for value in given.values())
    task = rendered(kind, native=native, **{**TASKS[kind], **arguments})
    with pytest.raises(AirflowFailException, match=message):
        task.execute({})
    assert api.requests == []


@pytest.mark.parametrize("kind", TASKS, ids=named)
def test_templates_and_what_other_tasks_give_pass_unchecked_until_they_are_rendered(kind: type[Any]) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with DAG("later", schedule=None, start_date=start):
        before = SelaLeadsOperator(task_id="before")
        for number, later in enumerate(
            ["{{ params.x }}", "{% if x %}{% endif %}", before.output, before.output["x"]]
        ):
            task = kind(task_id=f"task_{number}", **dict.fromkeys(kind.template_fields, later))
            assert isinstance(later, str) != (before.task_id in task.upstream_task_ids)


@pytest.mark.parametrize("kind", OPERATORS, ids=named)
def test_a_mapped_task_is_checked_in_its_run_and_fails_without_a_retry(
    api: SelaApi, hook: Any, kind: type[Any]
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with DAG("mapped", schedule=None, start_date=start):
        mapped = kind.partial(task_id="mapped", page_size=0, **OPERATORS[kind]).expand(
            email=["a@example.com"]
        )
    task = mapped.unmap({"email": "a@example.com"})
    with pytest.raises(AirflowFailException, match="page_size is 0: it starts at 1"):
        task.execute({})
    assert api.requests == []


def test_a_mapped_task_is_checked_in_its_run_for_what_contradicts_each_other(api: SelaApi, hook: Any) -> None:
    with DAG("mapped", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        mapped = SelaLeadsToSqlOperator.partial(
            task_id="land", conn_id="warehouse", deletes="mark"
        ).expand_kwargs([{"table": "leads", "mode": "append"}])
    with pytest.raises(AirflowFailException, match="goes with merge and history, not with mode append"):
        mapped.unmap({"table": "leads", "mode": "append"}).execute({})
    with DAG("mapped", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        mapped = SelaLeadsToSqlOperator.partial(
            task_id="several", conn_id="warehouse", table="leads", mode="replace", several_accounts=True
        ).expand(sela_conn_id=["sela_default", "sela_other"])
    with pytest.raises(AirflowFailException, match="several_accounts goes with neither mode replace"):
        mapped.unmap({"sela_conn_id": "sela_default"}).execute({})
    with DAG("mapped", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        mapped = SelaLeadsOperator.partial(task_id="read").expand(hash_fields=[["email"]])
    with pytest.raises(AirflowFailException, match="hash_fields needs a salt"):
        mapped.unmap({"hash_fields": ["email"]}).execute({})
    assert api.requests == []


def test_a_mapped_sensor_fails_without_a_retry_too(api: SelaApi, hook: Any) -> None:
    with DAG("mapped", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        mapped = SelaLeadSensor.partial(task_id="wait").expand(external_id=["", "a"])
    with pytest.raises(AirflowFailException, match="external_id is empty"):
        mapped.unmap({"external_id": ""}).execute({})
    assert api.requests == []


@pytest.mark.parametrize("kind", OPERATORS, ids=named)
def test_a_type_checker_sees_every_parameter_of_an_operator(kind: type[Any]) -> None:
    """``**kwargs`` hides them; those of Airflow's own operators stay there."""
    spelled = inspect.signature(kind.__init__).parameters
    bases = [SelaBaseOperator, SelaReadOperator] if issubclass(kind, SelaReadOperator) else [SelaBaseOperator]
    for base in bases:
        for name, parameter in inspect.signature(base.__init__).parameters.items():
            assert spelled[name] == parameter
    assert set(kind.template_fields) <= set(spelled)
    assert set(kind.template_fields) == set(kind.readers)


@pytest.mark.parametrize(("kind", "name", "words"), CHOICES, ids=named)
def test_a_choice_is_seen_by_editors_and_may_be_a_template(kind: type[Any], name: str, words: Any) -> None:
    annotation = inspect.signature(kind.__init__).parameters[name].annotation
    (alias,) = (found for found, value in vars(inspect.getmodule(kind)).items() if value == words)
    assert annotation == f"{alias} | str"
    assert [kind.readers[name](name, word) for word in get_args(words)] == [*get_args(words)]


def test_every_mode_is_named_for_editors() -> None:
    assert get_args(ModeName) == tuple(Mode)


def test_the_modes_that_want_everything_read_are_those_that_remove_rows() -> None:
    """Parsing a DAG file loads no table of ours, so their names stand there once more."""
    assert [mode for mode in Mode if mode.removes] == [*WHOLE_MODES]


def test_texts_that_templates_made_are_read_for_what_was_meant(api: SelaApi, hook: Any) -> None:
    """Jinja makes a text of everything, where a DAG does not ask for native objects."""
    api.update(28_007, status="CLOSED", external_id="wanted")
    given = rendered(SelaLeadSensor, native=False, external_id="wanted", statuses=["CLOSED", "LOST"])
    assert given.statuses == "['CLOSED', 'LOST']"
    assert given.execute({})["id"] == 28_007
    task = rendered(
        SelaLeadsOperator, native=False, user=2, page_size=50, exclude_fields=["email"],
        keep_metadata=("city",), max_xcom_leads=500,
    )  # fmt: skip
    leads = task.execute({})
    assert {lead["id"] for lead in leads} == {
        key for key, lead in api.leads.items() if api.user_of(lead) == 2
    }
    assert {name for lead in leads for name in lead["metadata"] or ()} <= {"city"}
    assert all("email" not in lead for lead in leads)


def test_none_in_a_template_is_no_filter_for_the_text_none(api: SelaApi, hook: Any) -> None:
    with pytest.raises(AirflowFailException, match="external_id is the text None"):
        rendered(SelaLeadsOperator, native=False, external_id=None).execute({})
    assert api.requests == []
    assert len(rendered(SelaLeadsOperator, external_id=None).execute({})) == 250
