"""The connection form for Airflow below 3.2; newer versions draw it from the provider's metadata."""

from __future__ import annotations

from typing import Any

from airflow_provider_sela.settings import EXTRA_FIELDS, ExtraField


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
