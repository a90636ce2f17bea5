"""The console as a reviewer uses it: a real browser on a real gateway, whose worker screened real films."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Browser, Page, expect

from classifiers.detectors.calibration_card import draw_card
from classifiers.weights import WeightStore
from provenance.label import find_font
from review.serve import Gateway, running_gateway
from review.settings import Settings
from tests.review.browsing import browser, until, violations, watched

__all__ = ["browser"]  # a fixture, used by its name
pytestmark = [pytest.mark.browser, pytest.mark.database, pytest.mark.weights]

FPS = 24
CONTACT, CONTACT_S = "加微信 lucky8866", (2.0, 4.0)
CARD_S = (1.0, 2.0)
ENDED = ("released", "rejected", "in_queue", "failed")
JUDGED_S = 90.0
"""How long one film of a few seconds may take on a machine that is busy with something else."""


def draw(path: Path, seconds: float, *, contact: bool = False, card: bool = False) -> Path:
    """A vertical film with sound: a ball that rolls; for a while a contact that lures away, or the test card."""
    font = ImageFont.truetype(str(find_font()), 34)
    with av.open(str(path), "w") as target:
        picture = target.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
        picture.width, picture.height, picture.pix_fmt = 360, 640, "yuv420p"
        sound = target.add_stream("aac", rate=48000, layout="mono")
        for n in range(round(seconds * FPS)):
            image = Image.new("RGB", (360, 640), (40 + n // 2, 90, 150))
            pen = ImageDraw.Draw(image)
            pen.ellipse((n, 200, n + 120, 320), fill=(230, 180, 90))
            if contact and CONTACT_S[0] <= n / FPS < CONTACT_S[1]:
                pen.rectangle((20, 440, 340, 500), fill="white")
                pen.text((30, 448), CONTACT, font=font, fill="black")
            if card and CARD_S[0] <= n / FPS < CARD_S[1]:
                image = Image.fromarray(draw_card(360, 640))
            target.mux(picture.encode(av.VideoFrame.from_image(image)))
        target.mux(picture.encode(None))
        tone = (0.2 * np.sin(2 * np.pi * 440 * np.arange(round(48000 * seconds)) / 48000)).astype(np.float32)
        for start in range(0, len(tone), 1024):
            frame = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, start
            target.mux(sound.encode(frame))
        target.mux(sound.encode(None))
    return path


@dataclass(frozen=True)
class Shop:
    """A gateway with two judged films: one that is cut to be published, one that is refused."""

    gateway: Gateway
    http: httpx.Client
    segmented: str
    rejected: str
    verdict: dict[str, Any]
    """Of the segmented one."""
    followed: list[str]
    """What a page that was opened when the other was submitted, and never reloaded, showed one after another."""


def submit(http: httpx.Client, film: Path) -> str:
    uploaded = http.post("/v1/uploads", content=film.read_bytes(), params={"file_name": film.name})
    assert uploaded.status_code in (200, 201), uploaded.text
    created = http.post(
        "/v1/submissions",
        json={"sha256": uploaded.json()["sha256"], "file_name": film.name},
        headers={"Idempotency-Key": f"console-{uploaded.json()['sha256'][:16]}"},
    )
    assert created.status_code == 202, created.text
    return str(created.json()["id"])


def judged(http: httpx.Client, submission: str) -> str:
    deadline = time.monotonic() + JUDGED_S
    while (one := http.get(f"/v1/submissions/{submission}").json())["state"] not in ENDED:
        assert time.monotonic() < deadline, f"no verdict on {submission} after {JUDGED_S} s: {one}"
        time.sleep(0.2)
    return f"{one['outcome']}, {one['state']}"


def follow(browser: Browser, gateway: Gateway, submission: str) -> list[str]:
    """The states a page shows of a submission, each once, until it shows the reasons for its verdict."""
    shown: list[str] = []
    context = browser.new_context(locale="en-GB")
    with watched(context.new_page(), gateway.url) as page:
        page.goto(gateway.console_url)
        page.goto(f"{gateway.url}/#/{submission}")
        expect(page.locator("[data-state]")).to_have_count(1)
        deadline = time.monotonic() + 2 * JUDGED_S
        while page.locator("article.reason").count() == 0:
            assert time.monotonic() < deadline, f"no verdict is shown, only {shown}"
            for state in page.locator("[data-state]").all():
                bars = page.get_by_role("progressbar").count()
                shown.append(f"{state.get_attribute('data-state')}, {bars} progress bars")
            page.wait_for_timeout(50)
        shown.append(str(page.locator(".head [data-outcome]").get_attribute("data-outcome")))
        shown.append(f"{page.get_by_role('progressbar').count()} progress bars")
    context.close()
    return list(dict.fromkeys(shown))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, weights: WeightStore, browser: Browser) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("console")
    home = folder / "home"
    home.mkdir(mode=0o700)
    (home / "weights").symlink_to(weights.root)
    with (
        running_gateway(Settings(home)) as gateway,
        httpx.Client(base_url=gateway.url, headers={"Authorization": f"Bearer {gateway.api_key}"}, timeout=60) as http,
    ):
        segmented = submit(http, draw(folder / "加好友.mp4", 5, contact=True))
        rejected = submit(http, draw(folder / "card.mp4", 3, card=True))
        followed = follow(browser, gateway, rejected)
        assert judged(http, segmented) == "segment, released"
        assert judged(http, rejected) == "reject, rejected"
        verdict = http.get(f"/v1/submissions/{segmented}/verdict").json()
        yield Shop(gateway, http, segmented, rejected, verdict, followed)


@pytest.fixture
def page(shop: Shop, browser: Browser) -> Iterator[Page]:
    """A reviewer's page, signed in, in English and light; it may complain of nothing and ask nobody else."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB", color_scheme="light")
    context.set_default_timeout(10_000)
    assert context.request.post(
        f"{shop.gateway.url}/session", headers={"Authorization": f"Bearer {shop.gateway.api_key}"}
    ).ok
    with watched(context.new_page(), shop.gateway.url) as one:
        yield one
    context.close()


