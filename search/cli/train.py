"""`genome train`: the training in this process, or in several processes that torchrun starts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

from search.cli.options import INTERRUPTED
from search.run.stop import stop_signals
from search.train import ddp as parallel
from search.train.progress import LiveCurves, PlainEpochs
from search.train.request import TrainOptions, read_request
from search.train.train import claim, summary_text, train


def run_train(
    options: TrainOptions, ddp: bool, processes: int | None, live: bool, say: Callable[[str], None]
) -> int:
    """Train what the options ask for and return the exit status.

    `ddp` starts `processes` processes, or one on each GPU; `live` draws the curves on the terminal.
    """
    if ddp and not parallel.is_inside():
        # mistakes are reported here: in its processes, torchrun would bury them under a traceback
        claim(read_request(replace(options, device="cpu")))
        return parallel.launch(options.device, processes, sys.argv[1:])
    with stop_signals() as stop_asked, parallel.ranks(options.device if ddp else None) as (ranks, own):
        request = read_request(replace(options, device=own or options.device))
        with LiveCurves() if live else PlainEpochs() as progress:
            if ranks.is_first:
                progress.said(request.opening())
            reports = train(request, progress, stop_asked, ranks)
        if ranks.is_first and reports:
            say(summary_text(reports, request.folder))
        return INTERRUPTED if stop_asked() else 0
