"""The connection form for Airflow below 3.3; newer versions draw it from the provider's metadata."""

from __future__ import annotations

from typing import Any

from airflow_provider_sela.settings import EXTRA_FIELDS


def form_widgets() -> dict[str, Any]:
    """WTForms fields by the name of the extra; WTForms is there only where such a form is drawn."""
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import IntegerField, StringField
    from wtforms.validators import Optional

    def widget(kind: str) -> Any:
        return IntegerField if kind == "integer" else StringField

    return {
        item.name: widget(item.kind)(
            lazy_gettext(item.title),
            validators=[Optional()],
            widget=BS3TextFieldWidget(),
            description=item.description,
            default=item.default,
        )
        for item in EXTRA_FIELDS
    }
