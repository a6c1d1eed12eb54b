"""The answers about one trial: its page, its genome as text and picture, its files."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from search.dashboard.genomes.picture import genome_picture
from search.dashboard.genomes.unfolding import SHOW, parse_open, parse_show, parse_view
from search.dashboard.handlers.site import TWIN, Site, is_twin, number_of, saved_as
from search.dashboard.pages.downloads import chunks, open_download, size_of
from search.dashboard.pages.evaluation import evaluation_picture
from search.dashboard.pages.trial import trial_of, trial_page
from search.dashboard.studies.errors import NotFound
from search.dashboard.web.guard import PICTURE_POLICY

NARROW = ("narrow", "yes")  # parameter of a picture's address: in one column
BYTES = "application/octet-stream"


class TrialHandlers:
    """The answers about one trial."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def trial(self, request: Request) -> Response:
        view = parse_view(request.query_params.multi_items())
        number = number_of(request.path_params["number"].removesuffix(TWIN))
        values = trial_page(self.site.page_snapshot(request), number, view.motifs)
        return self.site.answer("trial.html", values, is_twin(request), view=view)

    def genome(self, request: Request) -> Response:
        name, number, text = self._genome(request)
        return Response(text, headers=saved_as(name, f"{number}.yaml"), media_type="text/plain")

    def picture(self, request: Request) -> Response:
        given = request.query_params.multi_items()
        show = parse_show(given)
        motifs = parse_open([pair for pair in given if pair != NARROW and pair[0] != SHOW])
        _, _, text = self._genome(request)
        headers = {"content-security-policy": PICTURE_POLICY}
        picture = genome_picture(text, motifs, NARROW in given, show)
        return Response(picture, headers=headers, media_type="image/svg+xml")

    def evaluation(self, request: Request) -> Response:
        snapshot, number = self.site.snapshot(request), number_of(request.path_params["number"])
        png = evaluation_picture(snapshot, trial_of(snapshot, number), request.path_params["picture"])
        return Response(png, headers={"content-security-policy": PICTURE_POLICY}, media_type="image/png")

    def download(self, request: Request) -> Response:
        asked = request.path_params
        snapshot, number = self.site.snapshot(request), number_of(asked["number"])
        file = open_download(snapshot, trial_of(snapshot, number), asked["part"], asked["file"])
        saved = saved_as(snapshot.name, f"{number}-{asked['file']}")
        headers = {**saved, "content-length": str(size_of(file))}
        if request.method == "HEAD":
            file.close()
            return Response(headers=headers, media_type=BYTES)
        return StreamingResponse(chunks(file), headers=headers, media_type=BYTES)

    def _genome(self, request: Request) -> tuple[str, int, str]:
        """The name of the study, the number of the trial and the text of its genome. Raises NotFound."""
        name, number = request.path_params["name"], number_of(request.path_params["number"])
        text = trial_of(self.site.snapshot(request), number).record.genome
        if text is None:
            raise NotFound(f"no genome is stored for trial {number}")
        return name, number, text
