"""Kinds of folders of image files."""

from __future__ import annotations

from pathlib import Path

from tests.trainer.data.kinds.kind import (
    ALL,
    NAMES,
    WITH_TEST,
    WITH_VALID,
    Read,
    flat,
    in_folders,
    kind,
    samples,
    save,
    table,
)


@kind("one folder a class")
def class_folders(root: Path) -> None:
    in_folders(root)


@kind("photos of a phone and a camera in class folders: .jpg, .JPG, .jpeg")
def phone_suffixes(root: Path) -> None:
    for one in samples():
        save(one.pixels, root / one.name / f"IMG_{one.number}{('.jpg', '.JPG', '.jpeg')[one.number % 3]}")


@kind("train/ val/ test/ above the classes", read=Read(ALL))
def three_splits(root: Path) -> None:
    in_folders(root, "train", "val=valid", "test")


@kind("Imagenette, unpacked: train/ and val/ below the folder of the archive", read=Read(WITH_VALID))
def imagenette(root: Path) -> None:
    in_folders(root / "imagenette2-160", "train", "val=valid", suffix=".JPEG")


@kind("fastai: train/ and valid/", read=Read(WITH_VALID))
def fastai(root: Path) -> None:
    in_folders(root, "train", "valid")


@kind("brain tumours on Kaggle: Training/ and Testing/", read=Read(WITH_TEST))
def training_and_testing(root: Path) -> None:
    in_folders(root, "Training=train", "Testing=test", suffix=".jpg")


@kind("Fruits-360: Training/ and Test/", read=Read(WITH_TEST))
def training_and_test(root: Path) -> None:
    in_folders(root / "fruits-360", "Training=train", "Test=test")


@kind("chest X-rays on Kaggle: chest_xray/train test val, and __MACOSX beside", read=Read(ALL))
def chest_xrays(root: Path) -> None:
    in_folders(root / "chest_xray", "train", "val=valid", "test", suffix=".jpeg")
    for one in samples("train"):
        file = root / "__MACOSX" / "chest_xray" / "train" / one.name / f"._{one.stem}.jpeg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"\0\5\26\7")


@kind("folders of splits with set or data behind: train_set/ test_set/", read=Read(WITH_TEST))
def train_set(root: Path) -> None:
    in_folders(root / "dataset", "training_set=train", "test_set=test")


@kind("splits with the year of a challenge: train2017/ val2017/", read=Read(WITH_VALID))
def splits_of_a_year(root: Path) -> None:
    in_folders(root, "train2017=train", "val2017=valid")


@kind(
    "Intel's scenes: seg_train/seg_train/, seg_test/seg_test/ and unlabelled seg_pred/seg_pred/",
    refused="skip: ['seg_pred/*']",
    read=Read(WITH_TEST, answers={"skip": ["seg_pred/*"]}),
)
def intel_scenes(root: Path) -> None:
    in_folders(root, "seg_train/seg_train=train", "seg_test/seg_test=test")
    flat(root / "seg_pred" / "seg_pred")


@kind("splits with a name before them: flowers_train/ flowers_test/", read=Read(WITH_TEST))
def splits_with_a_prefix(root: Path) -> None:
    in_folders(root, "flowers_train=train", "flowers_test=test")


@kind("UC Merced: Images/ below a folder of the archive")
def uc_merced(root: Path) -> None:
    in_folders(root / "UCMerced_LandUse" / "Images", suffix=".tif")


@kind("EuroSAT: the folder of a year above the classes")
def eurosat(root: Path) -> None:
    in_folders(root / "2750", suffix=".jpg")


@kind("Caltech-256: numbered names of classes", read=Read(classes=("001.cat", "002.dog", "003.emu")))
def caltech_256(root: Path) -> None:
    for one in samples():
        save(
            one.pixels, root / "256_ObjectCategories" / f"{one.label + 1:03d}.{one.name}" / f"{one.stem}.jpg"
        )


@kind("MNIST as PNG: classes 0, 1, 2", read=Read(WITH_TEST, classes=("0", "1", "2")))
def mnist_png(root: Path) -> None:
    for one in samples("train", "test"):
        save(
            one.pixels,
            root / ("training" if one.split == "train" else "testing") / str(one.label) / f"{one.stem}.png",
        )


