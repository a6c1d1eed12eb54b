"""Files that pages load: vendored files match their recorded digests, and are sent packed to browsers that unpack."""

from __future__ import annotations

import hashlib
from pathlib import Path

from search.dashboard.web.assets import FOLDER, assets
from tests.search.dashboard.kept import Page, begin, client

VENDOR = FOLDER / "vendor"


def test_each_vendored_file_is_the_one_that_is_noted() -> None:
    noted = [line.split() for line in (VENDOR / "VERSIONS").read_text().splitlines()]
    assert {file for *_, file in noted} == {file.name for file in VENDOR.glob("*.js")}
    for name, version, licence, digest, file in noted:
        content = (VENDOR / file).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, f"{name} {version} ({licence})"
        assert version.encode() in content


def test_an_asset_comes_packed_to_whom_can_unpack_it(tmp_path: Path) -> None:
    web, name = client(tmp_path), "vendor/plotly-basic.min.js"
    packed = web.get(f"/static/{name}")
    plain = web.get(f"/static/{name}", headers={"accept-encoding": "identity"})
    assert packed.content == plain.content == assets()[name].content
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert int(packed.headers["content-length"]) < 0.4 * len(plain.content)
    assert "gzip" not in web.get("/", headers={"accept-encoding": "gzip"}).headers.get("content-encoding", "")


def test_only_a_page_that_draws_loads_what_draws(tmp_path: Path) -> None:
    begin(tmp_path)
    web = client(tmp_path)
    first = Page(web.get("/").text)
    assert not any("vendor" in address for address in first.all("script", "src") + first.all("link", "href"))
    page = Page(web.get("/study/tiny").text)
    assert sum("plotly" in src for src in page.all("script", "data-plotly")) == 1
    assert not any("vendor/plotly" in src for src in page.all("script", "src") + page.all("link", "href")), (
        "it would be fetched before the page is painted"
    )
