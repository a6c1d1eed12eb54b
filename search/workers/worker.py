"""The worker process: loads the data once, then takes jobs from its pipe until the coordinator hangs up."""

from __future__ import annotations

import os
import threading
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait

import torch
import torch._dynamo  # torch's optimizers import it at their first use, which takes a second
from tqdm import tqdm

import trainer
import trainer.data.data  # heavy modules that jobs need: named here so that the fork server loads them once
import trainer.loop.fit_loop
from search.config.dataset import Dataset
from search.workers.messages import Broken, Finished, Job, Ready, Screening, Setup, Task
from search.workers.proxies import screen
from search.workers.trial import WorkerContext, run
from trainer.data.cached import data_of
from trainer.data.reading import Reading
from trainer.data.residence import placed
from trainer.data.store import opened

WARM_UP_SECONDS = 0.1


def serve(pipe: Connection, halts: Connection, setup: Setup) -> None:
    """Load the data, then do one job after another until the coordinator hangs up.

    halts: from the moment at which something comes from it, the worker writes the checkpoint of its trial and stops
    training it.
    """
    halted = threading.Event()
    _watch_the_coordinator(halts, halted)
    # torch.compile shows progress by tqdm, whose lock for several processes would leak when this one is killed
    tqdm.set_lock(threading.RLock())
    torch.set_num_threads(setup.threads)
    if setup.keeps_pages:
        trainer.keep_pages()
    if setup.device != "cpu":
        torch.cuda.set_device(setup.device)
    try:
        data = placed(_images(setup), torch.device(setup.device))
        for one in (data, *data.folds):
            one.digest()  # checkpoints name it; the data object caches it
        _warm_up(data, setup.device)
    except (ValueError, RuntimeError) as error:
        pipe.send(Broken(str(error)))
        return
    context = WorkerContext(data, setup.device, pipe, halted)
    pipe.send(Ready())
    while True:
        try:
            job: Task = pipe.recv()
        except (EOFError, OSError):
            return
        if isinstance(job, Screening):
            pipe.send(screen(job, data, setup.device, halted.is_set))
            continue
        try:
            finished = Finished(job.number, run(job, context))
        except ConnectionError:  # the coordinator has just ended
            return
        except OSError as error:
            pipe.send(Broken(_unwritten(job, error)))
            return
        pipe.send(finished)
        if finished.report.report.kind == "device":
            return  # a CUDA error persists in its process; the next job gets a new worker


def _unwritten(job: Job, error: OSError) -> str:
    """Say that the files of a trial cannot be written, or read, which is no fault of its network."""
    number = job.number if job.trial is None else job.trial
    return (
        f"the files of trial {number} cannot be written ({error.filename or job.folder}: {error.strerror or error}); "
        "see that the disk has room and may be written, then run the command again"
    )


def _images(setup: Setup) -> trainer.Data:
    """Return the images that the coordinator has read, or read them where they are kept in no file."""
    if setup.images is not None and (found := opened(setup.images, is_checked=True)):
        data = data_of(found)
        return data if setup.mirror is None else data.same(mirror=setup.mirror)
    said = (setup.root, setup.reading or Reading(), setup.mirror, setup.folds)
    return Dataset(setup.data, *said, cache=setup.cache).load()


def _warm_up(data: trainer.Data, device: str) -> None:
    """Train for a moment, so that what torch does only once is charged to no trial."""
    module = torch.nn.Sequential(
        torch.nn.Conv2d(data.input[0], 8, 3, padding=1, bias=False),
        torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(8, len(data.classes)),
    )
    trainer.fit(module, data, trainer.Budget(per_trial=WARM_UP_SECONDS), device=device)


def _watch_the_coordinator(halts: Connection, halted: threading.Event) -> None:
    """Set `halted` when the coordinator says so, also in the middle of a job.

    End this process the moment the coordinator ends, also by kill -9.
    """
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        if parent.sentinel not in wait([parent.sentinel, halts]):
            halted.set()  # a closed pipe, too: the coordinator ends this worker
            wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="watch-the-coordinator").start()
