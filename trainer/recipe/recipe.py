"""Recipe: how a network is trained, apart from how long it may take."""

import difflib
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from trainer.recipe.averages import AVERAGES
from trainer.recipe.optimizers import OPTIMIZERS
from trainer.recipe.schedules import SCHEDULES

PRECISIONS = ("auto", "fp32", "bf16")
LAYOUTS = ("auto", "contiguous", "channels_last")
COMPILE = ("auto", "always", "never")
CONDITIONAL = ("momentum", "nesterov", "ema_decay")  # keys without effect beside some values of others
BALANCE = ("none", "weights", "sampling")
LATER = (
    "nesterov",
    "distil",
    "freeze",
    "balance",
)  # keys that came after version 0.1.0; their defaults never change
# defaults of version 0.1.0 that have changed
EARLIER: dict[str, Any] = {"optimizer": "sgd", "crop": None}


class RecipeError(ValueError):
    """A recipe with an unknown key or a value out of range; the message is one sentence."""


@dataclass(frozen=True)
class Recipe:
    """How to train. Raises RecipeError, one sentence, for a value out of range."""

    optimizer: str = "muon"
    """`sgd` (with momentum), `adamw`, or `muon`: `sgd` whose steps on kernels and matrices are orthogonal."""
    # lr and weight_decay are filled in __post_init__, so that a stored recipe is complete.
    lr: float = None  # type: ignore[assignment]
    """Peak learning rate of the schedule; by default 0.1, or 0.003 for adamw."""
    weight_decay: float = None  # type: ignore[assignment]
    """Weight decay of kernels and matrices, not of norms and biases; by default 0.0005, or 0.05 for adamw."""
    momentum: float = 0.9
    """Momentum of sgd and muon."""
    nesterov: bool = True
    """Whether the momentum of sgd and muon is Nesterov's; false for plain momentum."""
    # digits, 9 epochs, one thread: 0.980 on valid with 64, 0.968 with 128, 0.986 with 32
    batch: int = 64
    """Images per step."""
    epochs: int = 20
    """Passes over the train images."""
    schedule: str = "one-cycle"
    """Learning rate per step: `one-cycle` (cosine from lr/25 up, then to lr/250,000), `cosine` (linear up, to 0) or
    `linear` (linear up, linear to 0)."""
    # Longer warm-ups end as well, but early epochs then tell networks apart less.
    warmup: float = 0.1
    """Share of the steps in which the learning rate rises."""
    label_smoothing: float = 0.05
    """Share of the label that is spread evenly over all classes."""
    distil: float = 0.0
    """Share of the loss of every exit but the last that asks for the last exit's answers instead of the labels."""
    freeze: float = 0.0
    """Share of the epochs, at the end, in which only the heads of the exits before the last learn, on a frozen trunk;
    before these, only the last exit and its trunk learn. 0: all exits learn jointly."""
    clip: float | None = 5.0
    """Largest norm of the gradient; null for no clipping."""
    crop: int | str | None = "auto"
    """Pixels of padding before a random crop; 0 for none, null for an eighth of the image's shorter side, `auto` for
    one in ten epochs, up to that."""
    flip: bool = True
    """Whether to mirror half of the images in one epoch and the other half in the next, if the data allows it."""
    cutout: int = 0
    """Side in pixels of a square that is set to the mean; 0 for none."""
    mixup: float = 0.0
    """Alpha of the beta distribution by which pairs of images are mixed; 0 for none."""
    balance: str = "none"
    """How rare classes count like frequent ones: by weights of the loss (`weights`), by drawing as many images of each
    class in an epoch (`sampling`), or not at all (`none`)."""
    average: str = "none"
    """Weights that are evaluated and stored: of the last step (`none`), moving average (`ema`) or `lookahead`."""
    ema_decay: float = 0.999
    """Decay of the moving average of `average: ema`."""
    patience: int | None = None
    """Epochs without a better evaluation after which training ends; null for never."""
    accumulate: int = 1
    """Parts of a batch that run one after another, with one optimizer step for all of them."""
    seed: int = 0
    """Seed of the initial weights, the order of the images, augmentation and dropout."""
    precision: str = "auto"
    """`fp32`, `bf16` (autocast), or `auto`: the faster one for this network on this device, found by a probe."""
    layout: str = "auto"
    """Memory layout of images and kernels: `contiguous`, `channels_last`, or `auto`, found by the same probe.

    Networks whose gradient in channels_last is wrong on a CPU are trained as contiguous
    (`trainer.hardware.precision.layouts`)."""
    compile: str = "auto"
    """Whether to use torch.compile: `always`, `never`, or `auto`: if the remaining steps repay it."""

    def __post_init__(self) -> None:
        _check("optimizer", self.optimizer, _among(OPTIMIZERS))
        for name in ("lr", "weight_decay"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(OPTIMIZERS[self.optimizer], name))
        for name, rule in _RULES.items():
            _check(name, getattr(self, name), rule)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "Recipe":
        """Return the recipe of plain values, as in a study file. Raises RecipeError, also for an unknown key."""
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known:
                close = difflib.get_close_matches(str(key), known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"it may have {', '.join(known)}"
                raise RecipeError(f"a recipe has no {key!r}; {hint}")
        return cls(**values)

    @classmethod
    def parse_earlier(cls, values: Mapping[str, Any]) -> "Recipe":
        """Return the recipe of plain values with the defaults of version 0.1.0, so that what it began resumes."""
        return cls.parse({**EARLIER, **values})

    def uses(self, key: str) -> bool:
        """Whether a key has an effect beside the values of the other keys."""
        if key in ("momentum", "nesterov"):
            return OPTIMIZERS[self.optimizer].has_momentum
        return key != "ema_decay" or self.average == "ema"

    def to_dict(self) -> dict[str, Any]:
        """Return every field as a plain value; `Recipe.parse` reads them back."""
        return asdict(self)

    def identity(self) -> dict[str, Any]:
        """Return the fields that tell a stored training from another one, as plain values.

        Keys that came after version 0.1.0 are left out at their default, so that its trainings resume.
        """
        plain, usual = self.to_dict(), {field.name: field.default for field in fields(self)}
        return {key: value for key, value in plain.items() if key not in LATER or value != usual[key]}


_Rule = tuple[Callable[[Any], bool], str]


def _check(name: str, value: Any, rule: _Rule) -> None:
    holds, allowed = rule
    if not holds(value):
        raise RecipeError(f"{name} is {value!r}; it must be {allowed}")


def _among(words: Collection[str]) -> _Rule:
    return (lambda value: isinstance(value, str) and value in words), f"one of {', '.join(words)}"


def _whole(low: int, high: int) -> _Rule:
    return (lambda value: _is_int(value) and low <= value <= high), f"a whole number of {low:,}..{high:,}"


def _number(holds: Callable[[float], bool], allowed: str) -> _Rule:
    return (lambda value: _is_number(value) and holds(value)), allowed


def _or_none(rule: _Rule) -> _Rule:
    return (lambda value: value is None or rule[0](value)), f"{rule[1]}, or null"


def _or_word(word: str, rule: _Rule) -> _Rule:
    return (lambda value: value == word or rule[0](value)), f"{word}, {rule[1]}"


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return (_is_int(value) or isinstance(value, float)) and abs(value) <= 1e300 and not math.isnan(value)


_FLAG: _Rule = (lambda value: isinstance(value, bool)), "true or false"

_RULES: dict[str, _Rule] = {
    "lr": _number(lambda v: v > 0, "a number above 0"),
    "weight_decay": _number(lambda v: v >= 0, "a number of 0 or more"),
    "momentum": _number(lambda v: 0 < v < 1, "a number above 0 and below 1"),
    "nesterov": _FLAG,
    "batch": _whole(1, 1_000_000),
    "epochs": _whole(1, 100_000),
    "schedule": _among(SCHEDULES),
    "warmup": _number(lambda v: 0 <= v < 1, "a number of 0 or more and below 1"),
    "label_smoothing": _number(lambda v: 0 <= v < 1, "a number of 0 or more and below 1"),
    "distil": _number(lambda v: 0 <= v <= 1, "a number of 0..1"),
    "freeze": _number(lambda v: 0 <= v < 1, "a number of 0 or more and below 1"),
    "clip": _or_none(_number(lambda v: v > 0, "a number above 0")),
    "crop": _or_none(_or_word("auto", _whole(0, 1024))),
    "flip": _FLAG,
    "cutout": _whole(0, 1024),
    "mixup": _number(lambda v: 0 <= v <= 100, "a number of 0..100"),
    "balance": _among(BALANCE),
    "average": _among(AVERAGES),
    "ema_decay": _number(lambda v: 0 < v < 1, "a number between 0 and 1"),
    "patience": _or_none(_whole(1, 100_000)),
    "accumulate": _whole(1, 1024),
    "seed": _whole(0, 2**63 - 1),
    "precision": _among(PRECISIONS),
    "layout": _among(LAYOUTS),
    "compile": _among(COMPILE),
}
