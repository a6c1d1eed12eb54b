"""Studies written directly into a real storage, as a coordinator stores them, and pages as a browser reads them."""

from __future__ import annotations

import re
import shutil
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import optuna
import yaml
from optuna.trial import TrialState, create_trial
from starlette.testclient import TestClient

import genome
from search.config.read import parse_study
from search.dashboard.app import create_app
from search.samplers.base import ORIGIN
from search.storage.record import CHARGED, GENOME, PLAN, RESULT
from search.storage.study import DATA_ATTR, TEXT_ATTR, Store, claim, open_to_run
from tests.search.conftest import study_of

OURS = re.compile(
    r"/static/(live|plots|crowd|picture|explore|editor|exits|vendor/htmx\.min|vendor/plotly-basic\.min)\.js\?[0-9a-f]{16}\Z"
)
# of a network, or of images in its evaluation
PICTURE = re.compile(r"/study/[^/]+/(?:.+/picture\.svg|trial/\d+/evaluation/(?:worst|class)-\d+\.png)")
LOCAL = "http://127.0.0.1:8080"


@cache
def _tables() -> bytes:
    """Return an SQLite database with Optuna's tables and no study; creating the tables takes longer than most tests."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "tables.db"
        optuna.storages.RDBStorage(f"sqlite:///{file}").engine.dispose()
        return file.read_bytes()


def begin(runs: Path, name: str = "tiny", url: str | None = None, **changes: Any) -> Store:
    """Create a study without trials, which nobody runs any more."""
    config = parse_study(yaml.safe_dump(study_of(**changes), sort_keys=False), "<test>")
    file = runs / name / "study.db"
    if url is None and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_tables())
    with claim(name, runs, url) as claimed:
        directions = [objective.direction for objective in config.objectives]
        return open_to_run(claimed, directions, {TEXT_ATTR: config.text(), DATA_ATTR: "0" * 8})


def copy_of(made: Path, runs: Path) -> Path:
    """Copy studies that nobody has open, and return `runs`; creating them takes longer than most tests."""
    return Path(shutil.copytree(made, runs, dirs_exist_ok=True))


def text_of(kernel: int = 3, width: int = 4, op: str = "conv", name: str = "tiny") -> str:
    """Return the canonical text of a small genome."""
    nodes = {
        "stem": {"op": op, "in": ["image"], "kernel": kernel, "width": width},
        "out": {"op": "exit", "in": ["stem"]},
    }
    plain = {"genome": name, "input": [1, 8, 8], "classes": 10, "nodes": nodes}
    return genome.dump(genome.loads(yaml.safe_dump(plain, sort_keys=False)))


def add(
    store: Store,
    outcome: str = "done",
    accuracy: float | None = 0.5,
    text: str | None = None,
    origin: dict[str, Any] | None = None,
    plan: dict[str, Any] | None = None,
    **result: Any,
) -> int:
    """Store a finished trial; return its number."""
    text = text_of() if text is None else text
    plan = {"params": 100, "macs": 1000, "memory_bytes": 64, "depth": 2, **(plan or {})}
    learnt = {} if accuracy is None else {"accuracy": accuracy, "loss": 1 - accuracy}
    metrics = {**learnt, "params": plan["params"], "macs": plan["macs"], **result.pop("metrics", {})}
    told = {"outcome": outcome, "metrics": metrics, "seconds": 1.0, **result}
    is_whole = outcome in ("done", "cut") and accuracy is not None
    attrs = {GENOME: text, PLAN: plan, RESULT: told, CHARGED: told["seconds"]}
    if origin is not None:
        attrs[ORIGIN] = {"parents": [], "moves": [], **origin}
    state = TrialState.COMPLETE if is_whole else TrialState.FAIL
    values = [accuracy, plan["macs"]][: len(store.study.directions)] if is_whole else None
    store.study.add_trial(create_trial(state=state, values=values, user_attrs=attrs))
    return len(store.study.get_trials(deepcopy=False)) - 1


def foreign(url: str, name: str) -> optuna.Study:
    """Create a study of another program."""
    return optuna.create_study(storage=url, study_name=name)


def client(runs: Path, url: str | None = None, **settings: Any) -> TestClient:
    """Return a client that shows an error as the page that reports it."""
    return TestClient(
        create_app(runs, url, **settings),
        base_url=LOCAL,
        raise_server_exceptions=False,
        follow_redirects=False,
    )


class Page(HTMLParser):
    """The parsed form of a page: elements with their attributes, and the text between them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    def all(self, tag: str, attribute: str) -> list[str]:
        return [attrs[attribute] or "" for name, attrs in self.elements if name == tag and attribute in attrs]

    def is_harmless(self) -> bool:
        """Whether the page runs nothing and links to nothing that the templates did not write."""
        names = {name for _, attrs in self.elements for name in attrs}
        links = [
            value for tag in ("a", "form", "use") for value in self.all(tag, "href") + self.all(tag, "action")
        ]
        return (
            all(OURS.match(src) for src in self.all("script", "src"))
            and all("src" in attrs for tag, attrs in self.elements if tag == "script")
            and not {tag for tag, _ in self.elements} & {"style", "iframe", "object", "embed", "base"}
            and not any(name.startswith("on") or name in ("style", "srcdoc", "formaction") for name in names)
            and all(link[:1] in ("/", "#") and link[:2] != "//" for link in links)
            and all(PICTURE.fullmatch(src.partition("?open=")[0]) for src in self.all("img", "src"))
        )
