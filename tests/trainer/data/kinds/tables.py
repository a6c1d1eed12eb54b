"""Kinds of tables: file names and labels, or pixels, in rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.trainer.data.kinds.kind import (
    ALL,
    HEIGHT,
    NAMES,
    WIDTH,
    WITH_TEST,
    WITH_VALID,
    Read,
    flat,
    grey,
    in_folders,
    kind,
    samples,
    save,
    table,
)

SQUARE = 12  # pixels of a side of images in rows of pixels
ROWS = {"input": (1, SQUARE, SQUARE), "colours": (250,), "classes": ("0", "1", "2")}


@kind("a table beside a folder of images")
def csv_and_images(root: Path) -> None:
    table(
        root / "labels.csv",
        ["file", "label"],
        [(f"{one.stem}.png", one.name) for one in flat(root / "images")],
    )


@kind("names without suffix, as in dog breeds and blindness on Kaggle")
def ids(root: Path) -> None:
    table(
        root / "train.csv",
        ["id_code", "diagnosis"],
        [(one.stem, one.name) for one in flat(root / "train_images")],
    )


@kind("Kaggle's dog breeds: labels.csv, train/, unlabelled test/, and a sample of a submission")
def dog_breeds(root: Path) -> None:
    table(root / "labels.csv", ["id", "breed"], [(one.stem, one.name) for one in flat(root / "train")])
    unlabelled = flat(root / "test", "test")
    table(root / "sample_submission.csv", ["id", *NAMES], [(one.stem, 0.4, 0.3, 0.3) for one in unlabelled])


@kind("Kaggle's cassava leaves: a sample of a submission with the columns of train.csv")
def cassava(root: Path) -> None:
    found = flat(root / "train_images")
    table(root / "train.csv", ["image_id", "label"], [(f"{one.stem}.png", one.name) for one in found])
    save(found[0].pixels, root / "test_images" / "2216849948.jpg")
    table(root / "sample_submission.csv", ["image_id", "label"], [("2216849948.jpg", 4)])
    (root / "label_num_to_disease_map.json").write_text('{"0": "cat", "1": "dog", "2": "emu"}')


@kind("semicolons, as spreadsheets write in most of Europe")
def semicolons(root: Path) -> None:
    rows = [(f"{one.stem}.png", one.name) for one in flat(root / "bilder")]
    table(root / "etiketten.csv", ["datei", "klasse"], rows, ";")


@kind("tabs")
def tabs(root: Path) -> None:
    table(root / "labels.tsv", ["file", "label"], [(f"{one.stem}.png", one.name) for one in flat(root)], "\t")


@kind(
    "a table in Latin-1", refused="labels.csv:2 is no text in UTF-8; write the file in UTF-8, as with `iconv"
)
def latin_1(root: Path) -> None:
    rows = [(f"{one.stem}.png", ("café", "dog", "emu")[one.label]) for one in flat(root / "images")]
    (root / "labels.csv").write_bytes(
        table(root / "labels.csv", ["file", "label"], rows).read_text().encode("latin-1")
    )


@kind("a table in UTF-16, as Excel saves Unicode text")
def utf_16(root: Path) -> None:
    file = table(
        root / "labels.csv",
        ["file", "label"],
        [(f"{one.stem}.png", one.name) for one in flat(root / "x")],
        "\t",
    )
    file.write_text(file.read_text(), encoding="utf-16")


@kind("a table with a byte order mark and Windows' ends of lines")
def windows_csv(root: Path) -> None:
    file = table(
        root / "labels.csv", ["file", "label"], [(f"{one.stem}.png", one.name) for one in flat(root / "x")]
    )
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))


@kind("the index that pandas writes as a first column without a name")
def pandas_index(root: Path) -> None:
    rows = [(one.number, f"{one.stem}.png", one.name) for one in flat(root / "x")]
    table(root / "labels.csv", ["", "file", "species"], rows)


@kind("absolute paths of another machine")
def other_machine(root: Path) -> None:
    rows = [(f"C:\\Users\\me\\birds\\x\\{one.stem}.png", one.name) for one in flat(root / "x")]
    table(root / "labels.csv", ["path", "label"], rows)


@kind("a column of splits", read=Read(ALL))
def split_column(root: Path) -> None:
    rows = [(f"{one.stem}.png", one.name, one.split) for one in flat(root / "x", "train", "valid", "test")]
    table(root / "labels.csv", ["file", "label", "split"], rows)


@kind("a column is_train", read=Read(WITH_TEST))
def is_train(root: Path) -> None:
    rows = [
        (f"{one.stem}.png", one.name, int(one.split == "train")) for one in flat(root / "x", "train", "test")
    ]
    table(root / "labels.csv", ["file", "label", "is_train"], rows)


@kind("a column is_valid", read=Read(WITH_VALID))
def is_valid(root: Path) -> None:
    rows = [(f"{one.stem}.png", one.name, one.split == "valid") for one in flat(root / "x", "train", "valid")]
    table(root / "labels.csv", ["file", "label", "is_valid"], rows)


@kind("one table a split", read=Read(ALL))
def table_a_split(root: Path) -> None:
    for split in ("train", "valid", "test"):
        rows = [(f"images/{one.stem}.png", one.name) for one in flat(root / "images", split)]
        table(root / f"{split}.csv", ["filename", "label"], rows)


@kind(
    "GTSRB on Kaggle: Train.csv, Test.csv and Meta.csv with boxes and ClassId",
    read=Read(WITH_TEST, classes=("0", "1", "2")),
)
def gtsrb(root: Path) -> None:
    for split in ("train", "test"):
        rows = []
        for one in samples(split):
            place = f"Train/{one.label}/{one.stem}.png" if split == "train" else f"Test/{one.stem}.png"
            save(one.pixels, root / place)
            rows.append((WIDTH, HEIGHT, 1, 1, WIDTH - 1, HEIGHT - 1, one.label, place))
        header = ["Width", "Height", "Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2", "ClassId", "Path"]
        table(root / f"{split.title()}.csv", header, rows)
    for label in range(3):
        save(np.full((9, 9, 3), 9, np.uint8), root / "Meta" / f"{label}.png")
    table(root / "Meta.csv", ["Path", "ClassId", "ShapeId"], [(f"Meta/{n}.png", n, 1) for n in range(3)])


@kind("ISIC: one column a class")
def one_hot(root: Path) -> None:
    rows = [
        (one.stem, *(float(one.label == label) for label in range(3))) for one in flat(root / "ISIC_2019")
    ]
    table(root / "ISIC_2019_Training_GroundTruth.csv", ["image", *NAMES], rows)


@kind(
    "HAM10000: two folders of images, a metadata table, and tables of their pixels",
    refused="layout: table",
    read=Read(answers={"layout": "table", "label": "dx", "group": "lesion_id"}, counts=(16, 3, 5)),
)
def ham10000(root: Path) -> None:
    rows = []
    for one in samples():
        save(one.pixels, root / f"HAM10000_images_part_{one.number % 2 + 1}" / f"ISIC_{one.number:07d}.jpg")
        rows.append(
            (f"HAM_{one.number:07d}", f"ISIC_{one.number:07d}", one.name, "histo", 40 + one.number, "back")
        )
    table(
        root / "HAM10000_metadata.csv",
        ["lesion_id", "image_id", "dx", "dx_type", "age", "localization"],
        rows,
    )
    table(
        root / "hmnist_8_8_L.csv",
        [*(f"pixel{n:04d}" for n in range(64)), "label"],
        [(*range(64), one.label) for one in samples()],
    )


def rows_of_pixels(split: str = "") -> list[list[int]]:
    return [[one.label, *square(one.pixels).ravel()] for one in samples(split)]


def square(pixels: Any) -> Any:
    """Return the middle of an image (12, 16, 3) as a square of one channel."""
    return grey(pixels)[:, (WIDTH - SQUARE) // 2 : (WIDTH + SQUARE) // 2]


@kind("Kaggle's digits: label, pixel0 .. in train.csv, test.csv without labels", read=Read(**ROWS))
def kaggle_digits(root: Path) -> None:
    pixels = [f"pixel{n}" for n in range(SQUARE**2)]
    table(root / "train.csv", ["label", *pixels], rows_of_pixels())
    table(root / "test.csv", pixels, [row[1:] for row in rows_of_pixels("test")])
    table(root / "sample_submission.csv", ["ImageId", "Label"], [(1, 0), (2, 0)])


@kind("sign language MNIST: tables of pixels with names of splits", read=Read(WITH_TEST, **ROWS))
def sign_mnist(root: Path) -> None:
    for split in ("train", "test"):
        header = ["label", *(f"pixel{n + 1}" for n in range(SQUARE**2))]
        table(root / f"sign_mnist_{split}.csv", header, rows_of_pixels(split))


@kind("pixels in the order of the texts of their names: pixel0, pixel1, pixel10", read=Read(**ROWS))
def pixels_in_text_order(root: Path) -> None:
    order = sorted(range(SQUARE**2), key=str)
    rows = [[row[0], *(row[1 + place] for place in order)] for row in rows_of_pixels()]
    table(root / "train.csv", ["label", *(f"pixel{place}" for place in order)], rows)


@kind("MNIST in CSV with columns 1x1, 1x2 ..", read=Read(WITH_TEST, **ROWS))
def mnist_in_csv(root: Path) -> None:
    header = ["label", *(f"{row + 1}x{column + 1}" for row in range(SQUARE) for column in range(SQUARE))]
    for split in ("train", "test"):
        table(root / f"mnist_{split}.csv", header, rows_of_pixels(split))


@kind(
    "EMNIST in CSV: pixels without a header", refused="has no header; write a first line such as label,pixel0"
)
def emnist_csv(root: Path) -> Path:
    return table(root / "emnist-letters-train.csv", (), rows_of_pixels())


@kind(
    "HAM10000's table of colour pixels",
    refused="say channels: last",
    read=Read(classes=("0", "1", "2"), input=(3, SQUARE, SQUARE), answers={"channels": "last"}),
)
def colour_pixels(root: Path) -> Path:
    header = [*(f"pixel{n:04d}" for n in range(3 * SQUARE**2)), "label"]
    rows = [(*one.pixels[:, 2:14].ravel(), one.label) for one in samples()]
    return table(root / "hmnist_12_12_RGB.csv", header, rows)


@kind(
    "FER-2013: the pixels of an image in one cell",
    read=Read(ALL, classes=("0", "1", "2"), input=(1, SQUARE, SQUARE), colours=(250,)),
)
def fer_2013(root: Path) -> Path:
    usage = {"train": "Training", "valid": "PublicTest", "test": "PrivateTest"}
    rows = [
        (one.label, " ".join(map(str, square(one.pixels).ravel())), usage[one.split])
        for one in samples(*usage)
    ]
    return table(root / "fer2013.csv", ["emotion", "pixels", "Usage"], rows)


@kind(
    "FER-2013 as of the challenge: spaces in the header",
    read=Read(ALL, classes=("0", "1", "2"), input=(1, SQUARE, SQUARE), colours=(250,)),
)
def icml_faces(root: Path) -> None:
    file = fer_2013(root)
    assert file is not None
    file.rename(root / "icml_face_data.csv")
    text = (root / "icml_face_data.csv").read_text()
    (root / "icml_face_data.csv").write_text(text.replace("emotion,pixels,Usage", "emotion, pixels, Usage"))


@kind(
    "pixels in one cell that are no square", refused="190 numbers in pixels, which are no square", read=None
)
def oblong_cells(root: Path) -> Path:
    rows = [(one.label, " ".join(["9"] * 190)) for one in samples()]
    return table(root / "faces.csv", ["emotion", "pixels"], rows)


@kind("JSON lines with a path and a label", read=Read(WITH_TEST))
def json_lines(root: Path) -> None:
    for split in ("train", "test"):
        lines = [
            json.dumps({"file_name": f"{one.stem}.png", "label": one.name})
            for one in flat(root / split, split)
        ]
        (root / split / "metadata.jsonl").write_text("\n".join(lines))


@kind("a JSON list of objects with a path and a label")
def json_list(root: Path) -> None:
    rows = [
        {"image": f"images/{one.stem}.png", "label": one.name, "size": [9, 9]}
        for one in flat(root / "images")
    ]
    (root / "labels.json").write_text(json.dumps(rows, indent=1))


@kind("a JSON object of labels by file")
def json_object(root: Path) -> None:
    (root / "labels.json").write_text(
        json.dumps({f"{one.stem}.png": one.name for one in flat(root / "images")})
    )


@kind("Excel", refused="is a workbook; save its sheet as CSV")
def excel(root: Path) -> Path:
    flat(root / "images")
    (root / "labels.xlsx").write_bytes(b"PK\3\4")
    return root / "labels.xlsx"


@kind("Imagenette's own table of labels beside its folders, which says the same", read=Read(WITH_VALID))
def imagenette_csv(root: Path) -> None:
    in_folders(root, "train", "val=valid")
    rows = [
        (
            f"{'val' if one.split == 'valid' else 'train'}/{one.name}/{one.stem}.png",
            one.name,
            "dog",
            one.split == "valid",
        )
        for one in samples("train", "valid")
    ]
    table(root / "noisy_imagenette.csv", ["path", "noisy_labels_0", "noisy_labels_50", "is_valid"], rows)


@kind(
    "a table that contradicts the class folders",
    refused="can be read in 2 ways; say layout: folders",
    read=Read(answers={"layout": "folders"}),
)
def contradicting_table(root: Path) -> None:
    in_folders(root)
    table(
        root / "labels.csv",
        ["file", "label"],
        [(f"{one.stem}.png", NAMES[one.label - 1]) for one in samples()],
    )


@kind(
    "CelebA: forty attributes an image",
    refused="say label: Male or label: Young",
    read=Read(answers={"label": "Hair"}),
)
def celeba(root: Path) -> None:
    rows = [(f"{one.stem}.png", 1, -1, one.name) for one in flat(root / "img_align_celeba")]
    table(root / "list_attr_celeba.csv", ["image_id", "Male", "Young", "Hair"], rows)


@kind("labels that are measures", refused="labels must be classes, not measures")
def measures(root: Path) -> None:
    table(
        root / "ages.csv",
        ["file", "age"],
        [(f"{one.stem}.png", 30.5 + one.number) for one in flat(root / "faces")],
    )


@kind(
    "a table of addresses on the web, which are not fetched", refused="restore the files, take their rows out"
)
def addresses(root: Path) -> None:
    rows = [(f"https://example.org/{one.stem}.png", one.name) for one in flat(root / "images")]
    table(root / "labels.csv", ["url", "label"], [*rows, ("https://example.org/other.png", "cat")])


@kind("faces with landmarks in a cell beside the file name", refused="say label: ")
def landmarks(root: Path) -> None:
    rows = [(f"{one.stem}.png", " ".join(["7"] * 36), one.name, one.number) for one in flat(root / "faces")]
    table(root / "faces.csv", ["file", "landmarks", "emotion", "person"], rows)


@kind("run-length masks, as of Severstal's steel", refused="names train_00.png again")
def run_lengths(root: Path) -> None:
    rows = [
        (f"{one.stem}.png", one.label, " ".join(["264661 17"] * 9))
        for one in flat(root / "train_images", "train")
    ]
    table(root / "train.csv", ["ImageId", "ClassId", "EncodedPixels"], [rows[0], *rows])