@kind("names of classes in other scripts and with spaces", read=Read(classes=("chien", "猫 (小)", "鳥")))
def unicode_names(root: Path) -> None:
    for one in samples():
        save(one.pixels, root / ("chien", "猫 (小)", "鳥")[one.label] / f"photo {one.number}.png")


@kind("Tiny ImageNet, whose valid images lie in one folder", read=Read(WITH_VALID))
def tiny_imagenet(root: Path) -> None:
    for one in samples("train"):
        save(one.pixels, root / "train" / one.name / "images" / f"{one.name}_{one.number}.JPEG")
        with (root / "train" / one.name / f"{one.name}_boxes.txt").open("a") as boxes:
            boxes.write(f"{one.name}_{one.number}.JPEG\t0\t0\t9\t9\n")
    rows = [(f"val_{one.number}.JPEG", one.name, 0, 0, 9, 9) for one in samples("valid")]
    for one, row in zip(samples("valid"), rows, strict=True):
        save(one.pixels, root / "val" / "images" / row[0])
    table(root / "val" / "val_annotations.txt", (), rows, "\t")
    (root / "wnids.txt").write_text("\n".join(NAMES))
    (root / "words.txt").write_text("".join(f"{name}\tan animal, {name}\n" for name in NAMES))


@kind(
    "Kaggle's Dogs vs. Cats: the class in the file name, test1/ without one",
    refused="say layout: file_names",
    read=Read(answers={"layout": "file_names"}),
)
def dogs_vs_cats(root: Path) -> None:
    for one in samples(""):
        save(one.pixels, root / "train" / f"{one.name}.{one.number}.jpg")
    for one in samples("test"):
        save(one.pixels, root / "test1" / f"{one.number + 1}.jpg")


@kind(
    "Oxford-IIIT pets: the breed in the file name, masks and lists in annotations/",
    refused="say layout: file_names",
    read=Read(classes=("cat_red", "dog_big", "emu_old"), answers={"layout": "file_names"}),
)
def oxford_pets(root: Path) -> None:
    for one in samples():
        kind_of = ("red", "big", "old")[one.label]
        save(one.pixels, root / "images" / f"{one.name}_{kind_of}_{one.number}.jpg")
        save(
            one.pixels[..., 0] // 128,
            root / "annotations" / "trimaps" / f"{one.name}_{kind_of}_{one.number}.png",
        )
    table(
        root / "annotations" / "list.txt",
        (),
        [("#Image", "CLASS-ID"), *((f"{one.name}_{one.number}", 1) for one in samples())],
        " ",
    )


@kind(
    "one folder of images named by their class",
    refused="say layout: file_names",
    read=Read(answers={"layout": "file_names"}),
)
def flat_names(root: Path) -> None:
    for one in samples():
        save(one.pixels, root / f"{one.name}-{one.number:03d}.png")


@kind(
    "Caltech-UCSD Birds: images.txt, image_class_labels.txt and train_test_split.txt beside images/",
    read=Read(WITH_TEST, classes=("001.cat", "002.dog", "003.emu")),
)
def cub(root: Path) -> None:
    found = list(samples("train", "test"))
    paths = [f"{one.label + 1:03d}.{one.name}/{one.stem}.jpg" for one in found]
    for one, path in zip(found, paths, strict=True):
        save(one.pixels, root / "images" / path)
    numbers = range(1, len(found) + 1)
    table(root / "images.txt", (), list(zip(numbers, paths, strict=True)), " ")
    table(
        root / "image_class_labels.txt",
        (),
        [(n, one.label + 1) for n, one in zip(numbers, found, strict=True)],
        " ",
    )
    table(
        root / "train_test_split.txt",
        (),
        [(n, int(one.split == "train")) for n, one in zip(numbers, found, strict=True)],
        " ",
    )
    table(root / "classes.txt", (), [(n + 1, f"{n + 1:03d}.{name}") for n, name in enumerate(NAMES)], " ")
    table(root / "bounding_boxes.txt", (), [(n, 0.0, 0.0, 9.0, 9.0) for n in numbers], " ")
    (root / "attributes").mkdir()
    (root / "attributes" / "certainties.txt").write_text("1 not visible\n")