def open_episode(page: Page, shop: Shop, submission: str) -> None:
    page.goto(f"{shop.gateway.url}/#/{submission}")
    until(page, "document.querySelector('video')?.readyState >= 2")


def now(page: Page) -> float:
    return float(page.evaluate("document.querySelector('video').currentTime"))


def seen_at(page: Page, seconds: float) -> None:
    """Wait until the film has come to rest within 0.1 s of `seconds`."""
    until(
        page,
        "s => { const v = document.querySelector('video'); return !v.seeking && Math.abs(v.currentTime - s) < 0.1 }",
        seconds,
    )


def blurred(page: Page) -> bool:
    return "blur" in str(page.evaluate("getComputedStyle(document.querySelector('video')).filter"))


def test_the_link_of_serve_signs_in_and_its_token_leaves_the_address(shop: Shop, browser: Browser) -> None:
    context = browser.new_context(locale="en-GB")
    with watched(context.new_page(), shop.gateway.url) as page:
        page.goto(shop.gateway.console_url)
        expect(page.locator(f"[data-submission={shop.segmented}]")).to_be_visible()
        assert page.url == f"{shop.gateway.url}/"
        (cookie,) = context.cookies()
        assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("dramagate_session", True, "Strict")
        assert page.evaluate("document.cookie") == ""
    context.close()


def test_a_stranger_is_told_how_to_sign_in(shop: Shop, browser: Browser) -> None:
    context = browser.new_context(locale="en-GB")
    with watched(context.new_page(), shop.gateway.url, expected=("status of 401",)) as page:
        page.goto(shop.gateway.url)
        expect(page.get_by_role("alert")).to_contain_text("dramagate serve")
        assert page.locator("[data-submission]").count() == 0
        assert violations(page) == []
    context.close()


