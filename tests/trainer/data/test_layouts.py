"""The registry of layouts, and the digests of data sets that earlier versions read."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainer.data.made import put, refusal
from trainer import DataError, load
from trainer.data.layouts.registry import layouts
from trainer.data.reading import Reading

# Digests of the version before there were layouts: studies that were begun with it must be resumed.
GOLDEN = {
    "classes": "1b1143e34a906086",
    "nested": "49b3431dbc144fa6",
    "official": "4bc6b768e0190a82",
    "grey": "c10ad85ea6f9e16a",
    "mixed": "ab5696a646cc214b",
    "opaque": "1b1143e34a906086",
    "palette": "b4e74230e4c9fd39",
    "sized": "79e3423b42f0144d",
    "last.npz": "f22c08bdd756669e",
    "first.npz": "f22c08bdd756669e",
    "grey.npz": "99f081b9bb67a2ed",
    "named.npz": "612fce71c2052a26",
}


def tiles(number: int, mode: str = "RGB", size: tuple[int, int] = (9, 7)) -> Image.Image:
    """Return an image that is the same on every machine: no random numbers, no lossy format."""
    ramp = (np.arange(size[0] * size[1] * 3).reshape(size[1], size[0], 3) * (7 + 2 * number) + number) % 256
    return Image.fromarray(ramp.astype(np.uint8)).convert(mode, palette=Image.Palette.WEB)


def folders(root: Path, *parts: str, mode: str = "RGB", size: tuple[int, int] = (9, 7)) -> None:
    for place, part in enumerate(parts):
        (root / part).mkdir(parents=True)
        for number in range(6):
            tiles(6 * place + number, mode, size).save(root / part / f"{number}.png")


def made(root: Path) -> dict[str, Path]:
    """Write the data sets of `GOLDEN`."""
    folders(root / "classes", "a", "b")
    folders(root / "nested", "a", "a/A", "a/z", "b")
    folders(root / "official", "train/a", "train/b", "test/a", "test/b")
    folders(root / "grey", "a", "b", mode="L")
    folders(root / "mixed", "a", mode="L")
    folders(root / "mixed", "b")
    folders(root / "opaque", "a", "b", mode="RGBA")
    folders(root / "palette", "a", "b", mode="P")
    folders(root / "sized", "a", size=(20, 30))
    folders(root / "sized", "b")
    for name, axes in (("last", (0, 2, 3, 1)), ("first", (0, 1, 2, 3)), ("named", (0, 1, 2, 3))):
        stacked = np.stack([np.asarray(tiles(number)).transpose(2, 0, 1) for number in range(12)]).transpose(
            axes
        )
        names = {"classes": np.array(["x", "y", "z"])} if name == "named" else {}
        np.savez(
            root / f"{name}.npz",
            train_x=stacked,
            train_y=np.arange(12) % 3,
            test_x=stacked,
            test_y=np.arange(12) % 3,
            **names,
        )
    grey = np.stack([np.asarray(tiles(number, "L")) for number in range(12)])
    np.savez(
        root / "grey.npz", train_x=grey, train_y=np.arange(12) % 3, test_x=grey, test_y=np.arange(12) % 3
    )
    return {name: root / name for name in GOLDEN}


def test_what_was_read_right_is_read_as_before(tmp_path: Path) -> None:
    found = {
        name: load(path, size=8 if name == "sized" else None).digest()
        for name, path in made(tmp_path).items()
    }
    assert found == GOLDEN


def test_every_layout_says_what_it_is() -> None:
    known = layouts()
    assert {"folders", "npz", "array_files", "hdf5", "mat", "table", "parquet", "pixel_table"} <= set(known)
    for word, one in known.items():
        assert one.about and one.splits and set(one.answers) <= set(Reading.__dataclass_fields__), word


def test_a_path_of_no_layout_names_those_that_are_known(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text("x")
    said = refusal(tmp_path / "d.txt")
    assert "is of no layout that is known" in said and "parquet" in said
    for name, hint in (
        ("d.zip", "is an archive; unpack it"),
        ("d.pkl", "never run"),
        ("d.npy", "is one array"),
    ):
        (tmp_path / name).write_text("x")
        assert hint in refusal(tmp_path / name)
    put(tmp_path / "pets")
    assert "layout is 'tar'; it may be array_files, " in refusal(tmp_path / "pets", layout="tar")


def test_a_name_of_a_data_set_beside_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    assert load("./digits").classes == ("cat", "dog") and len(load("digits").classes) == 10
    with pytest.raises(DataError, match=r"alpha is given for digits; it is for images of your own"):
        load("digits", alpha="white")


LAB = """
import numpy as np
from trainer.data.layouts.registry import layout
from trainer.data.raw import Part, Raw

@layout("ones", about="a file", splits="none", fits=lambda path, _: path.suffix == ".ones", answers=())
def read(path, reading):
    x = np.arange(12 * 9, dtype=np.uint8).reshape(12, 1, 3, 3)
    return Raw("ones", ("a", "b"), Part(x, np.arange(12) % 2), None, None, False, str(path))
"""


def by_hand(folder: Path) -> None:
    """Lay a package down as installers do: a module, and metadata with the entry point."""
    (folder / "lab_ones.py").write_text(LAB)
    meta = folder / "lab-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: lab\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text("[genome.image_layouts]\nones = lab_ones\n")


def is_installed(package: str) -> bool:
    """Whether a package is installed; looking for its module would run the hooks of setuptools, which warn."""
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


def by_pip(folder: Path) -> None:
    """Build the package and install it, without a network."""
    source = folder.parent / "source"
    source.mkdir()
    (source / "lab_ones.py").write_text(LAB)
    (source / "pyproject.toml").write_text(
        """
        [build-system]
        requires = ["setuptools"]
        build-backend = "setuptools.build_meta"
        [project]
        name = "lab"
        version = "1.0"
        [project.entry-points."genome.image_layouts"]
        ones = "lab_ones"
        [tool.setuptools]
        py-modules = ["lab_ones"]
        """
    )
    options = ("--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--target", str(folder))
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True, timeout=100)


def test_another_package_adds_a_layout_by_an_entry_point(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    (by_pip if is_installed("pip") and is_installed("setuptools") else by_hand)(packages)
    (tmp_path / "mine.ones").touch()
    code = "import sys; sys.path.insert(0, sys.argv[1]); import trainer; print(trainer.load(sys.argv[2]).classes)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(packages), str(tmp_path / "mine.ones")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout == "('a', 'b')\n", done.stderr


def test_the_one_thing_that_has_a_layout_is_found_below(tmp_path: Path) -> None:
    inner = tmp_path / "set" / "raw"
    inner.mkdir(parents=True)
    arrays = {"train_x": np.arange(24 * 9, dtype=np.uint8).reshape(24, 3, 3), "train_y": np.arange(24) % 2}
    np.savez(inner / "mine.npz", **arrays)
    (tmp_path / "README.md").write_text("# mine")
    assert load(tmp_path).digest() == load(inner / "mine.npz").digest()
    np.savez(inner / "other.npz", **arrays)  # two archives of the same part, neither named by it
    assert "mine train_x and other train_x may both be the images of train; keep one" in refusal(tmp_path)
    (inner / "other.npz").unlink()
    Image.new("L", (3, 3)).save(tmp_path / "photo.png")  # the images may be what is meant
    assert "has 0 subfolders with images" in refusal(tmp_path)
