"""The lineage page of a small lake, in headless Chromium without a network.

As a script, this takes the README's picture of the page that `make docs` made:

    python tests/python/test_lineage_page.py site docs/lineage.png
"""

import base64
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from lakes import WITH_ARTIFACTS, Lake
from selenium.common.exceptions import TimeoutException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

RAW_ORDERS = "source.datalake.raw_db.orders"
ORDERS_PARSED = "model.datalake.orders_parsed"
ORDERS = "model.datalake.orders"
DAILY_SALES = "model.datalake.daily_sales"

REVENUE = {"model": DAILY_SALES, "column": "revenue", "parents": "all", "children": "all"}
REVENUE_EDGES = {
    *(f"{RAW_ORDERS}-{column}-{ORDERS_PARSED}-total" for column in ("price", "quantity", "discount")),
    f"{ORDERS_PARSED}-total-{ORDERS}-total",
    f"{ORDERS}-total-{DAILY_SALES}-revenue",
}

CHROMIUM_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)

NODES = """
return [...document.querySelectorAll('.react-flow__node')]
    .filter(node => node.checkVisibility({visibilityProperty: true}))
    .map(node => [node.dataset.id, node.innerText.split('\\n')[0]])
"""
EDGES = """
return [...document.querySelectorAll('.react-flow__edge')]
    .filter(edge => edge.querySelector('.react-flow__edge-path').getTotalLength() > 0)
    .map(edge => [edge.dataset.id, edge.getAttribute('aria-label')])
"""
FRAME = """
const boxes = [...document.querySelectorAll('.react-flow__node')].map(node => node.getBoundingClientRect());
const left = Math.min(...boxes.map(box => box.left)), top = Math.min(...boxes.map(box => box.top));
return {
    x: left,
    y: top,
    width: Math.max(...boxes.map(box => box.right)) - left,
    height: Math.max(...boxes.map(box => box.bottom)) - top
}
"""


@contextmanager
def chromium() -> Iterator[Chrome]:
    options = ChromeOptions()
    options.binary_location = shutil.which("chromium") or "/usr/bin/chromium"
    for flag in (*CHROMIUM_FLAGS, "--window-size=2100,1300"):
        options.add_argument(flag)
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        options.add_argument(f"--user-data-dir={profile}")
        browser = Chrome(options, Service(shutil.which("chromedriver") or "/usr/bin/chromedriver"))
        try:
            yield browser
        finally:
            browser.quit()


def open_lineage(browser: Chrome, site: Path, **view: str) -> None:
    browser.get(f"{(site / 'index.html').resolve().as_uri()}?{urlencode(view)}")


def nodes(browser: Chrome) -> dict[str, str]:
    """The name of each node that shows, by its id."""
    return dict(browser.execute_script(NODES))


def edges(browser: Chrome) -> dict[str, str]:
    """The label of each edge that shows, by its id."""
    return dict(browser.execute_script(EDGES))


def eventually(browser: Chrome, is_so: Callable[[Chrome], bool]) -> None:
    """Wait until it is so, and at the longest so long that it won't be any more."""
    with suppress(TimeoutException):
        WebDriverWait(browser, 20).until(is_so)


class Made(NamedTuple):
    """The folder of the page, and what colibri said when it made it."""

    site: Path
    output: str


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    lake = Lake(tmp_path_factory.mktemp("lineage") / "lake")
    order = {
        "order_id": "o1",
        "customer_id": "c1",
        "product_id": "p1",
        "quantity": 2,
        "price": 3.5,
        "discount": 0,
        "created_at": "2024-01-15T09:30:00Z",
    }
    lake.put("raw/orders/year=2024/month=01/day=15/hour=10/orders.json", json.dumps(order).encode() + b"\n")
    lake.check()
    lake.dbt("run")
    lake.dbt("docs", "generate", environment=WITH_ARTIFACTS)
    output = lake.run(
        "colibri",
        "generate",
        "--disable-telemetry",
        f"--manifest={lake.target / 'manifest.json'}",
        f"--catalog={lake.target / 'catalog.json'}",
        f"--output-dir={lake.root / 'site'}",
        environment={"DBT_COLIBRI_NO_VERSION_CHECK": "1"},
    )
    return Made(lake.root / "site", output)


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    with chromium() as browser:
        yield browser


@pytest.mark.server
def test_lineage_page_shows_raw_orders_to_daily_sales(made: Made, browser: Chrome) -> None:
    path = [RAW_ORDERS, ORDERS_PARSED, ORDERS, DAILY_SALES]
    names = {node: node.split(".")[-1] for node in path}
    arrows = {f"Edge from {source} to {target}" for source, target in pairwise(path)}

    open_lineage(browser, made.site, model=DAILY_SALES, parents="all")
    eventually(browser, lambda browser: arrows <= set(edges(browser).values()))

    assert names.items() <= nodes(browser).items()
    assert arrows <= set(edges(browser).values())


@pytest.mark.server
def test_lineage_page_traces_revenue_to_raw_price_quantity_and_discount(made: Made, browser: Chrome) -> None:
    open_lineage(browser, made.site, **REVENUE)
    eventually(browser, lambda browser: edges(browser).keys() >= REVENUE_EDGES)

    assert edges(browser).keys() >= REVENUE_EDGES


@pytest.mark.server
def test_lineage_page_asks_nothing_of_the_network(made: Made, browser: Chrome) -> None:
    open_lineage(browser, made.site, model=DAILY_SALES, parents="all")
    eventually(browser, lambda browser: bool(edges(browser)))

    assert edges(browser)
    assert browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)") == []


@pytest.mark.server
def test_lineage_page_is_made_without_an_error(made: Made) -> None:
    assert [line for line in made.output.splitlines() if "ERROR" in line] == []


def take_picture(site: Path, picture: Path) -> None:
    """Write how revenue is made as a PNG 1600 pixels wide, without the page's buttons."""
    frames: list[Any] = []

    def is_drawn_and_at_rest(browser: Chrome) -> bool:
        frames.append(browser.execute_script(FRAME))
        return edges(browser).keys() >= REVENUE_EDGES and frames[-2:-1] == frames[-1:]

    with chromium() as browser:
        open_lineage(browser, site, **REVENUE, hideSidebars="true")
        WebDriverWait(browser, 20).until(is_drawn_and_at_rest, f"{site} does not show how revenue is made")
        frame = frames[-1]
        margin = 24
        clip = {
            "x": frame["x"] - margin,
            "y": frame["y"] - margin,
            "width": frame["width"] + 2 * margin,
            "height": frame["height"] + 2 * margin,
            "scale": 1600 / (frame["width"] + 2 * margin),
        }
        png = browser.execute_cdp_cmd("Page.captureScreenshot", {"clip": clip})
    picture.write_bytes(base64.b64decode(png["data"]))


if __name__ == "__main__":
    take_picture(*map(Path, sys.argv[1:]))
