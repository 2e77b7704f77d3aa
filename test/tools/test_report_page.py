"""The page of a report in a real browser."""

import pytest
from browsing import CHROMIUM, DRIVER, browser
from recorded_run import NASTY, RunWriter, Said, whole_run
from replaying import ROOT

from ebm_mpc_ros.__main__ import main

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Debian's chromium and chromium-driver"
)
WIDTHS = (400, 1000, 1600)
RIGHT, END = "\ue014", "\ue010"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    bag, out = whole_run(folder / "run", nasty=NASTY), folder / "page.html"
    params = ROOT / "config" / "diff_drive.yaml"
    assert main(["report", str(bag), "--out", str(out), "--params", str(params)]) == 0
    return out


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def shown(session, page):
    """The page at 1600 px, and nothing in the logs but what comes from it."""
    session.resize(1600, 1000)
    session.open(page)
    session.script("document.activeElement.blur(); window.scrollTo(0, 0)")
    return session


@pytest.fixture(scope="module")
def wild(tmp_path_factory):
    """A page of one wild speed, covariances that start huge, many obstacles and long names."""
    folder = tmp_path_factory.mktemp("wild")
    long = "a_robot_with_a_rather_long_name_indeed/left_rear_module/wheel_odometry"
    with RunWriter(folder / "run") as bag:
        for k in range(1200):
            time = k / 20
            variance = 1e9 if k < 3 else 0.01
            bag.odometry("odometry/filtered", time, time, speed=1.0, variance=variance)
            bag.odometry(long, time, time, 0.1, speed=1.0)
            bag.command(time, 60.0 if k == 600 else 1.0)
            if k % 10 == 0:
                bag.obstacle(time, time, 2.0, 0.3)
                bag.status(time, long, 1, "word " * 100)
        bag.path("plan", 0.0, [(0.0, 0.0), (50.0, 0.0)])
        bag.path("plan", 30.0, [])
    assert main(["report", str(folder / "run"), "--out", str(folder / "page.html")]) == 0
    return folder / "page.html"


def time_shown(session):
    return session.script("return document.getElementById('time').textContent")


def test_every_figure_is_drawn_without_an_error(shown, page):
    drawn = shown.script(
        "return [...document.querySelectorAll('[data-figure]')].map(figure => ["
        "figure.querySelector('svg.plot').getAttribute('aria-label'),"
        "figure.querySelectorAll('svg.plot path, svg.plot rect').length])"
    )
    assert [name for name, _ in drawn] == [f["spoken"] for f in Said(page).data["figures"]]
    assert all(marks > 1 for _, marks in drawn), drawn
    assert len(drawn) > 15
    assert shown.logged("browser") == []


def test_nothing_is_fetched_but_the_page(session, page):
    session.script("location.href = 'about:blank'")
    session.requested()
    session.open(page)
    session.script("return document.body.scrollHeight")
    assert session.requested() == [page.as_uri()]
    assert session.script("return performance.getEntriesByType('resource').length") == 0


def test_nothing_that_a_bag_says_runs(shown):
    assert shown.script("return document.querySelectorAll('script').length") == 2
    assert shown.script("return document.querySelectorAll('img').length") == 0
    assert NASTY in shown.script("return document.body.textContent")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(shown, width, dark):
    shown.resize(width, 900, dark=dark)
    shown.script("return new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    assert shown.script("return document.documentElement.scrollWidth") <= width
    wide = shown.script(
        "return [...document.querySelectorAll('svg.plot')].map(s => s.viewBox.baseVal.width)"
    )
    assert max(wide) <= width
    assert min(wide) > 0.35 * width if width > 1100 else min(wide) > 0.8 * width


@pytest.mark.parametrize("width", [400, 600, 1280])
def test_long_names_are_no_wider_than_the_window(session, wild, width):
    session.resize(width, 900)
    session.open(wild)
    assert session.script("return document.documentElement.scrollWidth") <= width
    wide = "const t = document.querySelector('.events'); return t.scrollWidth - t.clientWidth"
    assert session.script(wide) <= 0 or width < 600


def test_a_wild_value_does_not_flatten_the_others_and_is_told(session, wild):
    session.resize(1280, 900)
    session.open(wild)
    texts = session.script(
        "return [...document.querySelectorAll('[data-figure]')].map("
        "f => [...f.querySelectorAll('svg.plot text')].map(t => t.textContent))"
    )
    speed = texts[2]
    assert "speed (m/s)" in speed
    assert "▲ up to 60" in speed
    assert "1.0" in speed
    ellipses = "return Math.max(...[...document.querySelectorAll('.plot ellipse')].map(e => e.rx"
    assert session.script(f"{ellipses}.baseVal.value))") < 400


def test_a_cancelled_plan_shows_as_long_as_it_stood(session, wild):
    session.resize(1280, 900)
    session.open(wild)
    thick = "return document.querySelectorAll('.plot path[stroke-width=\"5\"]').length"
    assert session.script(thick) == 1
    session.script("document.querySelectorAll('svg.plot')[2].focus({preventScroll: true})")
    session.keys(END, "+", "+")
    assert time_shown(session).startswith("44.96 to")
    assert session.script(thick) == 0


def test_a_scheme_of_colours_for_the_dark(shown):
    ask = "return getComputedStyle(document.body).backgroundColor"
    light = shown.script(ask)
    shown.resize(1600, 1000, dark=True)
    assert shown.script(ask) != light


def test_the_cursor_is_linked_across_figures(shown):
    shown.script("document.querySelector('[data-at=\"2.000\"]').click()")
    assert time_shown(shown).endswith("cursor at 2.00 s")
    lines = shown.script(
        "return [...document.querySelectorAll('svg.plot')].map(s => s.querySelector('.cursor'))"
        ".filter(Boolean).length"
    )
    assert lines > 10
    place = shown.script("return document.querySelector('.legend .place').textContent")
    assert place == "2, 0"


def test_keys_move_the_cursor_and_zoom(shown):
    shown.script("document.querySelectorAll('svg.plot')[2].focus({preventScroll: true})")
    shown.keys(END, "+")
    assert time_shown(shown) == "2.00 to 4.00 s, cursor at 4.00 s"
    shown.keys("0", "-", RIGHT)
    assert time_shown(shown) == "0.00 to 4.00 s, cursor at 4.00 s"


def test_dragging_over_a_figure_zooms_all_of_them(shown):
    box = shown.script(
        "const b = document.querySelectorAll('svg.plot')[1].getBoundingClientRect();"
        "return [b.left, b.top, b.width, b.height]"
    )
    left, top, width, height = box
    y = int(top + 0.5 * height)
    shown.drag((int(left + 0.4 * width), y), (int(left + 0.6 * width), y))
    begin, _, end, *_ = time_shown(shown).split()
    assert 1.0 < float(begin) < 1.8
    assert 2.0 < float(end) < 2.6
    shown.script("document.querySelector('[data-do=all]').click()")
    assert time_shown(shown).startswith("0.00 to 4.00 s")


def test_all_that_can_be_pressed_has_a_name_and_can_be_reached(shown):
    bare = shown.script(
        "return [...document.querySelectorAll('button, a, [tabindex]')].filter(e =>"
        "!(e.getAttribute('aria-label') || e.textContent.trim()) || e.tabIndex < 0).length"
    )
    assert bare == 0


def test_printed_it_is_light_and_without_buttons(shown):
    shown.resize(800, 1100, dark=True, medium="print")
    assert shown.script("return getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)"
    )
    assert shown.script("return getComputedStyle(document.querySelector('.bar')).display") == "none"
    shown.resize(1600, 1000)
