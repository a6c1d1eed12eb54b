"""model.py: a network as one readable file of plain PyTorch, with its pictures' way in and its classes."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from search.storage.data_facts import DataFacts

if TYPE_CHECKING:
    from genome import Plan
    from genome.network import Network
    from genome.plain.passes import Part

log = logging.getLogger("search")

MODEL_FILE, TENSORS_FILE = "model.py", "model.safetensors"

HEAD = '''"""{name}: {params:,} params, {macs:,} multiply-adds for one image.

Plain PyTorch, made by Genome. It needs torch and safetensors{pillow}
"""

{imports}from pathlib import Path

{torch}{functional}{errors}from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).with_name("{tensors}")
{classes}
# of the pixels, on the scale 0..1
{mean}
{std}
{passes}'''
LOAD = '''

def load(file: str | Path = WEIGHTS) -> Network:
    """Return the trained network, in eval mode on the CPU."""
    network, tensors = Network(), load_file(file)
{joined}    network.load_state_dict(tensors)
    return network.eval(){layout}
'''
JOINED = """\
    for name, (whole, axis, ranges) in PASSES.items():
        if whole in tensors:
            parts = [tensors[whole].narrow(axis, a, b - a) for a, b in ranges]
            tensors[name] = torch.cat(parts, dim=axis)
    for whole in {{whole for whole, _, _ in PASSES.values()}}:
        tensors.pop(whole, None)
