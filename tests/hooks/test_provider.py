"""What Airflow knows of the provider: its metadata, its form, its hook."""

from __future__ import annotations

import importlib.resources
import json
import pkgutil
import re
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import pytest

from airflow_provider_sela import __version__, get_provider_info
from airflow_provider_sela.hooks.form import connection_type
from airflow_provider_sela.hooks.sela import SelaHook
from airflow_provider_sela.settings import EXTRA_FIELDS


@pytest.fixture(scope="module")
def manager() -> Any:
    """Airflow's own view; the package must be installed, if only in editable mode."""
    from airflow.providers_manager import ProvidersManager

    if not [point for point in entry_points(group="apache_airflow_provider") if "sela" in point.value]:
        pytest.fail("install the package first: the entry point is part of what is tested")
    with suppress(ImportError):
        from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

        # The API server of 3.0 to 3.2 puts mocks in the place of Flask-AppBuilder before it draws a form.
        HookMetaService.hook_meta_data()
    return ProvidersManager()


def test_the_metadata_is_valid_by_airflows_own_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(
        importlib.resources.files("airflow").joinpath("provider_info.schema.json").read_text()
    )
    jsonschema.validate(get_provider_info(), schema)


def listed_modules(key: str) -> set[str]:
    """Modules under a key of the metadata."""
    return {
        path
        for entry in get_provider_info()[key]
        for path in entry.get("python-modules") or [entry["python-module"]]
    }


@pytest.mark.parametrize("folder", ["operators", "sensors", "transfers", "hooks", "triggers"])
def test_the_metadata_lead_to_every_class_of_ours_and_to_no_module_without_one(folder: str) -> None:
    import airflow.providers.common.compat.sdk as sdk
    from airflow.triggers.base import BaseTrigger

    kinds = {"hooks": sdk.BaseHook, "triggers": BaseTrigger, "sensors": sdk.BaseSensorOperator}
    package = import_module(f"airflow_provider_sela.{folder}")
    found: dict[str, set[str]] = {}
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        for name, value in vars(import_module(module.name)).items():
            if (
                isinstance(value, type)
                and issubclass(value, kinds.get(folder, sdk.BaseOperator))
                and value.__module__.startswith(f"{package.__name__}.")
                and not name.startswith("_")
            ):
                found.setdefault(name, set()).add(module.name)
    listed = listed_modules(folder)
    assert found
    for name, modules in found.items():
        assert modules & listed, name
    for path in listed:
        assert any(path in modules for modules in found.values()), path


def test_an_integration_that_the_metadata_name_is_one_of_ours_or_of_a_provider_we_need(manager: Any) -> None:
    known = {
        integration["integration-name"]
        for name in ("airflow-provider-sela", "apache-airflow-providers-common-sql")
        for integration in manager.providers[name].data["integrations"]
    }
    info = get_provider_info()
    named = {
        entry["integration-name"]
        for key in ("operators", "sensors", "hooks", "triggers")
        for entry in info[key]
    }
    for transfer in info["transfers"]:
        named |= {transfer["source-integration-name"], transfer["target-integration-name"]}
    assert named <= known


def test_airflow_shows_the_description_without_markup() -> None:
    """Its clean-up knows reStructuredText, and nothing of Markdown."""
    from airflow.cli.commands.provider_command import _remove_rst_syntax

    description = get_provider_info()["description"]
    assert re.search(r"`\w+ <https://[\w.]+>`__", description)
    told = "Leads of Sela https://trysela.com, complete and typed, in your own warehouse"
    assert _remove_rst_syntax(description) == told


def test_the_description_is_restructuredtext() -> None:
    core = pytest.importorskip("docutils.core")
    told = core.publish_doctree(get_provider_info()["description"], settings_overrides={"halt_level": 2})
    assert [link["refuri"] for link in told.findall() if link.tagname == "reference"] == [
        "https://trysela.com"
    ]


def test_airflow_discovers_the_provider_with_its_version(manager: Any) -> None:
    provider = manager.providers["airflow-provider-sela"]
    assert provider.version == __version__
    assert {**provider.data, **get_provider_info()} == provider.data


def test_airflow_discovers_the_hook_by_its_connection_type(manager: Any) -> None:
    found = manager.hooks["sela"]
    assert found.hook_class_name == "airflow_provider_sela.hooks.sela.SelaHook"
    assert found.package_name == "airflow-provider-sela"
    assert found.hook_name == SelaHook.hook_name == "Sela"
    assert found.connection_id_attribute_name == SelaHook.conn_name_attr == "sela_conn_id"
    assert found.connection_type == SelaHook.conn_type == "sela"


