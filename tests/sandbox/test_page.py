"""The page at the sandbox's root, in a browser: complete, readable on a phone, without secrets."""

import shutil

import pytest
import requests

from fastkaggle_plus.sandbox import running

from ..bundles import answers, make_bundle
from .conftest import Caller
from .kernel_caller import KernelCaller

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"phone": (390, 844), "desktop": (1280, 900)}


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    with running(_make_bundles(folder / "bundles"), state=folder / "state") as server:
        yield server


def _make_bundles(folder):
    make_bundle(folder, "toy")
    make_bundle(folder, "closed", deadline="2021-01-01T00:00:00")
    made = make_bundle(folder, "notebooks-only")
    (made / "competition.toml").write_text(
        (made / "competition.toml")
        .read_text()
        .replace("max_daily", "code_competition = true\nmax_daily")
    )
    return folder


@pytest.fixture(scope="module")
def filled(box):
    """Fill the sandbox with kernels and submissions; returns the refs of its submissions."""
    call = Caller(box)
    kernels = KernelCaller(call)
    kernels.run(
        "print('<b>from the kernel</b>')\nprint('\\x1b[31mred\\x1b[0m')\n"
        "open('out.csv', 'w').close()",
        "First kernel",
        enableInternet=True,
    )
    kernels.run(
        "raise ValueError('" + "a-very-long-word-" * 20 + "')",
        "A failed one, with a title that is rather long",
        enableGpu=True,
    )
    refs = [
        call.submit(answers(wrong=3), description="forest + net, 5 folds"),
        call.submit(b"id,y\n1,0\n"),
        call.submit(answers(wrong=5), "closed"),
        call.submit(
            answers(wrong=8),
            description="only the net, without any features of ours, and with a longer text",
        ),
    ]
    for ref in refs:
        call.scored(ref)
    return refs


def seen(box) -> str:
    answer = requests.get(box.url, timeout=20)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    return answer.text


def test_an_empty_sandbox_has_a_page_too(box):
    assert "None yet" in seen(box)


def test_it_shows_everything(filled, box):
    html = seen(box)
    for words in (
        "Toy",
        "notebooks-only",
        "forest + net, 5 folds",
        "Submission must have",
        "sample submission",
        "kaggler/first-kernel",
        "ValueError: a-very-long",
        "wrote out.csv",
        "rank 1 of 2",
        "submit a notebook",
        "ended 01 Jan 2021",
        "GPU",
        "of 30.00 h",
    ):
        assert words in html, words
    assert (
        "&lt;b&gt;from the kernel&lt;/b&gt;" in html
        and "<b>from" not in html
        and "\x1b" not in html
    )


def test_it_shows_no_private_scores_solution_or_keys(filled, box):
    public, private = (
        f"{box.submissions.one(filled[0])[k]:.5f}" for k in ("public_score", "private_score")
    )
    html = seen(box)
    assert public != private and public in html and private not in html
    assert f"private {box.private_score(filled[2]):.5f}" in html  # after the deadline
    assert box.key not in html and box.token not in html and "solution" not in html


def test_other_names_and_methods_are_refused(box):
    assert requests.get(box.url, headers={"Host": "evil.example"}, timeout=20).status_code == 403
    assert (
        requests.get(box.url, headers={"Host": "127.0.0.1.evil.example:80"}, timeout=20).status_code
        == 403
    )
    assert requests.post(box.url, timeout=20).status_code == 405
    assert (
        requests.get("http://localhost/", proxies={"http": box.url}, timeout=20).status_code == 200
    )
    answer = requests.get(box.url, timeout=20)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.slow
@pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium here; Debian: apt-get install chromium"
)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(filled, box, tmp_path, size, scheme):
    sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    width, height = SIZES[size]
    with sync_api.sync_playwright() as p:
        context = p.chromium.launch_persistent_context(
            str(tmp_path / "profile"),
            executable_path=CHROMIUM,
            args=FLAGS,
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=True,
            is_mobile=size == "phone",
            has_touch=size == "phone",
            device_scale_factor=2,
        )
        page, wrong = context.new_page(), []
        page.on(
            "console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None
        )
        page.on("requestfailed", lambda r: wrong.append(r.url))
        page.goto(box.url)
        page.screenshot(path=tmp_path / f"page-{size}-{scheme}.png", full_page=True)
        assert not wrong
        assert (
            page.evaluate("document.documentElement.scrollWidth") <= width
        )  # nothing to scroll sideways
        assert page.get_by_role("heading", name="Your submissions").is_visible()
        row = page.locator("#submissions + ul li", has_text="forest + net, 5 folds")
        assert (
            row.locator(".score").inner_text().strip()
            == f"{box.submissions.one(filled[0])['public_score']:.5f}"
        )
        kernel = page.locator(".kernel", has_text="First kernel")
        assert not kernel.locator("pre").is_visible()
        kernel.locator("summary").click()
        assert kernel.locator("pre").inner_text() == "<b>from the kernel</b>\nred"
        assert page.locator("tr.ours").first.is_visible()
        small = page.evaluate(
            "[...document.querySelectorAll('body *')].filter(e => e.children.length == 0 "
            "&& e.textContent.trim() "
            "&& e.getClientRects().length && parseFloat(getComputedStyle(e).fontSize) < 12).length"
        )
        assert small == 0
        context.close()
