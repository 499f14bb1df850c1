"""The form in which a user enters a connection: metadata for Airflow 3.2 and newer, WTForms below."""

from __future__ import annotations

from typing import Any

from airflow_provider_sela.api.request import DEFAULT_HOST
from airflow_provider_sela.settings import EXTRA_FIELDS, ExtraField

# Errors name Host, so the form does too.
RELABELING = {"password": "API token", "host": "Host (base URL)"}
# Port stays: in Airflow 3.3 the Test button of a saved connection works only where Port is filled in.
HIDDEN_FIELDS = ["schema", "login"]
PLACEHOLDERS = {"host": DEFAULT_HOST, "port": "443: fill it in for the Test button of Airflow 3.3"}


def connection_type() -> dict[str, Any]:
    """The connection's entry in the provider's metadata; Airflow 3.2 and newer draw the form from it."""
    fields = {}
    for item in EXTRA_FIELDS:
        schema: dict[str, Any] = {"type": [item.kind, "null"], "default": item.default}
        if item.minimum is not None:
            schema |= {"minimum": item.minimum, "maximum": item.maximum}
        fields[item.name] = {"label": item.title, "description": item.description, "schema": schema}
    return {
        "connection-type": "sela",
        "hook-class-name": "airflow_provider_sela.hooks.sela.SelaHook",
        "hook-name": "Sela",
        "ui-field-behaviour": {
            "hidden-fields": HIDDEN_FIELDS,
            "relabeling": RELABELING,
            "placeholders": PLACEHOLDERS,
        },
        "conn-fields": fields,
    }


def form_widgets() -> dict[str, Any]:  # pragma: no cover (Airflow below 3.2)
    """WTForms fields by the name of the extra; WTForms is there only where such a form is drawn."""
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import IntegerField, StringField
    from wtforms.validators import Optional

    def field(item: ExtraField) -> Any:
        # Airflow takes no DecimalField; a number is entered as text, and checked when it is read.
        whole = item.kind == "integer"
        default = item.default if whole or item.default is None else str(item.default)
        return (IntegerField if whole else StringField)(
            lazy_gettext(item.title),
            validators=[Optional()],
            widget=BS3TextFieldWidget(),
            description=item.description,
            default=default,
        )

    return {item.name: field(item) for item in EXTRA_FIELDS}
