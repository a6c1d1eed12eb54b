"""`genome bench`: the latency of networks in every form that an export has."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from search.results.formats import chosen
from tests.search.conftest import ONE, Said

FORMS = ["built", "plain", "folded"]


def test_an_export_beside_a_published_network(
    command: Callable[..., Said], written: Callable[..., Path], tmp_path: Path
) -> None:
    assert command("search", written(space=ONE, trials=1)).status == 0
    said = command("bench", "runs/tiny/best", "zoo:lenet", "--batch", 1, "--batch", 3, "--formats", "none")
    assert (said.status, said.err) == (0, "")
    head, *rows, last = said.out.splitlines()
    assert head.split()[:2] == ["network", "form"] and last == "1 thread of this CPU"
    assert len(rows) == 2 * 2 * len(FORMS)


def test_the_numbers_as_json(command: Callable[..., Said]) -> None:
    found = json.loads(command("bench", "zoo:lenet", "--batch", 2, "--threads", 1, "--json").out)
    assert [one["form"] for one in found] == [*FORMS, *(f"{one.name}, folded" for one in chosen("all"))]
    for one in found:
        assert 0 < one["p50"] <= one["p95"] and (one["images"], one["threads"]) == (2, 1)
        assert abs(one["images_per_second"] - 2000 / one["p50"]) < 1e-6


def test_what_is_no_network_is_a_sentence(command: Callable[..., Said]) -> None:
    for ref, sentence in (
        ("zoo:lenett", "no network 'lenett'"),
        ("nothing.yaml", "nothing.yaml"),
        ("nope", "nope does not exist; name the folder of an export, a YAML file, zoo:NAME or STUDY#TRIAL"),
        (".", ". has no report.json; name a folder that `genome export` wrote"),
    ):
        said = command("bench", ref)
        assert said.status == 2 and sentence in said.err and len(said.err.splitlines()) <= 2
    for words in (("--batch", 0), ("--batch", 10**6), ("--threads", 0), ("--threads", 10**5)):
        assert command("bench", "zoo:lenet", *words).status == 2
    said = command("bench", "zoo:lenet", "--formats", "tflite")
    assert said.status == 2 and "--formats has 'tflite'" in said.err
    said = command("bench", "zoo:lenet", "--threads", 1000)
    assert said.status == 2 and "this process may use" in said.err
