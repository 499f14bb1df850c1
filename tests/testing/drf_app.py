"""A plain Django REST Framework application for leads: what the sample API is measured against."""

# mypy: disable-error-code="import-untyped, import-not-found, misc, no-any-return"
from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache as cache_result
from typing import Any, ClassVar

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "file:sela_contract?mode=memory&cache=shared",
        }
    },
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework.authtoken",
    ],
    LOGGING_CONFIG=None,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    REST_FRAMEWORK={"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for tests",
    USE_TZ=True,
)
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import exceptions, generics, pagination, permissions, serializers, throttling  # noqa: E402
from rest_framework.authentication import TokenAuthentication  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

TOKEN = "sela-test-token"
TOKEN_WITHOUT_RIGHTS = "token-without-rights"


class Lead(models.Model):
    """The columns that are filtered on, and the lead as it is served."""

    email = models.TextField(null=True)
    external_id = models.TextField(null=True)
    phone_number = models.TextField()
    user = models.IntegerField()
    body = models.JSONField()

    class Meta:
        app_label = "contract"
        ordering: ClassVar = ["id"]


class LeadSerializer(serializers.BaseSerializer):
    def to_representation(self, instance: Lead) -> Any:
        return instance.body


class LeadPages(pagination.PageNumberPagination):
    page_size = 10
    page_size_query_param = "page_size"
    max_page_size = 50


class MayReadLeads(permissions.IsAuthenticated):
    def has_permission(self, request: Any, view: Any) -> bool:
        return super().has_permission(request, view) and request.user.username != "without rights"


class LeadThrottle(throttling.UserRateThrottle):
    rate: ClassVar[str | None] = None


class LeadList(generics.ListAPIView):
    queryset = Lead.objects.all()
    serializer_class = LeadSerializer
    pagination_class = LeadPages
    authentication_classes: ClassVar = [TokenAuthentication]
    permission_classes: ClassVar = [MayReadLeads]
    throttle_classes: ClassVar = [LeadThrottle]

    def get_queryset(self) -> Any:
        """Filter exactly, by each parameter that has a value."""
        queryset = super().get_queryset()
        for name in ("email", "external_id", "phone_number", "user"):
            value: Any = self.request.query_params.get(name)
            if not value:
                continue
            if name == "user":
                try:
                    value = serializers.IntegerField().run_validation(value)
                except serializers.ValidationError as error:
                    raise serializers.ValidationError({name: error.detail}) from None
            queryset = queryset.filter(**{name: value})
        return queryset


class LeadDetail(generics.RetrieveAPIView):
    queryset = Lead.objects.all()
    serializer_class = LeadSerializer
    authentication_classes: ClassVar = [TokenAuthentication]
    permission_classes: ClassVar = [MayReadLeads]


urlpatterns = [path("api/leads/", LeadList.as_view()), path("api/leads/<int:pk>/", LeadDetail.as_view())]


@cache_result
def create_database() -> None:
    """Create the tables and the two users with their tokens, once in a process."""
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Lead)
    for username, key in (("reader", TOKEN), ("without rights", TOKEN_WITHOUT_RIGHTS)):
        Token.objects.create(key=key, user=User.objects.create(username=username))


def replace_leads(leads: Iterable[tuple[dict[str, Any], int]]) -> None:
    """Fill the table with these leads; each comes with its user."""
    Lead.objects.all().delete()
    columns = ("id", "email", "external_id", "phone_number")
    Lead.objects.bulk_create(
        Lead(user=user, body=lead, **{name: lead[name] for name in columns}) for lead, user in leads
    )


@contextmanager
def holding(leads: Iterable[dict[str, Any]]) -> Iterator[None]:
    """Let the table hold these leads until the block ends, and then those of before."""
    kept = [(lead.body, lead.user) for lead in Lead.objects.all()]
    replace_leads((lead, 1) for lead in leads)
    try:
        yield
    finally:
        replace_leads(kept)


@contextmanager
def throttled(rate: str) -> Iterator[None]:
    """Let through so many requests, such as ``1/min``, until the block ends."""
    cache.clear()
    LeadThrottle.rate = rate
    try:
        yield
    finally:
        LeadThrottle.rate = None
        cache.clear()


def wording_of_wait(seconds: float) -> tuple[str, str]:
    """Return ``detail`` and ``Retry-After`` of DRF's 429."""
    error = exceptions.Throttled(seconds)
    return str(error.detail), str(error.wait)


class _Server(ThreadedWSGIServer):
    def server_bind(self) -> None:
        # The inherited method asks the resolver for a host name.
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.socket.getsockname()
        self.setup_environ()


class _Handler(WSGIRequestHandler):
    # Head and body leave in two pieces; without this, each answer takes 40 ms.
    disable_nagle_algorithm = True

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def served() -> Iterator[str]:
    """Serve the application with Django's own server on loopback; give its base URL."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.set_app(get_wsgi_application())
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
