"""``sela://`` URIs: one spelling for each server, and a clear refusal."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import Asset

from airflow_provider_sela.assets import (
    convert_asset_to_openlineage,
    create_asset,
    describe_outlets,
    sanitize_uri,
)

ONE = "sela://api.trysela.com/leads"


@pytest.mark.parametrize(
    "spelling",
    [
        ONE,
        f"{ONE}/",
        "sela://API.TrySela.com/leads",
        "sela://api.trysela.com:443/leads",
        "SELA://api.trysela.com/leads",
    ],
)
def test_every_spelling_of_a_server_is_the_same_asset(spelling: str) -> None:
    assert Asset(spelling).uri == ONE
    assert sanitize_uri(urlsplit(spelling)).geturl() == ONE


def test_another_port_is_another_server() -> None:
    assert Asset("sela://127.0.0.1:8080/leads").uri == "sela://127.0.0.1:8080/leads"


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("sela:///leads", "the server is missing"),
        ("sela://:443/leads", "the server is missing"),
        ("sela://api.trysela.com", "only /leads stands behind the server"),
        ("sela://api.trysela.com/calls", "only /leads stands behind the server"),
        ("sela://api.trysela.com/leads/28013", "only /leads stands behind the server"),
        ("sela://api.trysela.com/leads?email=planted", "take user, filters and fragment away"),
        ("sela://planted@api.trysela.com/leads", "take user, filters and fragment away"),
        ("sela://api.trysela.com:leads/leads", "the port is no number"),
    ],
)
def test_a_uri_that_names_something_else_is_refused_with_the_right_form(uri: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refusal:
        sanitize_uri(urlsplit(uri))
    assert ONE in str(refusal.value)
    assert "planted" not in str(refusal.value)


def test_airflow_refuses_it_with_the_same_words() -> None:
    pytest.importorskip("airflow.sdk", reason="Airflow 2 warns")
    with pytest.raises(ValueError, match="only /leads stands behind the server"):
        Asset("sela://api.trysela.com/calls")


def test_the_factory_makes_the_documented_uri() -> None:
    assert create_asset().uri == ONE
    assert create_asset(host="127.0.0.1:8080", extra={"a": 1}).extra == {"a": 1}


def test_the_converter_gives_openlineages_name() -> None:
    pytest.importorskip("openlineage.client")
    dataset = convert_asset_to_openlineage(create_asset(), None)
    assert (dataset.namespace, dataset.name) == ("sela://api.trysela.com", "leads")


def test_airflow_knows_handler_factory_and_converter(providers_manager: Any) -> None:
    manager = providers_manager
    kind = "asset" if hasattr(manager, "asset_uri_handlers") else "dataset"
    assert getattr(manager, f"{kind}_uri_handlers")["sela"] is sanitize_uri
    assert getattr(manager, f"{kind}_factories")["sela"] is create_asset
    assert getattr(manager, f"{kind}_to_openlineage_converters")["sela"] is convert_asset_to_openlineage


def test_what_is_no_asset_or_has_no_events_is_left_alone() -> None:
    context: Any = {}
    describe_outlets(context, [create_asset()], {"read": 1})
    describe_outlets({**context, "outlet_events": {}}, ["a file"], {"read": 1})