@kind(
    "Food-101: class folders, and lists of splits in meta/",
    read=Read(WITH_TEST),
)
def food_101(root: Path) -> None:
    for one in samples("train", "test"):
        save(one.pixels, root / "images" / one.name / f"{one.stem}.jpg")
    (root / "meta").mkdir()
    (root / "meta" / "classes.txt").write_text("\n".join(NAMES))
    for split in ("train", "test"):
        lines = [f"{one.name}/{one.stem}" for one in samples(split)]
        (root / "meta" / f"{split}.txt").write_text("\n".join(lines))


@kind(
    "MMPretrain and Caffe: train.txt and val.txt with a path and a number on each line",
    read=Read(WITH_VALID, classes=("0", "1", "2")),
)
def lists_of_numbers(root: Path) -> None:
    for split in ("train", "valid"):
        found = flat(root / {"train": "train", "valid": "val"}[split], split, suffix=".jpg")
        name = {"train": "train", "valid": "val"}[split]
        table(root / "meta" / f"{name}.txt", (), [(f"{one.stem}.jpg", one.label) for one in found], " ")


@kind("ImageNet with the lists of MMPretrain: numbers for the folders of train", read=Read(WITH_VALID))
def imagenet_lists(root: Path) -> None:
    in_folders(root, "train", suffix=".JPEG")
    flat(root / "val", "valid", suffix=".JPEG")
    table(
        root / "meta" / "train.txt",
        (),
        [(f"{one.name}/{one.stem}.JPEG", one.label) for one in samples("train")],
        " ",
    )
    table(root / "meta" / "val.txt", (), [(f"{one.stem}.JPEG", one.label) for one in samples("valid")], " ")


@kind("DTD: ten lists of each split beside class folders")
def dtd(root: Path) -> None:
    in_folders(root / "images")
    (root / "labels").mkdir()
    for number in (1, 2):
        for split in ("train", "val", "test"):
            lines = [f"{one.name}/{one.stem}.png" for one in samples()]
            (root / "labels" / f"{split}{number}.txt").write_text("\n".join(lines))


@kind("Stanford dogs: Images/ and boxes in Annotation/ without suffixes")
def stanford_dogs(root: Path) -> None:
    for one in samples():
        save(one.pixels, root / "Images" / one.name / f"{one.stem}.jpg")
        box = root / "Annotation" / one.name / one.stem
        box.parent.mkdir(parents=True, exist_ok=True)
        box.write_text("<annotation><object/></annotation>")


@kind(
    "MIT Indoor-67: Images/, and TrainImages.txt and TestImages.txt of a part of them", read=Read(WITH_TEST)
)
def mit_67(root: Path) -> None:
    for one in samples("train", "test", ""):
        save(one.pixels, root / "Images" / one.name / f"{one.stem}.jpg")
    for split in ("train", "test"):
        (root / f"{split.title()}Images.txt").write_text(
            "\n".join(f"{one.name}/{one.stem}.jpg" for one in samples(split))
        )


@kind("empty class folders beside filled ones")
def empty_classes(root: Path) -> None:
    in_folders(root)
    (root / "yak").mkdir()


@kind("links to folders of images elsewhere")
def linked_folders(root: Path) -> Path:
    in_folders(root / "disk")
    (root / "mine").mkdir()
    for name in NAMES:
        (root / "mine" / name).symlink_to(root / "disk" / name, target_is_directory=True)
    return root / "mine"


@kind("checkpoints of notebooks and thumbnails of Windows in class folders")
def litter(root: Path) -> None:
    in_folders(root)
    for one in samples():
        save(one.pixels, root / one.name / ".ipynb_checkpoints" / f"{one.stem}-checkpoint.png")
    (root / "cat" / "Thumbs.db").write_bytes(b"\xd0\xcf")
    (root / "cat" / "desktop.ini").write_text("[.ShellClassInfo]")


@kind("ISIC-like masks beside the images")
def masks_beside(root: Path) -> None:
    in_folders(root)
    for one in samples():
        save(one.pixels[..., 0] // 2, root / one.name / f"{one.stem}_mask.png")