def test_an_unknown_submission_is_said_to_be_unknown(shop: Shop, browser: Browser) -> None:
    context = browser.new_context(locale="en-GB")
    with watched(context.new_page(), shop.gateway.url, expected=("status of 404",)) as page:
        page.goto(shop.gateway.console_url)
        page.goto(f"{shop.gateway.url}/#/sub_00000000000000000000000000")
        expect(page.get_by_role("alert")).to_contain_text("no such submission")
        page.get_by_role("alert").get_by_role("link").click()
        expect(page.locator("[data-submission]").first).to_be_visible()
    context.close()


def test_the_list_shows_every_submission_with_its_verdict_and_filters_by_it(page: Page, shop: Shop) -> None:
    page.goto(shop.gateway.url)
    row = page.locator(f"[data-submission={shop.segmented}]")
    expect(row).to_contain_text("加好友.mp4")
    expect(row).to_contain_text("Segment")
    expect(row).to_contain_text("may be published")
    expect(row).to_contain_text("0:05.0")
    page.get_by_text("Reject", exact=True).first.click()
    expect(row).to_have_count(0)
    expect(page.locator(f"[data-submission={shop.rejected}]")).to_be_visible()
    page.get_by_text("Hold", exact=True).first.click()
    expect(page.get_by_text("None match.")).to_be_visible()


def test_a_submission_opens_and_its_film_plays(page: Page, shop: Shop) -> None:
    page.goto(shop.gateway.url)
    page.get_by_role("link", name="加好友.mp4").click()
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, "document.querySelector('video').currentTime > 0.3")
    page.get_by_role("button", name="Pause", exact=True).click()
    rested = now(page)
    assert page.evaluate("document.querySelector('video').videoWidth") == 360
    expect(page.locator("output.now")).to_contain_text(f"0:0{int(rested)}.")
    assert page.title() == "加好友.mp4 · dramagate"


def test_the_verdict_is_told_with_its_reasons_rulebooks_and_what_nobody_looked_at(page: Page, shop: Shop) -> None:
    open_episode(page, shop, shop.segmented)
    for reason in shop.verdict["verdict"]["reasons"]:
        expect(page.locator("article.reason", has_text=reason["rule"])).to_contain_text(reason["explanation"]["en"])
    basis = page.get_by_role("region", name="Basis")
    for book in shop.verdict["verdict"]["rulebooks"]:
        expect(basis).to_contain_text(f"{book['name']} version {book['version']}")
        expect(basis).to_contain_text(book["digest"][:12])
    for gap in shop.verdict["screening"]["gaps"]:
        expect(basis).to_contain_text(gap["reason"])
        expect(basis).to_contain_text(gap["remedy"])
    seal = page.get_by_role("region", name="Content credentials").locator("[data-seal]")
    assert seal.get_attribute("data-seal") == shop.verdict["provenance"]["seal"]


def test_picking_a_finding_shows_it_in_the_film_the_list_and_the_timeline(page: Page, shop: Shop) -> None:
    open_episode(page, shop, shop.segmented)
    found = next(f for f in shop.verdict["screening"]["findings"] if f["category"] == "lure.contact")
    rows = page.locator("[data-row]")
    assert rows.first.get_attribute("data-row") == found["id"], "adverse findings come first"
    times = [f["start_us"] for f in shop.verdict["screening"]["findings"]]
    assert rows.count() == len(times)
    rows.first.get_by_role("button").click()
    seen_at(page, found["start_us"] / 1e6)
    expect(page.locator(f"[data-box={found['id']}]")).to_be_visible()
    mark = page.locator(f"[data-finding={found['id']}]")
    expect(mark).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Home")
    page.locator("[data-row]", has_text="●").first.click()
    expect(mark).to_have_attribute("aria-pressed", "false")
    mark.click()
    seen_at(page, found["start_us"] / 1e6)
    expect(page.locator(f"[data-row={found['id']}]")).to_have_attribute("aria-current", "true")


