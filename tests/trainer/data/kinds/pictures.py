"""Kinds of image files, most of them in class folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.trainer.data.kinds.kind import GREY, NAMES, Read, grey, in_folders, kind, samples, save

DEEP = {"input": (1, 12, 16), "colours": (250,)}


@kind("bitmaps of Windows")
def bmp(root: Path) -> None:
    in_folders(root, suffix=".bmp")


@kind("WebP")
def webp(root: Path) -> None:
    for one in samples():
        save(one.pixels, root / one.name / f"{one.stem}.webp", lossless=True)


@kind("AVIF among PNG")
def avif(root: Path) -> None:
    for one in samples():
        save(
            one.pixels,
            root / one.name / f"{one.stem}.{'avif' if one.number % 4 == 0 else 'png'}",
            **({"quality": 100, "subsampling": "4:4:4"} if one.number % 4 == 0 else {}),
        )


@kind("grey pictures", read=Read(**GREY))
def grey_pictures(root: Path) -> None:
    in_folders(root, pixels=grey)


@kind("PGM, as the faces of AT&T", read=Read(**GREY))
def pgm(root: Path) -> None:
    in_folders(root, suffix=".pgm", pixels=grey)


@kind("RGBA without transparency, as screenshots")
def opaque_rgba(root: Path) -> None:
    in_folders(root, pixels=lambda pixels: np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)]))


@kind("transparent ground", refused="say alpha:", read=Read(answers={"alpha": "drop"}))
def transparent(root: Path) -> None:
    def layered(pixels):
        return np.dstack([pixels, np.where(np.arange(16) % 15, 255, 9)[None].repeat(12, 0).astype(np.uint8)])

    in_folders(root, pixels=layered)


@kind("palette GIF of one frame")
def gif(root: Path) -> None:
    in_folders(root, suffix=".gif")


@kind("photos held upright, whose turn stands in EXIF")
def exif(root: Path) -> None:
    for one in samples():
        about = Image.Exif()
        about[0x0112] = 6  # to be turned by 90 degrees to the right
        save(np.rot90(one.pixels), root / one.name / f"{one.stem}.jpg", exif=about)


@kind(
    "photos of many sizes",
    refused="give a size such as 32, or auto",
    read=Read(input=(3, 24, 24), answers={"size": 24}),
)
def sizes(root: Path) -> None:
    for one in samples():
        side = 2 + one.number % 3
        save(one.pixels.repeat(side, 0).repeat(side, 1), root / one.name / f"{one.stem}.jpg")


@kind("HEIC of an iPhone beside JPEG, held upright")
def heic(root: Path) -> None:
    import pillow_heif

    for one in samples():
        file = root / one.name / f"IMG_{one.number:04d}.HEIC"
        about = Image.Exif()
        about[0x0112] = 6
        if one.number % 3 == 0:
            save(np.rot90(one.pixels), file.with_suffix(".JPG"), exif=about)
        else:
            file.parent.mkdir(exist_ok=True)
            turned = Image.fromarray(np.ascontiguousarray(np.rot90(one.pixels)))
            held = pillow_heif.from_pillow(turned)
            held.info["exif"] = about.tobytes()
            held.save(file, quality=-1, chroma=444)


@kind("raw files of a camera", refused="skip: ['*.cr2']")
def camera_raw(root: Path) -> None:
    in_folders(root)
    (root / "cat" / "IMG_0001.cr2").write_bytes(b"II*\0")


@kind(
    "microscopy: grey TIFF of 16 bits that hold 12",
    refused="bits: 12",
    read=Read(**DEEP, answers={"bits": 12}),
)
def microscopy(root: Path) -> None:
    in_folders(root, suffix=".tif", pixels=lambda pixels: (grey(pixels) * (4095 / 255)).astype(np.uint16))


@kind("stacks of several pages", refused="pages: first", read=Read(**GREY, answers={"pages": "first"}))
def stacks(root: Path) -> None:
    import tifffile

    for one in samples():
        (root / one.name).mkdir(exist_ok=True)
        tifffile.imwrite(
            root / one.name / f"{one.stem}.tif",
            np.stack([grey(one.pixels), grey(one.pixels) // 9]),
            photometric="minisblack",
        )


@kind(
    "EuroSAT's thirteen bands",
    refused="range:",
    read=Read(input=(13, 12, 16), colours=(250,) * 13, answers={"bits": 12}),
)
def bands(root: Path) -> None:
    import tifffile

    for one in samples():
        (root / one.name).mkdir(exist_ok=True)
        deep = (grey(one.pixels).astype(np.float64) * 4095 / 255).astype(np.uint16)
        tifffile.imwrite(
            root / one.name / f"{one.stem}.tif",
            np.repeat(deep[..., None], 13, 2),
            photometric="minisblack",
            planarconfig="contig",
        )


@kind("RGB and near infrared", read=Read(input=(4, 12, 16), colours=(250, 120, 10, 120)))
def rgb_nir(root: Path) -> None:
    import tifffile

    for one in samples():
        (root / one.name).mkdir(exist_ok=True)
        pixels = np.dstack([one.pixels, one.pixels[..., 1]])
        tifffile.imwrite(
            root / one.name / f"{one.stem}.tif", pixels, photometric="rgb", extrasamples=["unspecified"]
        )


@kind("NIfTI volumes", refused="skip: ['*.nii.gz']")
def nifti(root: Path) -> None:
    for name in NAMES:
        (root / name).mkdir()
        (root / name / "scan.nii.gz").write_bytes(b"\x1f\x8b")


@kind("a damaged photo", refused="cannot be read as an image")
def damaged(root: Path) -> None:
    in_folders(root, suffix=".jpg")
    (root / "cat" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
