"""The report of a trial: what a worker sends when a trial has ended, and what report.json holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from search.storage.trial_files import REMOVED, SUMS, read_report
from trainer import Report, ReportError, files

STOPPED = "stopped"  # key of report.json: what the network comes to that stops early
LIMIT = "limit"  # the kind of a trial whose network was measured to exceed a limit, and so not trained


class Charge(NamedTuple):
    """The four numbers from which the device seconds of a trial are computed."""

    # on the slot: latency, building, training and evaluation, with the seconds inside the checkpoint
    seconds: float
    # of these, the seconds inside the checkpoint: they were charged when they were spent
    earlier_seconds: float = 0.0
    # device seconds that one second on the slot costs: 1 / slots on the device
    share: float = 1.0
    # device seconds charged to the key of the job before: for screening, or until the trial paused
    paid_seconds: float = 0.0

    @property
    def job_seconds(self) -> float:
        """The device seconds of this job alone."""
        return (self.seconds - self.earlier_seconds) * self.share

    @property
    def device_seconds(self) -> float:
        """All the device seconds that are charged to the key of the job, over all of its jobs."""
        return self.job_seconds + self.paid_seconds


class Stopped(NamedTuple):
    """What a network comes to that stops early, on the validation images."""

    cost: float  # mean over the images: multiply-adds, or seconds
    accuracy: float  # share of the images that the exit which they take classifies correctly
    shares: tuple[float, ...]  # of the images that leave at each exit

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**self._asdict(), "shares": list(self.shares)}


class TrialReport(NamedTuple):
    """The report of one job: the trainer's report, and what the study needs beside it."""

    report: Report  # without weights
    number: int  # of the trial, also where the finale retrained its network
    digest: str
    charge: Charge
    latency: float | None = None  # seconds of a forward pass, where the study measures latency
    inherited: Mapping[str, Any] | None = None  # parent trial and share of the weights it began with
    stopped: Mapping[str, Stopped] = {}  # by the objective that the study has of it
    files: Mapping[str, str] = {}  # sha256 of genome and weights by name, where they were written

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as report.json holds them."""
        return {
            **self.report.to_dict(),
            "number": self.number,
            "digest": self.digest,
            "latency": self.latency,
            **(
                {STOPPED: {name: one.to_json() for name, one in self.stopped.items()}} if self.stopped else {}
            ),
            "inherited": None if self.inherited is None else dict(self.inherited),
            "seconds": self.charge.seconds,
            "earlier_seconds": self.charge.earlier_seconds,
            "charged_share": self.charge.share,
            "paid_seconds": self.charge.paid_seconds,
        }

    @classmethod
    def of_json(cls, plain: Mapping[str, Any]) -> TrialReport:
        """Read the values of a report.json. Raises trainer.ReportError where they are no report of a trial."""
        values = {name: value for name, value in plain.items() if name not in (SUMS, REMOVED, files.OWN_SUM)}
        try:
            return cls(
                number=values.pop("number"),
                digest=values.pop("digest"),
                latency=values.pop("latency", None),
                inherited=values.pop("inherited", None),
                stopped={name: _stopped(one) for name, one in values.pop(STOPPED, {}).items()},
                files=dict(plain.get(SUMS, {})),
                charge=Charge(
                    float(values["seconds"]),
                    float(values.pop("earlier_seconds", 0.0)),
                    float(values.pop("charged_share", 1.0)),
                    float(values.pop("paid_seconds", 0.0)),
                ),
                report=Report.from_dict(values),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ReportError(f"this is no report of a trial ({error})") from None


def _stopped(plain: Mapping[str, Any]) -> Stopped:
    return Stopped(float(plain["cost"]), float(plain["accuracy"]), tuple(map(float, plain["shares"])))


def stored_report(folder: Path, digest: str | None, number: int) -> TrialReport | None:
    """Return the report in a trial's folder, None where there is none of this network and this trial."""
    return reported(read_report(folder, digest, number))


def reported(plain: Mapping[str, Any] | None) -> TrialReport | None:
    """Return the report that a report.json holds, None where it holds none."""
    if plain is None:
        return None
    try:
        return TrialReport.of_json(plain)
    except ReportError:
        return None
