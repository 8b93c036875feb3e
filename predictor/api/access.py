"""Lets requests in before anything of them is read; all that needs a key needs scope predict."""

from flask import Flask, g, request

from predictor.api.start_page import is_page
from predictor.settings import PredictorSettings
from shared.access.access import Access, Caller
from shared.access.allowed_hosts import Addressed
from shared.access.tokens import Scope

SAFE_METHODS = ("GET", "HEAD")


def add_access(app: Flask, settings: PredictorSettings) -> None:
    """Ask for a key where there are keys; raises ReadsmithError as Access does."""
    access = Access(settings, settings.predictor_host, settings.allowed_origins)
    open_paths = settings.open_paths
    address_in = "HTTP_X_FORWARDED_FOR" if settings.behind_gateway else "REMOTE_ADDR"
    scheme_in = "HTTP_X_FORWARDED_PROTO" if settings.behind_gateway else "wsgi.url_scheme"

    @app.before_request
    def admit() -> None:
        if request.path in open_paths or is_page(request):
            return
        said = request.environ.get
        addressed = Addressed(
            said("HTTP_HOST"),
            said("HTTP_ORIGIN"),
            said(scheme_in) or said("wsgi.url_scheme", "http"),
            said("HTTP_SEC_FETCH_SITE"),
            request.method not in SAFE_METHODS,
        )
        caller = Caller(said("HTTP_AUTHORIZATION"), addressed, said(address_in))
        g.stats.key = access.admit(caller, Scope.PREDICT)
