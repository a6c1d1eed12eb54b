"""The ASGI application: which address is answered by what. Every page has a JSON twin at its address plus `.json`."""

from __future__ import annotations

from pathlib import Path
from threading import Thread

from starlette.applications import Starlette
from starlette.routing import Route

from search.dashboard.handlers.errors import KINDS
from search.dashboard.handlers.general import GeneralHandlers
from search.dashboard.handlers.site import TWIN, Site
from search.dashboard.handlers.study import StudyHandlers
from search.dashboard.handlers.trial import TrialHandlers
from search.dashboard.studies.library import Library
from search.dashboard.web.guard import Guard


def create_app(
    runs: Path,
    url: str | None = None,
    host: str = "127.0.0.1",
    token: str | None = None,
    patience: float | None = None,
    first: str | None = None,
) -> Guard:
    """Return the dashboard of a folder of runs, or of the storage at `url`, as an ASGI application.

    `host` is the address on which the server listens; it decides by which names a browser may call the server.
    `token` is required of every request; None requires no token. After `patience` seconds, a page reports that its
    study is still being read; None waits until the study is read. The page of the study `first` is made once
    before anyone asks for it.
    """
    site = Site(Library(runs, url), patience)
    general, study, trial = GeneralHandlers(site), StudyHandlers(site), TrialHandlers(site)
    if first is not None:
        Thread(target=study.prepare, args=(first,), daemon=True).start()
    routes = [
        Route("/", general.studies),
        Route(f"/{TWIN}", general.studies),
        Route("/study/{name}", study.study),
        Route("/study/{name}/genes", study.genes),
        Route(f"/study/{{name}}/genes{TWIN}", study.genes),
        Route("/study/{name}/activity", study.activity),
        Route(f"/study/{{name}}/activity{TWIN}", study.activity),
        Route("/study/{name}/part/{part}", study.part),
        Route("/study/{name}/plot/{plot}.json", study.plot),
        Route("/study/{name}/trials.{form}", study.trials),
        Route("/study/{name}/compare", study.compare),
        Route(f"/study/{{name}}/compare{TWIN}", study.compare),
        Route("/study/{name}/compare/{numbers}/{side}/picture.svg", study.difference),
        *site.actions.routes(),
        Route("/study/{name}/trial/{number}", trial.trial),
        Route("/study/{name}/trial/{number}/genome.yaml", trial.genome),
        Route("/study/{name}/trial/{number}/picture.svg", trial.picture),
        Route("/study/{name}/trial/{number}/evaluation/{picture}", trial.evaluation),
        Route("/study/{name}/trial/{number}/{part}/{file}", trial.download),
        Route("/static/{file:path}", general.static),
    ]
    app = Starlette(routes=routes, exception_handlers=dict.fromkeys(KINDS, general.error))
    app.router.redirect_slashes = False
    return Guard(app, host, token)