def test_airflow_finds_no_fault_with_the_provider(manager: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A hook that cannot be imported or a bad form is only logged."""
    assert manager.hooks["sela"] is not None
    assert manager.field_behaviours["sela"]
    assert [record for record in caplog.records if "sela" in record.getMessage().lower()] == []


def test_a_connection_gives_its_hook(monkeypatch: pytest.MonkeyPatch, manager: Any) -> None:
    from airflow.models.connection import Connection

    hook = Connection(conn_id="sela_default", conn_type="sela", password="x").get_hook()
    assert isinstance(hook, SelaHook)
    assert hook.sela_conn_id == "sela_default"


def test_the_form_shows_token_base_url_and_port_and_hides_the_rest(manager: Any) -> None:
    behaviour = manager.field_behaviours["sela"]
    assert behaviour["relabeling"] == {"password": "API token", "host": "Host (base URL)"}
    assert sorted(behaviour["hidden_fields"]) == ["login", "schema"]
    assert behaviour["placeholders"] == {
        "host": "https://api.trysela.com",
        "port": "443: fill it in for the Test button of Airflow 3.3",
    }


def test_the_form_of_old_and_new_airflow_says_the_same() -> None:
    new = connection_type()["ui-field-behaviour"]
    old = SelaHook.get_ui_field_behaviour()
    assert {name.replace("-", "_"): value for name, value in new.items()} == old


@pytest.mark.parametrize("item", EXTRA_FIELDS, ids=lambda item: item.name)
def test_the_form_of_new_airflow_offers_each_extra_with_its_bounds(item: Any) -> None:
    field = connection_type()["conn-fields"][item.name]
    assert field["label"] == item.title
    assert field["description"] == item.description
    assert field["schema"]["type"] == [item.kind, "null"]
    assert field["schema"]["default"] == item.default
    assert (field["schema"].get("minimum"), field["schema"].get("maximum")) == (item.minimum, item.maximum)


def test_the_user_interface_of_this_airflow_draws_each_extra(manager: Any) -> None:
    services = pytest.importorskip("airflow.api_fastapi.core_api.services.ui.connections")
    [drawn] = [meta for meta in services.HookMetaService.hook_meta_data() if meta.connection_type == "sela"]
    assert drawn.hook_name == "Sela"
    assert set(drawn.extra_fields) == {item.name for item in EXTRA_FIELDS}
    assert drawn.standard_fields.password.title == "API token"
    assert drawn.standard_fields.host.placeholder == "https://api.trysela.com"
    assert drawn.standard_fields.port is None or not drawn.standard_fields.port.hidden
    for item in EXTRA_FIELDS:
        # Forms drawn from WTForms (below 3.2) know no number with a fraction.
        kinds = {item.kind, "string"} if item.kind == "number" else {item.kind}
        field = drawn.extra_fields[item.name]
        assert field["schema"]["type"][0] in kinds
        assert field["description"] == item.description
        assert field["value"] in (item.default, str(item.default))


def test_airflow_draws_the_form_without_a_deprecation_warning() -> None:
    """From 3.2 on, Airflow warns of a hook that describes a form, unless the metadata do."""
    code = """
import contextlib, os, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    with contextlib.suppress(ImportError):
        from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
        HookMetaService.hook_meta_data()
    from airflow.providers_manager import ProvidersManager
    assert ProvidersManager().field_behaviours["sela"]
    assert ProvidersManager().hooks["sela"]
print([str(one.message) for one in caught if "sela" in str(one.message).lower()], flush=True)
os._exit(0)  # What the hooks of other providers leave running is not waited for.
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_form_of_old_airflow_offers_each_extra() -> None:
    """Drawn with Flask-AppBuilder, which Airflow below 3 has and newer ones may have."""
    fields = pytest.importorskip("wtforms.fields")
    pytest.importorskip("flask_appbuilder")
    if not isinstance(fields.IntegerField, type):
        pytest.skip("Airflow 3.1 and 3.2 put mocks in the place of WTForms")
    widgets = SelaHook.get_connection_form_widgets()
    assert list(widgets) == [item.name for item in EXTRA_FIELDS]
    for item in EXTRA_FIELDS:
        field = widgets[item.name]
        assert field.field_class is (fields.IntegerField if item.kind == "integer" else fields.StringField)
        assert field.kwargs["default"] in (item.default, str(item.default))
        assert field.kwargs["description"] == item.description