def test_findings_are_filtered_by_words_and_by_what_they_mean(page: Page, shop: Shop) -> None:
    open_episode(page, shop, shop.segmented)
    rows = page.locator("[data-row]")
    everything = rows.count()
    page.get_by_label("Filter").fill("lucky")
    assert 0 < rows.count() < everything
    page.get_by_label("Filter").fill("no such words")
    expect(page.get_by_text("None match.")).to_be_visible()
    page.get_by_label("Filter").fill("")
    page.get_by_text("Adverse 1").click()
    expect(rows).to_have_count(1)


def test_the_timeline_has_a_scale_and_named_lanes_and_goes_where_it_is_pressed(page: Page, shop: Shop) -> None:
    open_episode(page, shop, shop.segmented)
    assert [t for t in page.locator(".tick").all_inner_texts() if t][:3] == ["0:00", "0:00.5", "0:01"]
    names = page.locator(".timeline .names span").all_inner_texts()
    assert names[:3] == ["Reasons", "Edits", "Off-platform lure"]
    box = page.locator(".timeline .film").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 8)
    seen_at(page, 2.5)
    mark = page.locator(".family-lure [data-finding]")
    mark.hover()
    expect(page.get_by_role("tooltip")).to_contain_text(CONTACT)
    mark.focus()
    expect(page.get_by_role("tooltip")).to_contain_text("Contact details")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.dataset.finding") != mark.get_attribute("data-finding")


def test_the_player_obeys_the_keys_it_names(page: Page, shop: Shop) -> None:
    open_episode(page, shop, shop.segmented)
    starts = sorted({f["start_us"] / 1e6 for f in shop.verdict["screening"]["findings"]})
    page.keyboard.press("l")
    seen_at(page, 1.0)
    page.keyboard.press("]")
    seen_at(page, next(s for s in starts if s > 1.05))
    there = now(page)
    page.keyboard.press(".")
    until(page, "t => document.querySelector('video').currentTime > t", there)
    on = now(page)
    assert int(on * FPS) - int(there * FPS + 1e-3) == 1
    page.keyboard.press(",")
    until(page, "t => document.querySelector('video').currentTime < t", on)
    assert int(now(page) * FPS) == int(there * FPS + 1e-3)
    page.keyboard.press("l")
    page.keyboard.press("[")
    seen_at(page, starts[-2] if len(starts) > 2 else starts[-1])
    page.keyboard.press("j")
    seen_at(page, max(0.0, (starts[-2] if len(starts) > 2 else starts[-1]) - 1))
    page.keyboard.press(" ")
    until(page, "!document.querySelector('video').paused")
    page.keyboard.press(" ")
    until(page, "document.querySelector('video').paused")
    rested = now(page)
    page.get_by_label("Filter").press_sequentially("jl .")
    assert now(page) == rested, "what is typed is not a command"


def test_a_refused_film_is_blurred_until_asked_for(page: Page, shop: Shop) -> None:
    open_episode(page, shop, shop.rejected)
    expect(page.get_by_text("The picture is blurred.")).to_be_visible()
    assert blurred(page)
    page.keyboard.down("v")
    until(page, "!getComputedStyle(document.querySelector('video')).filter.includes('blur')")
    page.keyboard.up("v")
    until(page, "getComputedStyle(document.querySelector('video')).filter.includes('blur')")
    page.get_by_role("button", name="Show the picture").click()
    assert not blurred(page)
    page.get_by_role("button", name="Blur the picture").click()
    assert blurred(page)


def test_a_film_that_may_be_published_in_part_is_shown_as_it_is(page: Page, shop: Shop) -> None:
    open_episode(page, shop, shop.segmented)
    assert not blurred(page)
    assert page.get_by_role("button", name="Show the picture").count() == 0


def test_the_rendered_version_plays_with_what_was_found_in_it(page: Page, shop: Shop) -> None:
    open_episode(page, shop, shop.segmented)
    expect(page.locator(".family-lure")).to_have_count(1)
    page.get_by_text("May be published", exact=True).click()
    until(page, "document.querySelector('video').currentSrc.endsWith('variant=released')")
    until(page, "document.querySelector('video').readyState >= 2")
    expect(page.locator(".family-lure")).to_have_count(0)
    expect(page.get_by_text("The rendered version was screened again and may be published.")).to_be_visible()
    page.keyboard.press(" ")
    until(page, "document.querySelector('video').currentTime > 0.3")


