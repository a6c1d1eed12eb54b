"""Sheet: a picture of some train images of each class, with the pixels that a network is given."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import torch

from trainer.data.data import Data

if TYPE_CHECKING:
    from PIL.Image import Image

EACH = 16  # images of a class
MOST_CLASSES = 200
SIDE = 48  # pixels to which small images are enlarged, at least
GAP, TEXT = 4, 16  # pixels


def sheet(data: Data) -> bytes:
    """Return the sheet as PNG: a row of up to sixteen train images for each class, over its name and count.

    Of 2 channels the first is shown, of more than 3 the first three.
    """
    from PIL import Image, ImageDraw

    _, height, width = data.input
    scale = max(1, -(-SIDE // max(height, width)))
    rows = min(len(data.classes), MOST_CLASSES)
    row_height = TEXT + height * scale + GAP
    page = Image.new("RGB", (GAP + EACH * (width * scale + GAP), rows * row_height + GAP), "#808080")
    draw = ImageDraw.Draw(page)
    for label in range(rows):
        top = GAP + label * row_height
        chosen = _chosen(data, label)
        count = int(data.train.has(label).sum())
        draw.text((GAP, top), f"{data.classes[label]}: {count:,} train images", fill="white")
        for place, number in enumerate(chosen):
            image = _picture(data.train.x[number].cpu().numpy()).resize(
                (width * scale, height * scale), Image.Resampling.NEAREST
            )
            page.paste(image, (GAP + place * (width * scale + GAP), top + TEXT))
    return _png(page)


def thumbnail(x: torch.Tensor, side: int) -> bytes:
    """Return an image (C, H, W) as PNG, made smaller where it has more than `side` pixels a side."""
    return _png(_small(x, side))


def strip(data: Data, label: int, each: int, side: int) -> bytes | None:
    """Return up to `each` train images of a class side by side as PNG, each with up to `side` pixels a side.

    None for a class without train images.
    """
    from PIL import Image

    small = [_small(data.train.x[number], side) for number in _chosen(data, label, each)]
    if not small:
        return None
    width, height = small[0].size
    apart = width + max(1, width // 16)
    page = Image.new("RGB", (len(small) * apart - apart + width, height), "#808080")
    for place, image in enumerate(small):
        page.paste(image, (place * apart, 0))
    return _png(page)


def shown(data: Data) -> str:
    """Return how many images the sheet shows, in words."""
    counts = sorted({len(_chosen(data, label)) for label in range(min(len(data.classes), MOST_CLASSES))})
    numbers = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    first = (
        f"the first {MOST_CLASSES} of {len(data.classes)} classes" if len(data.classes) > MOST_CLASSES else ""
    )
    return f"{numbers} train images of {first or 'each class'}"


def _chosen(data: Data, label: int, each: int = EACH) -> list[int]:
    """Return images of a class, evenly over their order."""
    members = torch.nonzero(data.train.has(label).cpu()).flatten()
    if len(members) == 0:
        return []
    spots = np.linspace(0, len(members) - 1, min(each, len(members))).round().astype(int)
    return [int(members[spot]) for spot in spots]


def _small(x: torch.Tensor, side: int) -> Image:
    from PIL import Image

    picture = _picture(x.cpu().numpy())
    if max(picture.size) > side:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture


def _png(page: Image) -> bytes:
    held = io.BytesIO()
    page.save(held, format="PNG", optimize=True)
    return held.getvalue()


def _picture(x: np.ndarray) -> Image:
    from PIL import Image

    eight = x if x.dtype == np.uint8 else (x // 257).astype(np.uint8)
    shown = eight[:1] if x.shape[0] < 3 else eight[:3]
    return Image.fromarray(shown[0] if len(shown) == 1 else np.ascontiguousarray(shown.transpose(1, 2, 0)))
