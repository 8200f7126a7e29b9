"""The settings in force, and the keys of the page."""

from __future__ import annotations

from spoolrunner.web.settings import Settings

HOURLY = {"every": "1h", "job": "app.Report", "method": "build", "params": ["secret"]}


def test_settings(serve) -> None:
    """Every key has its value; what may be a secret has not, and parameters have not where they are hidden."""
    keys = {"environment": {"PASSWORD": "hush"}, "concurrency": 7, "schedules": {"s": HOURLY}}
    page = serve(**keys)
    text = page.get("/settings/").text
    assert "hush" not in text
    assert "PASSWORD" in text
    assert "<b>concurrency</b>" in text
    assert "secret" in text
    assert page.get("/settings/.json").json()["effective"]["concurrency"] == 7
    hidden = serve(Settings(hides_params=True, allowed_hosts=frozenset({"jobs.example"})), **keys)
    assert "secret" not in hidden.get("/settings/").text
    assert "jobs.example" in hidden.get("/settings/").text
    assert hidden.get("/settings").leads_to == "/settings/"


def test_keys(serve) -> None:
    """The keys are listed on a page of their own, without a script, too."""
    page = serve()
    assert "<kbd>g</kbd>" in page.get("/keys/").text
    assert page.get("/keys").leads_to == "/keys/"