def test_everything_is_said_in_the_chosen_language_and_it_is_remembered(page: Page, shop: Shop) -> None:
    open_episode(page, shop, shop.rejected)
    page.get_by_text("中文", exact=True).click()
    verdict = shop.http.get(f"/v1/submissions/{shop.rejected}/verdict").json()["verdict"]
    for reason in verdict["reasons"]:
        expect(page.locator("article.reason", has_text=reason["rule"])).to_contain_text(reason["explanation"]["zh"])
    expect(page.locator(".timeline .names")).to_contain_text("校准卡")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    page.reload()
    expect(page.get_by_role("heading", name="时间轴")).to_be_visible()
    # What stays English is data: names, digests, what classifiers say of themselves.
    left = page.locator("h2, h3, h4, th, dt, button, summary, label").all_inner_texts()
    words = {w for text in left for w in re.findall(r"[A-Za-z]{3,}", text)}
    assert words <= {"English", "card", "SHA", *(r["classifier"] for r in _ran(shop)), *_parts(shop)}


def _ran(shop: Shop) -> list[dict[str, Any]]:
    return list(shop.verdict["screening"]["ran"])


def _parts(shop: Shop) -> set[str]:
    return {part for one in _ran(shop) for part in str(one["classifier"]).split("_")}


@pytest.mark.parametrize(("scheme", "locale", "width"), [("light", "zh-CN", 1280), ("dark", "en-GB", 390)])
def test_nobody_is_shut_out(shop: Shop, browser: Browser, scheme: Any, locale: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, locale=locale)
    with watched(context.new_page(), shop.gateway.url) as page:
        page.goto(shop.gateway.console_url)
        expect(page.locator("[data-submission]").first).to_be_visible()
        assert violations(page) == []
        for submission in (shop.segmented, shop.rejected):
            open_episode(page, shop, submission)
            page.locator("[data-row]").first.click()
            for closed in page.locator("summary").all():
                closed.click()
            assert violations(page) == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out sideways"
    context.close()


def test_an_approved_script_has_come_to_its_end_and_has_no_film(page: Page, shop: Shop, tmp_path: Path) -> None:
    script = tmp_path / "one.fountain"
    script.write_text("INT. 厨房 - 日\n\n小雨\n今天吃面。\n", "utf-8")
    submission = submit(shop.http, script)
    page.goto(f"{shop.gateway.url}/#/{submission}")
    expect(page.locator(".head [data-outcome=approve]")).to_be_visible(timeout=JUDGED_S * 1000)
    expect(page.get_by_role("progressbar")).to_have_count(0)
    expect(page.get_by_role("link", name="Open the submitted file")).to_be_visible()
    assert page.locator("video, .timeline").count() == 0


def test_light_and_dark_change_places_at_a_press(page: Page, shop: Shop) -> None:
    page.goto(shop.gateway.url)
    shade = "getComputedStyle(document.querySelector('.panel')).backgroundColor"
    assert page.evaluate(shade) == "rgb(255, 255, 255)"
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(shade) == "rgb(26, 31, 40)"
    page.get_by_role("button", name="Light").click()
    assert page.evaluate(shade) == "rgb(255, 255, 255)"


def test_the_report_opens_from_the_console(page: Page, shop: Shop) -> None:
    open_episode(page, shop, shop.rejected)
    with page.expect_popup() as opened, watched(page, shop.gateway.url):
        page.get_by_role("link", name="Report").click()
    with watched(opened.value, shop.gateway.url) as report:
        expect(report.locator(".verdict .word .en")).to_have_text("Reject")
        report.locator("#lang").click()
        expect(report.locator(".verdict .word .zh")).to_be_visible()


def test_a_film_is_followed_from_screening_to_verdict_without_asking_again(shop: Shop) -> None:
    assert "screening, 1 progress bars" in shop.followed
    assert shop.followed[-2:] == ["reject", "0 progress bars"]
