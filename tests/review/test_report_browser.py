"""The HTML report as whoever receives it sees it: a file opened in a browser, with no network and no server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from policies.verdict import Outcome
from review.report import write_report
from tests.provenance.made_films import film
from tests.review.browsing import browser, until, violations, watched
from tests.review.test_report import FACE, HOSTILE, LINE, document, reason

__all__ = ["browser"]  # a fixture, used by its name
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with stills, a rendered cut, and hostile words wherever strangers may write."""
    folder = tmp_path_factory.mktemp("report")
    media = film(folder / "第01集.mp4", seconds=4, size=(180, 320))
    reasons = [reason(Outcome.REJECT, FACE, words=HOSTILE), reason(Outcome.SEGMENT, LINE)]
    doc = document(media, reasons, file=HOSTILE, rescreened={"outcome": "approve"})
    return write_report(folder / "report", json.loads(json.dumps(doc)), media=media, rendered=media)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in English and light, that may complain of nothing and open nothing but files."""
    context = browser.new_context(viewport={"width": 1000, "height": 800}, locale="en-GB", color_scheme="light")
    context.set_default_timeout(10_000)
    with watched(context.new_page(), "file://") as one:
        yield one
    context.close()


def test_it_opens_as_a_file_and_asks_nobody_for_anything(page: Page, report: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report.as_uri())
    expect(page.get_by_role("heading", name="Reasons")).to_be_visible()
    own = report.parent.as_uri()
    assert {a for a in asked if not a.startswith("data:")} <= {report.as_uri(), *(f"{own}/{n}" for n in _cuts(report))}


def _cuts(report: Path) -> list[str]:
    from urllib.parse import quote

    return [quote(p.name) for p in report.parent.iterdir() if p != report]


def test_what_strangers_wrote_is_shown_and_runs_nothing(page: Page, report: Path) -> None:
    page.on("dialog", lambda _: pytest.fail("something of the file ran"))
    page.goto(report.as_uri())
    expect(page.locator("h1")).to_contain_text("img src=x")
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("way", ["click", "Enter"])
def test_stills_are_blurred_until_asked_for(page: Page, report: Path, way: str) -> None:
    page.goto(report.as_uri())
    still = page.locator(".still").first
    blur = "e => getComputedStyle(e.querySelector('img')).filter"
    assert page.locator(".still").count() >= 2
    assert all("blur" in one.evaluate(blur) for one in page.locator(".still").all())
    assert still.evaluate("e => e.querySelector('img').naturalWidth") == 180
    for pressed, wanted in (("true", False), ("false", True)):
        if way == "click":
            still.click()
        else:
            still.focus()
            page.keyboard.press(way)
        expect(still).to_have_attribute("aria-pressed", pressed)
        until(page, f"getComputedStyle(document.querySelector('.still img')).filter.includes('blur') === {_js(wanted)}")
    assert "blur" in page.locator(".still").nth(1).evaluate(blur)


def _js(value: bool) -> str:
    return "true" if value else "false"


def test_it_begins_in_the_readers_language_and_changes_it_at_a_press(page: Page, report: Path) -> None:
    page.goto(report.as_uri())
    expect(page.locator(".verdict .word")).to_have_text("Reject", use_inner_text=True)
    page.locator("#lang").click()
    expect(page.locator(".verdict .word")).to_have_text("拒绝", use_inner_text=True)
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.title().startswith("拒绝")
    page.locator("#lang").click()
    expect(page.locator(".verdict .word")).to_have_text("Reject", use_inner_text=True)


def test_light_and_dark_change_places_at_a_press(page: Page, report: Path) -> None:
    page.goto(report.as_uri())
    shade = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(shade)
    page.locator("#theme").click()
    dark = page.evaluate(shade)
    page.locator("#theme").click()
    assert (light, dark, page.evaluate(shade)) == ("rgb(245, 246, 248)", "rgb(17, 20, 26)", light)


def test_the_rendered_cut_beside_it_plays(page: Page, report: Path) -> None:
    page.goto(report.as_uri())
    page.evaluate("document.querySelector('video').muted = true")
    page.evaluate("document.querySelector('video').play()")
    until(page, "document.querySelector('video').currentTime > 0.2")


@pytest.mark.parametrize(("scheme", "locale", "width"), [("light", "zh-CN", 1000), ("dark", "en-GB", 390)])
def test_nobody_is_shut_out(browser: Browser, report: Path, scheme: Any, locale: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, locale=locale)
    with watched(context.new_page(), "file://") as page:
        page.goto(report.as_uri())
        page.locator(".still").first.click()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out sideways"
    context.close()
