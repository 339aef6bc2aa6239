"""Guessing is slowed: attempts are counted by address and by account, in Redis, for all processes together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django_ratelimit.core import get_usage

from accounts.names import normalize_email, normalize_name
from jarvis.lib.client_address import client_address, rate_bucket
from jarvis.lib.config import config
from jarvis.lib.private_names import second_factor_account
from jarvis.lib.redis_client import RedisError

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 5  # after which to try again where Redis cannot be reached


def read_username(request: HttpRequest) -> str:
    return normalize_name(request.POST.get("login", "")).casefold()


def read_email(request: HttpRequest) -> str:
    return normalize_email(request.POST.get("email", ""))


def current_account(request: HttpRequest) -> str:
    return str(request.user.pk or "")


@dataclass(frozen=True)
class Limit:
    """Attempts by one address, and on one account (a flood of wrong passwords keeps its owner out for as long; a
    passkey still opens, since nothing can be guessed there)."""

    group: str
    by_address: str = ""
    by_account: str = ""
    account: Callable[[HttpRequest], str] = current_account
    methods: tuple[str, ...] = ("POST",)


SIGN_IN = Limit("sign-in", "60/m", "10/5m", read_username)
SECOND_FACTOR = Limit("second factor", "60/m", "5/5m", second_factor_account)
REAUTHENTICATE = Limit("again", "60/m", "10/5m")
RESET = Limit("reset", "10/m", "3/10m", read_email)
SIGN_UP = Limit("sign-up", "20/m")
PASSKEY = Limit("passkey", "60/m", methods=("GET", "POST"))  # also the question, for it makes a session

LIMITS_BY_URL_NAME = {  # by the names of addresses
    "login": SIGN_IN,
    "setup": SIGN_UP,
    "account_signup": SIGN_UP,
    "join": SIGN_UP,
    "socialaccount_signup": SIGN_UP,
    "openid_connect_login": PASSKEY,
    "openid_connect_callback": PASSKEY,
    "account_reset_password": RESET,
    "account_reset_password_from_key": SIGN_UP,
    "account_reauthenticate": REAUTHENTICATE,
    "account_change_password": REAUTHENTICATE,
    "account_email": REAUTHENTICATE,
    "mfa_authenticate": SECOND_FACTOR,
    "mfa_reauthenticate": REAUTHENTICATE,
    "mfa_reauthenticate_webauthn": REAUTHENTICATE,
    "mfa_activate_totp": REAUTHENTICATE,
    "mfa_login_webauthn": PASSKEY,
}


class ThrottlingMiddleware:
    """Middleware: 429 for whoever tries too often, 503 where the counting cannot be done."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        match = request.resolver_match
        limit = LIMITS_BY_URL_NAME.get(match.url_name or "") if match is not None else None
        if limit is None or request.method not in limit.methods:
            return None if request.path.startswith("/api/") else check_limit(request, page_limit())
        try:
            wait = count_attempt(request, limit)
        except RedisError as error:
            return unavailable_response(request, error)
        return too_many_response(request, wait, guessing=True) if wait else None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return unavailable_response(request, exception) if isinstance(exception, RedisError) else None


def count_attempt(request: HttpRequest, limit: Limit) -> int:
    """Count this attempt; 0 where it may go on. What one address may not do any more does not count on the account."""
    client = client_address(request)
    counted = [("address", limit.by_address, rate_bucket(client))] if limit.by_address else []
    if limit.by_account and (account := limit.account(request)):
        counted.append(("account", limit.by_account, account))
    for kind, rate, value in counted:
        group = f"{limit.group} {kind} "
        usage = get_usage(request, group, key=lambda *_, value=value: value, rate=rate, increment=True)
        if usage is not None and usage["should_limit"]:
            log.warning("limit.reached", limit=limit.group, by=kind, client=client)
            return max(1, int(usage["time_left"]))
    return 0


def page_limit() -> Limit:
    """Whatever else is opened or sent: more than a person does, so that no program keeps the site from them."""
    return Limit("pages", by_account=format_rate(config.web_rate_limit_pages), account=account_or_address)


def account_or_address(request: HttpRequest) -> str:
    """The account, or the address of somebody who has none here: a team may share one address."""
    return current_account(request) or f"address {rate_bucket(client_address(request))}"


def format_rate(a_minute: int) -> str:
    """As django-ratelimit writes it; empty for no limit."""
    return f"{a_minute}/m" if a_minute else ""


def check_limit(request: HttpRequest, limit: Limit) -> HttpResponse | None:
    """Count this; the page to answer with where it was one too many."""
    wait = count_request(request, limit)
    return too_many_response(request, wait) if wait else None


def count_request(request: HttpRequest, limit: Limit) -> int:
    """As `count_attempt`, for what is no guessing of secrets: where Redis is away, it is allowed uncounted."""
    try:
        return count_attempt(request, limit)
    except RedisError as error:
        log.warning("redis.away", error=str(error), limit=limit.group)
        return 0


def too_many_response(request: HttpRequest, wait: int = 60, *, guessing: bool = False) -> HttpResponse:
    """429, and when to come again."""
    return set_retry_after(render(request, "429.html", {"wait": wait, "guessing": guessing}, status=429), wait)


def unavailable_response(request: HttpRequest, error: Exception) -> HttpResponse:
    """503: a sign-in that nobody counts would be one that anybody may guess at. Who is signed in already goes on."""
    log.warning("redis.away", error=str(error))
    return set_retry_after(render(request, "503.html", status=503), RETRY_AFTER_SECONDS)


def set_retry_after(response: HttpResponse, seconds: int) -> HttpResponse:
    response.headers["Retry-After"] = str(seconds)
    return response
