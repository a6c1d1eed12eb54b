"""Kinds of folders whose classes cannot be told: each is refused with what says them."""

from __future__ import annotations

from pathlib import Path

from tests.trainer.data.kinds.kind import NAMES, Read, flat, grey, in_folders, kind, samples, save


@kind(
    "PlantVillage: one set three times",
    refused="give the path",
    read=Read(path="color"),
)
def plant_village(root: Path) -> None:
    for variant in ("color", "grayscale", "segmented"):
        in_folders(root / variant)


@kind("ImageNet: valid images in one folder without labels", refused="val has 6 images and no class folders")
def imagenet(root: Path) -> None:
    in_folders(root / "ILSVRC" / "Data" / "CLS-LOC", "train")
    flat(root / "ILSVRC" / "Data" / "CLS-LOC" / "val", "valid")


@kind("one folder of images whose names say nothing", refused="name their classes in a CSV file")
def flat_numbers(root: Path) -> None:
    for one in samples():
        save(one.pixels, root / f"{one.number:05d}.png")


@kind(
    "folders of folds",
    refused="say classes: [cat, dog, emu] to read all of them as one set",
    read=Read(answers={"classes": list(NAMES)}),
)
def folds(root: Path) -> None:
    for one in samples():
        save(one.pixels, root / f"fold{one.number // 3 % 5 + 1}" / one.name / f"{one.stem}.png")


@kind(
    "folders of years",
    refused="say classes: [cat, dog, emu] to read all of them as one set",
    read=Read(answers={"classes": list(NAMES)}),
)
def years(root: Path) -> None:
    for one in samples():
        save(one.pixels, root / str(2019 + one.number % 2) / one.name / f"{one.stem}.png")


@kind(
    "images of several years without class folders",
    refused="put a CSV file of names and labels beside them, or say classes: [2019, 2020, 2021] if they are classes",
    read=Read(classes=("2019", "2020", "2021"), answers={"classes": [2019, 2020, 2021]}),
)
def years_alone(root: Path) -> None:
    for one in samples():
        save(one.pixels, root / str(2019 + one.label) / f"{one.stem}.png")


@kind(
    "a class and a split in the name of each folder: cat_train/ cat_test/",
    refused="put the splits above the classes, as train/cat, or say classes: [cat_test, cat_train, dog_test, dog_train",
)
def class_and_split(root: Path) -> None:
    for one in samples("train", "test"):
        save(one.pixels, root / f"{one.name}_{one.split}" / f"{one.stem}.png")


@kind("a split and a class in the name of each folder: Train-cat/ Test-cat/", refused="as train/cat")
def split_and_class(root: Path) -> None:
    for one in samples("train", "test"):
        save(one.pixels, root / f"{one.split.title()}-{one.name}" / f"{one.stem}.png")


@kind(
    "LFW: a class of one image",
    refused="class emu has 1 images; at least 3 are needed for train, valid and test",
)
def lfw(root: Path) -> None:
    for one in samples():
        if one.label < 2 or one.number < 3:
            save(one.pixels, root / "lfw" / one.name / f"{one.name}_{one.number:04d}.jpg")


@kind("Omniglot: an alphabet above the characters", refused="say classes: [Greek, Latin]")
def omniglot(root: Path) -> None:
    for alphabet in ("Greek", "Latin"):
        for one in samples():
            save(
                one.pixels,
                root / "images_background" / alphabet / f"character{one.label + 1:02d}" / f"{one.stem}.png",
            )


@kind("a class folder for each split below a class", refused="put the splits above the classes, as train/cat")
def splits_below_classes(root: Path) -> None:
    for one in samples("train", "test"):
        save(one.pixels, root / one.name / one.split / f"{one.stem}.png")


@kind("empty folder", refused="has 0 subfolders with images")
def empty(root: Path) -> None:
    pass


@kind("an archive that is not unpacked in a folder", refused="unpack")
def archives_in_a_folder(root: Path) -> None:
    import zipfile

    for name in ("train", "test1"):
        with zipfile.ZipFile(root / f"{name}.zip", "w") as packed:
            packed.writestr(f"{name}/cat.0.jpg", b"x")


