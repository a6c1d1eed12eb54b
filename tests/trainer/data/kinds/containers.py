"""Kinds of files that hold encoded images."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from PIL import Image

from tests.trainer.data.kinds.kind import ALL, DIGITS, NAMES, WITH_TEST, WITH_VALID, Read, kind, samples


def png(pixels: Any) -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


def pack(file: Path, entries: dict[str, bytes], mode: str = "w") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, mode) as packed:  # type: ignore[call-overload]
        for name, content in entries.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            packed.addfile(about, io.BytesIO(content))


def shard(split: str, part: slice = slice(None), label: str = "cls", image: str = "png") -> dict[str, bytes]:
    """Return the entries of a WebDataset shard."""
    found: dict[str, bytes] = {}
    for one in list(samples(split))[part]:
        found[f"{one.number:06d}.{image}"] = png(one.pixels)
        found[f"{one.number:06d}.{label}"] = str(one.label).encode()
    return found


@kind("one WebDataset shard", read=Read(classes=DIGITS))
def shard_alone(root: Path) -> Path:
    pack(root / "pets.tar", shard(""))
    return root / "pets.tar"


@kind("WebDataset shards of train and test", read=Read(WITH_TEST, classes=DIGITS))
def shards(root: Path) -> None:
    for number in range(2):
        pack(root / f"pets-train-{number:06d}.tar", shard("train", slice(number * 12, number * 12 + 12)))
    pack(root / "pets-test-000000.tar", shard("test"))


@kind("WebDataset shards in folders of splits, with names of classes in .json", read=Read(WITH_VALID))
def shards_with_json(root: Path) -> None:
    for folder, split in (("train", "train"), ("val", "valid")):
        entries: dict[str, bytes] = {}
        for one in samples(split):
            entries[f"{one.number:05d}.png"] = png(one.pixels)
            entries[f"{one.number:05d}.json"] = json.dumps(
                {"label": one.name, "caption": "an animal"}
            ).encode()
        pack(root / folder / "00000.tar", entries)


@kind("packed WebDataset shards", read=Read(classes=DIGITS))
def packed_shards(root: Path) -> Path:
    pack(root / "pets.tar.gz", shard(""), "w:gz")
    return root / "pets.tar.gz"


@kind("a WebDataset shard with an image without a label", refused="000003 has no label")
def unlabelled_shard(root: Path) -> Path:
    entries = shard("")
    del entries["000003.cls"]
    pack(root / "pets.tar", entries)
    return root / "pets.tar"


@kind("a tar archive of class folders", refused="unpack it and give its folder")
def tar_of_folders(root: Path) -> Path:
    pack(root / "pets.tar", {f"pets/{one.name}/{one.stem}.png": png(one.pixels) for one in samples()})
    return root / "pets.tar"


@kind("a zip archive of class folders", refused="is an archive; unpack it and give its folder")
def zip_of_folders(root: Path) -> Path:
    with zipfile.ZipFile(root / "pets.zip", "w") as packed:
        for one in samples():
            packed.writestr(f"{one.name}/{one.stem}.png", png(one.pixels))
    return root / "pets.zip"


@kind("an archive that is cut short", refused="is no readable tar archive")
def broken_tar(root: Path) -> Path:
    pack(root / "pets.tar", shard(""))
    (root / "pets.tar").write_bytes((root / "pets.tar").read_bytes()[:2000])
    return root / "pets.tar"


def write_parquet(
    file: Path, split: str = "", *, named: bool = True, image: str = "image", label: str = "label"
) -> None:
    """Write a file as Hugging Face's datasets does."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = list(samples(split))
    cells = [{"bytes": png(one.pixels), "path": f"{one.stem}.png"} for one in found]
    labels = pa.array([one.label for one in found], pa.int64())
    written = pa.table({image: cells, label: labels})
    if named:
        features = {label: {"names": list(NAMES), "_type": "ClassLabel"}, image: {"_type": "Image"}}
        written = written.replace_schema_metadata(
            {"huggingface": json.dumps({"info": {"features": features}})}
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(written, file)


@kind("Hugging Face: data/train-00000-of-00001.parquet", read=Read(WITH_TEST))
def hugging_face(root: Path) -> None:
    write_parquet(root / "data" / "train-00000-of-00001.parquet", "train")
    write_parquet(root / "data" / "test-00000-of-00001.parquet", "test")
    (root / "README.md").write_text("# pets\n")


@kind("Hugging Face with a folder of a configuration: plain_text/", read=Read(ALL))
def hugging_face_configuration(root: Path) -> None:
    for name, split in (("train", "train"), ("validation", "valid"), ("test", "test")):
        write_parquet(root / "plain_text" / f"{name}-00000-of-00001.parquet", split, image="img")
    (root / "README.md").write_text("# pets\n")


@kind(
    "a parquet file that was not fetched",
    refused="has 2 of the 3 files of train that train-00000-of-00003.parquet",
)
def parquet_not_whole(root: Path) -> None:
    for number in (0, 2):
        write_parquet(root / f"train-{number:05d}-of-00003.parquet", "train")


@kind("one parquet file", read=Read(classes=DIGITS))
def parquet_alone(root: Path) -> Path:
    write_parquet(root / "pets.parquet", named=False)
    return root / "pets.parquet"


@kind("Hugging Face's save_to_disk", refused="to_parquet")
def arrow_on_disk(root: Path) -> None:
    (root / "train").mkdir()
    (root / "train" / "data-00000-of-00001.arrow").write_bytes(b"\xff\xff\xff\xff")
    (root / "train" / "state.json").write_text("{}")
    (root / "dataset_dict.json").write_text('{"splits": ["train"]}')


@kind("TensorFlow's records", refused="TFRecord")
def tfrecords(root: Path) -> None:
    (root / "pets" / "1.0.0").mkdir(parents=True)
    (root / "pets" / "1.0.0" / "pets-train.tfrecord-00000-of-00001").write_bytes(b"\0" * 64)
    (root / "pets" / "1.0.0" / "dataset_info.json").write_text("{}")


@kind("LMDB", refused="LMDB")
def lmdb(root: Path) -> None:
    (root / "data.mdb").write_bytes(b"\0" * 64)
    (root / "lock.mdb").write_bytes(b"\0" * 64)


@kind("STL-10's and CIFAR's binary files", refused=".bin")
def binaries(root: Path) -> None:
    for name in ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin"):
        (root / name).write_bytes(b"\0" * 64)


@kind("class folders of films", refused=".mp4")
def films(root: Path) -> None:
    for one in samples():
        (root / one.name).mkdir(exist_ok=True)
        (root / one.name / f"{one.stem}.mp4").write_bytes(b"\0\0\0\x18ftyp")
