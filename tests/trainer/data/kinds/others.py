"""Kinds of data sets of other tasks, which are refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path

from tests.trainer.data.kinds.kind import Read, flat, grey, kind, save, table


@kind("COCO: boxes in annotations/instances_train2017.json", refused="object detection")
def coco(root: Path) -> None:
    for name, split in (("train2017", "train"), ("val2017", "valid")):
        flat(root / name, split)
        (root / "annotations").mkdir(exist_ok=True)
        content = {"images": [], "annotations": [], "categories": []}
        (root / "annotations" / f"instances_{name}.json").write_text(json.dumps(content))


@kind("Roboflow's COCO: _annotations.coco.json beside the images of each split", refused="object detection")
def roboflow_coco(root: Path) -> None:
    for name in ("train", "valid", "test"):
        flat(root / name, name)
        (root / name / "_annotations.coco.json").write_text(
            '{"images": [], "annotations": [], "categories": []}'
        )


@kind("Pascal VOC: Annotations/, JPEGImages/ and ImageSets/", refused="object detection")
def voc(root: Path) -> None:
    base = root / "VOCdevkit" / "VOC2012"
    for one in flat(base / "JPEGImages", suffix=".jpg"):
        file = base / "Annotations" / f"{one.stem}.xml"
        file.parent.mkdir(exist_ok=True)
        file.write_text("<annotation><object><name>cat</name><bndbox/></object></annotation>")
        save(grey(one.pixels), base / "SegmentationClass" / f"{one.stem}.png")
    (base / "ImageSets" / "Main").mkdir(parents=True)
    (base / "ImageSets" / "Main" / "train.txt").write_text("img_00\nimg_01\n")


@kind("YOLO: images/train and labels/train with boxes", refused="object detection")
def yolo(root: Path) -> None:
    for name, split in (("train", "train"), ("val", "valid")):
        for one in flat(root / "images" / name, split):
            file = root / "labels" / name / f"{one.stem}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{one.label} 0.5 0.5 0.2 0.2\n")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cat, dog, emu]\n")


@kind("YOLO by Roboflow: train/images and train/labels", refused="object detection")
def roboflow_yolo(root: Path) -> None:
    for name in ("train", "valid"):
        for one in flat(root / name / "images", name):
            file = root / name / "labels" / f"{one.stem}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{one.label} 0.5 0.5 0.2 0.2\n")
    (root / "data.yaml").write_text("names: [cat, dog, emu]\n")


@kind("images/ and masks/ of segmentation", refused="segmentation")
def segmentation(root: Path) -> None:
    for one in flat(root / "images"):
        save(grey(one.pixels), root / "masks" / f"{one.stem}.png")


@kind("camvid: train/ and train_labels/ of segmentation", refused="skip: ['test_labels/*']")
def camvid(root: Path) -> None:
    for split in ("train", "test"):
        for one in flat(root / split, split):
            save(grey(one.pixels), root / f"{split}_labels" / f"{one.stem}_L.png")


@kind("a table of boxes: several rows an image", refused="names train_00.png again")
def boxes_in_a_table(root: Path) -> None:
    rows = [(f"{one.stem}.png", one.name, 1, 1, 9, 9) for one in flat(root / "images", "train")]
    table(root / "annotations.csv", ["filename", "class", "xmin", "ymin", "xmax", "ymax"], [rows[0], *rows])


@kind("pairs of pictures: input/ and target/", refused="a picture for each picture")
def pairs(root: Path) -> None:
    for one in flat(root / "input"):
        save(one.pixels[::-1], root / "target" / f"{one.stem}.png")


@kind("captions", refused="which column is the label", read=Read(answers={"label": "animal"}))
def captions(root: Path) -> None:
    rows = [
        (f"{one.stem}.png", f"a {one.name} and number {one.number}", one.name)
        for one in flat(root / "Images")
    ]
    table(root / "captions.csv", ["image", "caption", "animal"], rows)