"""
CHANNELS_LAST = ".to(memory_format=torch.channels_last)"  # the faster layout of convolutions on a CPU
PICTURES = '''

# of Pillow, in which a picture may be stored
{modes}


def pixels(file: str | Path) -> Tensor:
    """Read a picture as the network was trained on them. -> (1, {channels}, {height}, {width})"""
    from PIL import Image, ImageOps

    try:
{limit}        with Image.open(file) as opened:
{draft}            if opened.mode not in MODES:
                raise ValueError(f"it has mode {{opened.mode}}, not 8 bits a channel")
            if opened.convert("RGBA").getchannel("A").getextrema()[0] < 255:
                raise ValueError("it has transparent pixels; save it on a ground")
            if getattr(opened, "n_frames", 1) > 1 and opened.format != "MPO":
                raise ValueError("it has several frames; save one of them")
            picture = ImageOps.exif_transpose(opened).convert("{mode}")
    except Exception as error:  # Pillow raises many kinds
        raise ValueError(f"{{file}} cannot be read as a picture: {{error}}") from None
    if picture.size != ({width}, {height}):
        picture = {resized}
    flat = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
    x = flat.view({height}, {width}, {channels}).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(one).view(-1, 1, 1) for one in (MEAN, STD))
    return ((x - mean) / std).unsqueeze(0)


def main() -> int:
    """Print the {what} of each picture; return 2 if something cannot be read."""
    if not sys.argv[1:]:
        sys.exit("usage: python model.py PICTURE...")
    try:
        network = load()
    except (OSError, RuntimeError, SafetensorError):
        print(f"{{WEIGHTS}} is missing, damaged or of another network", file=sys.stderr)
        return 2
    status = 0
    for file in sys.argv[1:]:
        try:
            x = pixels(file)
        except ValueError as error:
            print(error, file=sys.stderr)
            status = 2
            continue
        with torch.inference_mode():
{answer}
    return status


if __name__ == "__main__":
    sys.exit(main())
'''
ONE = """\
            scores = network(x){last}.softmax(dim=1)[0]
        best = int(scores.argmax())
        print(f"{{file}}: {{CLASSES[best]}} ({{scores[best]:.1%}})")"""
SEVERAL = """\
            scores = network(x){last}.sigmoid()[0].tolist()
        said = [f"{{name}} ({{p:.1%}})" for name, p in zip(CLASSES, scores) if p > 0.5]
        print(f"{{file}}: {{', '.join(said) or 'no label'}}")"""
WIDTH = 88  # characters of a line
PILLOW = ", and Pillow for pictures:\n\n    python model.py PICTURE..."
RESIZED = {
    "stretch": "picture.resize(({width}, {height}), Image.Resampling.BILINEAR)",
    "crop": "ImageOps.fit(picture, ({width}, {height}), Image.Resampling.BILINEAR)",
    "pad": "ImageOps.pad(picture, ({width}, {height}), Image.Resampling.BILINEAR)",
}
KNOWN = frozenset({"fit", "draft", "megapixels"})  # answers about pixels that the reader of model.py follows
READ_AS = {1: "L", 3: "RGB"}  # of Pillow, by channels; images of other channels come from arrays alone


def model_files(
    network: Network, plan: Plan, facts: DataFacts, name: str, fold: bool = False, is_for_hub: bool = False
) -> dict[str, bytes]:
    """Return model.py and its tensors by file name; nothing, with a line in the log, where it cannot be written.

    network: with its trained weights.  name: of the network, for its first line.  fold: with the norms in the
    convolutions, and parallel convolutions in one, where that is exact.  is_for_hub: with a tensor under each name of
    the state dict; otherwise kernels of which passes of loops read parts are stored once.
    """
    import safetensors.torch

    from genome.plain.calls import PlainError
    from genome.plain.passes import Stored, stored_once
    from genome.plain.source import source
    from trainer.data.picture import COLOUR, GREY

    try:
        made = source(network, plan, fold)
    except PlainError as error:
        log.warning("%s is not written: %s", MODEL_FILE, error)
        return {}
    whole = Stored(made.tensors, {})
    stored = (
        stored_once(whole.tensors, dict(network.named_parameters()))
        if plan.genome.loops and not is_for_hub
        else whole
    )
    channels, height, width = facts.input
    reads = reads_pictures(facts)
    pictures = PICTURES.replace("{answer}", SEVERAL if facts.multilabel else ONE)
    text = (HEAD + "\n\n{body}" + LOAD + (pictures if reads else "")).format(
        name="".join(c for c in name if c.isprintable() and c not in '"\\'),
        params=plan.params,
        macs=plan.macs,
        pillow=PILLOW if reads else ".",
        imports="import sys\n" if reads else "",
        torch="import torch\n" if reads or fold or stored.parts or "torch." in made.body else "",
        functional="import torch.nn.functional as F\n" if "F." in made.body else "",
        errors="from safetensors import SafetensorError\n" if reads else "",
        tensors=TENSORS_FILE,
        classes=_listed("CLASSES", [_quoted(word) for word in facts.classes]),
        modes=_listed("MODES", [f'"{one}"' for one in sorted(GREY | COLOUR)]),
        mean=_listed("MEAN", [repr(float(one)) for one in facts.mean]),
        std=_listed("STD", [repr(float(one)) for one in facts.std]),
        height=height,
        width=width,
        channels=channels,
        mode=READ_AS.get(channels),
        **_way_in(facts),
        body=made.body,
        passes=_passes(stored.parts),
        joined=JOINED.format() if stored.parts else "",
        layout=CHANNELS_LAST if fold else "",
        what="labels" if facts.multilabel else "class",
        last="[-1]" if len(plan.exits) > 1 else "",
    )
    tensors = {key: tensor.contiguous().clone() for key, tensor in stored.tensors.items()}
    return {MODEL_FILE: text.encode(), TENSORS_FILE: safetensors.torch.save(tensors)}


def reads_pictures(facts: DataFacts) -> bool:
    """Whether model.py can read pictures as the network was trained on them: of 8 bits, and without rules of alpha."""
    return facts.input[0] in READ_AS and facts.depth == 8 and set(facts.reading) <= KNOWN


def _way_in(facts: DataFacts) -> dict[str, str]:
    """Return the lines of `pixels` by which a picture becomes the size of the input."""
    from trainer.data.picture import GAP, MILLION

    _, height, width = facts.input
    said, side = facts.reading, GAP * max(height, width)
    pixels = round(said.get("megapixels", 0) * MILLION)
    return {
        "limit": f"        Image.MAX_IMAGE_PIXELS = {pixels}\n" if pixels else "",
        "draft": f"            opened.draft(None, ({side}, {side}))\n" if said.get("draft") else "",
        "resized": RESIZED[said.get("fit", "stretch")].format(width=width, height=height),
    }


def _passes(parts: Mapping[str, Part]) -> str:
    """Return an assignment of what each pass of a loop reads of a kernel."""
    lines = [
        f"    {_quoted(name)}: ({_quoted(one.whole)}, {one.axis}, {one.ranges}),"
        for name, one in parts.items()
    ]
    told = "# kernels of which each pass of a loop reads ranges of an axis, (first, behind the last)"
    return "\n".join([told, "PASSES = {", *lines, "}", ""]) if lines else ""


def _listed(name: str, items: Sequence[str]) -> str:
    """Return an assignment of a tuple in lines of at most 88 characters."""
    one = f"{name} = ({', '.join(items)}{',' if len(items) == 1 else ''})"
    if len(one) <= WIDTH:
        return one
    return "\n".join([f"{name} = (", *(f"    {item}," for item in items), ")"])


def _quoted(word: str) -> str:
    """Return a word as Python, in double quotes where it has none."""
    return f'"{word}"' if word.isprintable() and not {'"', "\\"} & set(word) else repr(word)
