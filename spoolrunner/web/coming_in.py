"""Coming in: the form that whoever is not known is shown, and the cookie that a token or password is given for."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from spoolrunner.web.answers import Screen, show, web_of
from spoolrunner.web.forms import read_form


def _form(request: Request) -> Response:
    """The form; or, with the token of the printed address, the page that sets the cookie and leads on.

    It leads on by itself, and not by a redirect: a browser that came by a link elsewhere sends a strict cookie only when one of
    our own pages leads it.
    """
    web = web_of(request)
    session = web.access.open_with_token(request.query_params.get("token", ""))
    values = {"is_open": session is not None, "is_again": _may_be_known(request), "is_wrong": False}
    answer = show(request, Screen("login.html", values, None, status=200 if session else 401))
    if session:
        _set_cookie(request, answer, session)
    return answer


async def _come_in(request: Request) -> Response:
    web = web_of(request)
    given = (await read_form(request)).one("secret")
    session = web.access.open_with_token(given) or web.access.open_with_password(given)
    if session is None:
        values = {"is_open": False, "is_again": False, "is_wrong": True}
        return show(request, Screen("login.html", values, None, status=401))
    answer = RedirectResponse("./", 303)
    _set_cookie(request, answer, session)
    return answer


def _may_be_known(request: Request) -> bool:
    """Whether a browser may have held its cookie back, because a page elsewhere led to this one."""
    return request.headers.get("sec-fetch-site") == "cross-site" and not request.query_params.get("token")


def _set_cookie(request: Request, answer: Response, session: str) -> None:
    web = web_of(request)
    is_secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))
    answer.set_cookie(
        web.access.cookie,
        session,
        path=f"{web.settings.prefix}/",
        secure=is_secure,
        httponly=True,
        samesite="strict",
    )


ROUTES = [Route("/login", _form, methods=["GET"]), Route("/login", _come_in, methods=["POST"])]