@kind(
    "one set in three colours, which are the classes",
    refused="or say classes: [color, grayscale, segmented] if the upper ones are",
    read=Read(
        classes=("color", "grayscale", "segmented"), answers={"classes": ["color", "grayscale", "segmented"]}
    ),
)
def colours_as_classes(root: Path) -> None:
    for one in samples():
        kind_of = ("color", "grayscale", "segmented")[one.label]
        save(one.pixels, root / kind_of / ("apple", "pear")[one.number // 3 % 2] / f"{one.stem}.png")


@kind(
    "images of a class in folders of patients",
    refused="classes: [benign, malignant, normal] if the upper ones are",
    read=Read(
        classes=("benign", "malignant", "normal"), answers={"classes": ["benign", "malignant", "normal"]}
    ),
)
def patients(root: Path) -> None:
    for one in samples():
        name = ("benign", "malignant", "normal")[one.label]
        save(one.pixels, root / name / f"p{one.number // 3 % 3}" / f"{one.stem}.png")


@kind(
    "classes below groups of them",
    refused="say classes: [pets, wild], or classes: [cat, dog, emu, fox] if the lower folders are the classes",
    read=Read(
        classes=("cat", "dog", "emu", "fox"),
        counts=(14, 4, 6),
        answers={"classes": ["cat", "dog", "emu", "fox"]},
        labels=(0, 1, 2, 2),
    ),
)
def groups_of_classes(root: Path) -> None:
    for one in samples():
        name = "fox" if one.label == 2 and one.number % 2 else one.name
        save(one.pixels, root / ("pets" if one.label < 2 else "wild") / name / f"{one.stem}.png")


@kind(
    "groups of classes that are the classes",
    refused="and images only in folders below them; say classes: [birds, cats, dogs]",
    read=Read(
        classes=("birds", "cats", "dogs"), labels=(2, 0, 1), answers={"classes": ["birds", "cats", "dogs"]}
    ),
)
def groups_as_classes(root: Path) -> None:
    for one in samples():
        save(
            one.pixels,
            root
            / ("cats", "dogs", "birds")[one.label]
            / f"{one.name}{one.number // 3 % 2}"
            / f"{one.stem}.png",
        )


@kind(
    "numbered pieces of a set without a table",
    refused="look like pieces of one set and not like classes; put a CSV file",
    read=Read(classes=("part_1", "part_2", "part_3"), answers={"classes": ["part_1", "part_2", "part_3"]}),
)
def pieces(root: Path) -> None:
    for one in samples():
        save(one.pixels, root / f"part_{one.label + 1}" / f"{one.stem}.png")


@kind("trimaps beside images", refused="has annotations/ and images/, a picture for each picture")
def trimaps(root: Path) -> None:
    for one in flat(root / "images"):
        save(grey(one.pixels), root / "annotations" / "trimaps" / f"{one.stem}.png")


@kind("folders called images and metadata", refused="look like parts of one set and not like classes")
def parts_of_a_set(root: Path) -> None:
    flat(root / "images")
    flat(root / "metadata")
    flat(root / "more")


@kind(
    "train/ of class folders and an unlabelled test/",
    refused="test has 9 images and no class folders, so their classes are not known; put them into one",
    read=Read(answers={"skip": ["test/*"]}),
)
def unlabelled_test(root: Path) -> None:
    in_folders(root, "train")
    flat(root / "test", "test")


@kind(
    "train/ and one more folder",
    refused="has train/, which looks like a split, and also extra/; leave those out with skip: ['extra/*']",
    read=Read(answers={"skip": ["extra/*"]}),
)
def train_and_extra(root: Path) -> None:
    in_folders(root, "train")
    flat(root / "extra" / "cat")


@kind(
    "val/ and test/ without train/",
    refused="and no train/; name the folder of the train images train",
)
def no_train(root: Path) -> None:
    in_folders(root, "val=valid", "test")


@kind(
    "train/, Training/ and test/", refused="has two folders of one split, Training/ too; merge or remove one"
)
def two_trains(root: Path) -> None:
    in_folders(root, "train", "Training=train", "test")


@kind("a class that train lacks", refused="val has the class yak that")
def strange_class(root: Path) -> None:
    in_folders(root, "train", "val=valid")
    (root / "val" / "emu").rename(root / "val" / "yak")


@kind(
    "a folder of images below one of no other",
    refused="(images holds 24 images: name their classes in a CSV file",
)
def one_flat_folder(root: Path) -> None:
    flat(root / "images")


@kind(
    "train/ and test1/ of images whose names tell nothing",
    refused="has train/, which looks like a split, and also test1/",
)
def flat_splits(root: Path) -> None:
    flat(root / "train", "train")
    flat(root / "test1", "test")


@kind(
    "Office-31: domains above images/ above the classes",
    refused="/amazon/images if those are the classes",
    read=Read(path="amazon/images"),
)
def office_31(root: Path) -> None:
    for domain in ("amazon", "dslr", "webcam"):
        in_folders(root / domain / "images", suffix=".jpg")


@kind(
    "ImageNet-C: severities above the classes",
    refused="/brightness/1 if those are the classes",
    read=Read(path="brightness/1"),
)
def imagenet_c(root: Path) -> None:
    for severity in range(1, 4):
        in_folders(root / "brightness" / str(severity), suffix=".JPEG")


@kind(
    "ASL alphabet on Kaggle: one image a class in the test folder",
    refused="skip: ['asl_alphabet_test/*']",
    read=Read(answers={"skip": ["asl_alphabet_test/*"]}),
)
def asl_alphabet(root: Path) -> None:
    in_folders(root / "asl_alphabet_train" / "asl_alphabet_train")
    for one in list(samples("test"))[:3]:
        save(one.pixels, root / "asl_alphabet_test" / "asl_alphabet_test" / f"{one.name}_test.jpg")


@kind("UTKFace: age, sex and a date in the file name", refused="name their classes in a CSV file")
def utk_face(root: Path) -> None:
    for one in samples():
        save(one.pixels, root / f"{20 + one.number}_{one.label}_0_20170109{one.number:06d}.chip.jpg")


@kind("cats and dogs of Microsoft: a photo of 0 bytes", refused="Cat/666.jpg cannot be read as an image")
def pet_images(root: Path) -> None:
    for one in samples():
        save(one.pixels, root / "PetImages" / ("Cat", "Dog")[one.number % 2] / f"{one.number}.jpg")
    (root / "PetImages" / "Cat" / "666.jpg").touch()


@kind("DICOM without suffixes", refused="is DICOM without a suffix; name such files .dcm")
def dicom_without_suffix(root: Path) -> None:
    for one in samples():
        (root / one.name).mkdir(exist_ok=True)
        (root / one.name / f"IM{one.number:05d}").write_bytes(bytes(128) + b"DICM")
