"""DICOM files: those that pydicom ships, and ones whose pixels are known."""

from __future__ import annotations

import warnings
from pathlib import Path
from shutil import copy
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file

from tests.trainer.data.made import counts, pixels, refusal
from trainer import load
from trainer.data.picture import pictures
from trainer.data.reading import Reading
from trainer.errors import DataError

STORED = pixels(0, (5, 4), high=4096, kind=np.uint16)


def write(path: Path, stored: Any = STORED, **tags: Any) -> Path:
    """Write pixels (H, W) or (frames, H, W) as a DICOM file of 12 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = pydicom.Dataset()
    whole.SOPClassUID, whole.SOPInstanceUID = (
        pydicom.uid.SecondaryCaptureImageStorage,
        pydicom.uid.generate_uid(),
    )
    whole.file_meta = pydicom.dataset.FileMetaDataset()
    whole.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    whole.Rows, whole.Columns = stored.shape[-2:]
    whole.SamplesPerPixel, whole.PhotometricInterpretation = 1, "MONOCHROME2"
    whole.BitsAllocated, whole.BitsStored, whole.HighBit = 16, 12, 11
    whole.PixelRepresentation = int(stored.dtype.kind == "i")
    if stored.ndim == 3:
        whole.NumberOfFrames = len(stored)
    whole.PixelData = stored.tobytes()
    for name, value in tags.items():
        setattr(whole, name, value)
    whole.save_as(path, enforce_file_format=True)
    return path


def read(path: Path, **said: Any) -> list[Any]:
    return [one.pixels for one in pictures(path, Reading(**said))]


def test_numbers_are_those_stored(tmp_path: Path) -> None:
    (found,) = read(write(tmp_path / "x.dcm"))
    assert found.dtype == np.uint16 and (found == STORED).all()


@pytest.mark.parametrize(("slope", "intercept"), [(1, -1024), (0.5, 0), (2.5, 7)])
def test_rescaling_gives_the_units_of_the_device(slope: float, intercept: float, tmp_path: Path) -> None:
    (found,) = read(write(tmp_path / "x.dcm", RescaleSlope=slope, RescaleIntercept=intercept))
    assert np.allclose(found, STORED.astype(float) * slope + intercept)


@pytest.mark.parametrize("kind", [np.uint16, np.int16])
def test_monochrome1_is_inverted_within_the_bits_that_are_stored(kind: Any, tmp_path: Path) -> None:
    stored = (STORED.astype(int) - (2048 if kind is np.int16 else 0)).astype(kind)
    (found,) = read(write(tmp_path / "x.dcm", stored, PhotometricInterpretation="MONOCHROME1"))
    assert (found == (-1 if kind is np.int16 else 4095) - stored).all()
    tags = {"PhotometricInterpretation": "MONOCHROME1", "RescaleSlope": 2, "RescaleIntercept": -9}
    (rescaled,) = read(write(tmp_path / "y.dcm", stored, **tags))
    assert np.allclose(rescaled, 2.0 * found - 9)


def test_frames_are_pages(tmp_path: Path) -> None:
    film = write(tmp_path / "x.dcm", np.stack([STORED, STORED[::-1]]))
    with pytest.raises(DataError, match=r"x.dcm has 2 pages or frames; say pages: first, or pages: each"):
        read(film)
    first, second = read(film, pages="each")
    assert (first == STORED).all() and (second == STORED[::-1]).all()
    assert len(read(film, pages="first")) == 1


def test_class_folders_of_dicom(tmp_path: Path) -> None:
    for name in ("ill", "well"):
        for number in range(6):
            write(tmp_path / name / f"{number}.dcm", pixels(number, (5, 4), 4096, np.uint16), PatientSex="F")
    assert "uint16 with values" in refusal(tmp_path) and "bits: 12" in refusal(tmp_path)
    data = load(tmp_path, bits=12)
    assert sum(counts(data)) == 12 and data.input == (1, 5, 4) and data.classes == ("ill", "well")
    write(tmp_path / "ill" / "6.dcm", pixels(6, (15, 10), 4096, np.uint16))
    assert load(tmp_path, bits=12, size="auto").input == (1, 5, 5)
    (tmp_path / "ill" / "7.dcm").write_bytes(b"no image")
    assert "7.dcm cannot be read as an image" in refusal(tmp_path, bits=12, size=5)


# What pydicom ships: shape, number type and the mean of the pixels as `dcmdump` and pydicom's own tests give them.
SHIPPED = (
    ("CT_small.dcm", (128, 128), "f"),
    ("MR_small.dcm", (64, 64), "i"),
    ("MR_small_RLE.dcm", (64, 64), "i"),
    ("MR_small_bigendian.dcm", (64, 64), "i"),
    ("JPEG2000.dcm", (1024, 256), "i"),
    ("SC_rgb_jpeg_gdcm.dcm", (100, 100, 3), "u"),
    ("SC_rgb_dcmtk_+eb+cy+np.dcm", (100, 100, 3), "u"),
    ("SC_rgb_rle_16bit.dcm", (100, 100, 3), "u"),
    ("SC_ybr_full_422_uncompressed.dcm", (100, 100, 3), "u"),
    ("examples_palette.dcm", (350, 800, 3), "u"),
    ("liver_1frame.dcm", (512, 512), "u"),
)


@pytest.mark.parametrize(("name", "shape", "kind"), SHIPPED)
def test_files_that_pydicom_ships(name: str, shape: tuple[int, ...], kind: str, tmp_path: Path) -> None:
    source = get_testdata_file(name, download=False)
    if source is None:
        pytest.skip(f"this pydicom does not ship {name}")
    try:
        (found,) = read(Path(copy(str(source), tmp_path)))
    except DataError as error:
        assert "install a decoder, as with `pip install pylibjpeg[all]`" in str(error)
        pytest.skip(str(error))
    assert found.shape == shape and found.dtype.kind == kind and found.min() < found.max()


def test_units_of_a_real_scan() -> None:
    (found,) = read(Path(str(get_testdata_file("CT_small.dcm", download=False))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stored = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False))).pixel_array
    assert (found == stored.astype(float) - 1024).all()  # Hounsfield units


def test_dicom_without_an_image_is_named() -> None:
    with pytest.raises(DataError, match=r"reportsi.dcm is DICOM without an image \(.+\); remove it"):
        read(Path(str(get_testdata_file("reportsi.dcm", download=False))))
