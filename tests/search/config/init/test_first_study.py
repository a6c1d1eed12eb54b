"""A first study: its limits leave a choice, its file is valid, and the same facts give the same file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from PIL import Image

import genome
from genome import GenomeError
from genome.yaml.source import parse
from genome.zoo.resnet import resnet
from search.config.candidate import candidate, measured
from search.config.init import room
from search.config.init.device import Device, probe
from search.config.init.images import ClassSize, Images, look, path_from, study_name
from search.config.init.limits import FEWEST, MOST, nice
from search.config.init.study_file import study_text
from search.config.init.training import usual_epochs
from search.config.init.wishes import Wishes, count, wishes
from search.config.init.write import first_study
from search.config.read import check_study, read_study
from search.config.study import StudyConfig
from search.errors import StudyError
from search.space import preset
from tests.pairwise import pairs
from tests.search.conftest import Said
from trainer import BudgetError
from trainer.data.named import NAMED
from trainer.data.reading import Reading

GIB = 2**30
LAPTOP = Device("cpu", 2, 2, 16 * GIB, 2_700.0, 747_136, 2e-4, 2.5e-10, 4e-5)
GPU = Device("cuda", 16, 1, 80 * GIB, 40_000.0, 747_136, 3e-4, 5e-13, 5e-5)
IMAGES = {"digits": 1_222, "fashion-mnist": 51_000, "cifar10": 42_500}  # to train
DEVICES = {"laptop": LAPTOP, "gpu": GPU}
each_data = pytest.mark.parametrize("name", IMAGES)
each_device = pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)


def device_of(name: str, device: Device) -> Device:
    """Return a device that has trained a ResNet-8 of the images' size."""
    known = NAMED[name]
    return device._replace(macs=genome.resolve(resnet(8, known.input, known.classes)).macs)


def images_of(name: str) -> Images:
    """Return what is known of a named data set without reading it; its parts are about those of the split."""
    known, train = NAMED[name], IMAGES[name]
    each = ClassSize("0", train // known.classes)
    return Images(name, name, None, known.input, known.classes, train, train // 6, train // 5, each, each, 0)


def study_of(wished: Wishes, name: str, device: Device, is_full: bool = False) -> StudyConfig:
    text = study_text(first_study(wished, images_of(name), device_of(name, device)), Path(), is_full)
    return check_study(parse(text, f"{name}.yaml"))


def share_inside(config: StudyConfig, draws: int = 150) -> float:
    """Return the share of drawn genomes that the study would train."""
    rng, inside = Random(1), 0
    for _ in range(draws):
        try:
            one = candidate(config.space.draw(rng), config.train)
        except GenomeError:
            continue
        inside += all(excess.over <= 0 for excess in measured(one, config))
    return inside / draws


@pytest.mark.parametrize(
    ("name", "name_of_preset", "device"), pairs(list(IMAGES), preset.names(), list(DEVICES))
)
def test_the_limits_leave_a_choice(name: str, name_of_preset: str, device: str) -> None:
    config = study_of(Wishes(preset=name_of_preset), name, DEVICES[device])
    assert FEWEST <= share_inside(config) <= MOST
    assert config.budget.device_time == 600 and config.recipe.epochs == config.budget.rungs[-1]


WISHES = [Wishes(params=150_000), Wishes("2h", macs=4_000_000), Wishes(latency=0.002)]


@pytest.mark.parametrize(
    ("name", "wished"),
    [
        pytest.param(name, wished, marks=[] if i == j else pytest.mark.slow)
        for i, name in enumerate(IMAGES)
        for j, wished in enumerate(WISHES)
    ],
)
def test_the_limits_of_the_user_stand_in_the_file(name: str, wished: Wishes) -> None:
    config = study_of(wished, name, LAPTOP)
    for limit in ("params", "macs"):
        if (given := getattr(wished, limit)) is not None:
            assert config.limits[limit] == given
    assert config.budget.device_time == wished.seconds and config.latency_limit == wished.latency
    assert [o.name for o in config.objectives] == ["accuracy", "latency"][
        : 1 if wished.latency is None else 2
    ]
    assert FEWEST <= share_inside(config) <= MOST


@each_data
@each_device
def test_the_file_is_short_and_its_space_in_full_is_that_of_the_preset(name: str, device: Device) -> None:
    wished = Wishes(params=100_000, preset="stages" if device is GPU else "tiny")
    study = first_study(wished, images_of(name), device_of(name, device))
    short, full = (study_text(study, Path(), is_full) for is_full in (False, True))
    assert check_study(parse(short, "a.yaml")).plain() == check_study(parse(full, "b.yaml")).plain()
    assert len(short.splitlines()) <= 35 and max(map(len, short.splitlines())) <= 120


@each_device
def test_the_same_facts_give_the_same_file(device: Device) -> None:
    """Also in a process that has not drawn the networks of that space before."""
    texts = set()
    for _ in range(2):
        room._plans.cache_clear()
        texts.add(study_text(first_study(Wishes(preset="tiny"), images_of("digits"), device), Path(), False))
    assert len(texts) == 1


def test_a_faster_device_and_a_longer_budget_allow_more() -> None:
    name = "fashion-mnist"

    def macs(device: Device, budget: str) -> int:
        return first_study(Wishes(budget), images_of(name), device_of(name, device)).chosen.limits.macs

    assert macs(LAPTOP, "10m") < macs(LAPTOP, "8h") < macs(GPU, "8h")


def test_enough_trainings_fit_where_the_budget_allows() -> None:
    assert 20 <= first_study(Wishes(), images_of("digits"), LAPTOP).training.trainings <= 60
    assert (
        first_study(Wishes("12h"), images_of("cifar10"), device_of("cifar10", GPU)).training.trainings >= 20
    )


@pytest.mark.parametrize(
    ("wished", "sentence"),
    [
        (Wishes(params=10), "--params 10: 0% of the smallest networks of `stages` are inside"),
        (Wishes(macs=1), "--macs 1: 0% of the smallest"),
        (Wishes(latency=1e-6), "--latency 0.001 ms: 0% of the smallest"),
        (Wishes(macs=10**12), "--macs 1T: 100% of the largest networks of `stages` are inside"),
    ],
)
def test_limits_without_a_choice_are_refused(wished: Wishes, sentence: str) -> None:
    with pytest.raises(StudyError) as refused:
        first_study(wished, images_of("digits"), LAPTOP)
    assert str(refused.value).startswith(sentence) and "; " in str(refused.value)


@pytest.mark.parametrize(
    ("written", "found"),
    [("150k", 150_000), ("4M", 4_000_000), ("1.5m", 1_500_000), ("2_000", 2_000), (None, None)],
)
def test_counts(written: str | None, found: int | None) -> None:
    assert count(written, "--params") == found


@pytest.mark.parametrize("written", ["", "k", "0", "-3", "nan", "inf", "4MB", "1e99", "٣"])
def test_other_counts_are_refused(written: str) -> None:
    with pytest.raises(StudyError, match=r"--params is .*; it must be a count such as 150k"):
        count(written, "--params")


def test_other_wishes_are_refused() -> None:
    with pytest.raises(StudyError, match=r"--preset is 'stage'; it may be classic, stages, tiny, unusual"):
        wishes("10m", None, None, None, "stage")
    with pytest.raises(BudgetError, match=r"--budget is 0\.5; it must be 1s or more"):
        wishes("0.5", None, None, None, "stages")
    with pytest.raises(BudgetError, match="--latency is 'fast'"):
        wishes("1m", None, None, "fast", "stages")


@pytest.mark.parametrize(
    ("value", "round_one"), [(1, 1), (9.1, 10), (101, 120), (1_230, 1_500), (8.1e6, 10_000_000)]
)
def test_nice_numbers(value: float, round_one: int) -> None:
    assert nice(value) == round_one


def test_more_images_need_fewer_epochs() -> None:
    epochs = [usual_epochs(images) for images in (10, 100, 1_000, 10_000, 100_000, 10_000_000)]
    assert epochs == sorted(epochs, reverse=True) and epochs[0] == 20 and epochs[-1] == 4


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("digits", "digits"),
        ("a/my flowers", "my-flowers"),
        ("x/set.npz", "set"),
        ("/tmp/äö", "images"),
        ("a/.b", "b"),
    ],
)
def test_the_name_of_the_study_is_that_of_the_folder(place: str, name: str) -> None:
    assert study_name(place) == name


def test_a_path_below_the_study_file_is_relative(tmp_path: Path) -> None:
    assert path_from(str(tmp_path / "a" / "b"), tmp_path) == "a/b"
    assert path_from(str(tmp_path / "a"), tmp_path / "b") == str(tmp_path / "a")
    assert path_from(str(tmp_path / "b" / ".."), tmp_path) == str(tmp_path)


def test_a_folder_named_as_a_data_set_is_the_folder(tmp_path: Path) -> None:
    assert path_from(str(tmp_path / "digits"), tmp_path) == "./digits"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of 48 grey and 12 colour images in three classes of unequal size."""
    stream, folder = np.random.RandomState(0), tmp_path / "my photos"
    for name, images in (("cat", 8), ("dog", 12), ("emu", 40)):
        (folder / name).mkdir(parents=True)
        for i in range(images):
            pixels = stream.randint(0, 255, (10, 10, 3) if name == "dog" else (10, 10)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def test_what_is_seen_of_a_folder(photos: Path) -> None:
    found = look(str(photos))
    assert (found.name, found.input, found.classes, found.total) == ("my-photos", (3, 10, 10), 3, 60)
    assert (found.fewest, found.most, found.grey) == (ClassSize("cat", 8), ClassSize("emu", 40), 48)


def test_a_new_study_of_large_jpeg_files_decodes_them_at_a_fraction(tmp_path: Path) -> None:
    stream = np.random.RandomState(0)
    for name, suffix in (("a", "jpg"), ("b", "png")):
        (tmp_path / name).mkdir()
        for i in range(6):
            small = Image.fromarray(stream.randint(0, 255, (4, 4, 3)).astype(np.uint8))
            small.resize((64, 64)).save(tmp_path / name / f"{i}.{suffix}")
    assert look(str(tmp_path), Reading(size=(16, 16))).reading == Reading(size=(16, 16), draft=True)
    for plain in (Reading(size=(17, 17)), Reading(size=(16, 16), draft=False), Reading()):
        assert look(str(tmp_path), plain).reading == plain, (
            "a draft changes nothing, or the reading states one"
        )
    found = first_study(Wishes(), look(str(tmp_path), Reading(size=(16, 16))), LAPTOP)
    text = study_text(found, tmp_path, is_full=False)
    assert "size: 16, draft: true, mirror: false" in text and "# With draft: true JPEG files" in text


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 5), (1, 224, 100)])
def test_images_of_any_size_are_probed(shape: tuple[int, int, int]) -> None:
    found = probe(shape, 2)
    assert found.images_per_second > 0 and found.layer_seconds > 0 and found.mac_seconds > 0
    assert probe(shape, 2) == found, "the measurement is stored"


@pytest.mark.parametrize("place", ["digits", "my photos"])
def test_the_written_study_is_valid_and_runs(
    place: str, photos: Path, command: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    said = command(
        "init", place, "--budget", "30s", "--params", "20k", "--preset", "tiny", "--to", "new.yaml"
    )
    assert said.status == 0 and said.out.rstrip().endswith("genome search new.yaml")
    assert ("48 of 60 images are grey" in said.err) == (place != "digits")
    assert ("right 67%" in said.err) == (place != "digits")
    assert command("check", "new.yaml").status == 0
    file = photos.parent / "new.yaml"
    written, epochs = file.read_text(), read_study(file).recipe.epochs
    few = written.replace(f"epochs: {epochs}", "epochs: 1").replace("  rungs:", "  # rungs:")
    file.write_text(few + "trials: 2\nfinale: none\nworkers: 1\ndevice: cpu\n")
    ran = command("search", "new.yaml", "--plain", "--runs", "runs")
    assert ran.status in (0, 1) and "trial" in ran.out, ran.err
    again = command("init", place, "--to", "new.yaml")
    assert (
        again.status == 2
        and again.err == "new.yaml exists and is not overwritten; name another file with --to\n"
    )
    assert file.read_text().startswith(few)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "data is 'nowhere'; it must be one of digits"),
        (["my photos/cat"], "has 0 subfolders with images"),
        (["my photos", "--size", "0"], "size is 0; it must be 1..4096 pixels"),
        (["digits", "--size", "9"], "size is given for digits; it is for images of your own"),
        (["digits", "--to", "digits.txt"], "--to is digits.txt; a study file ends in .yaml"),
        (["digits", "--macs", "four"], "--macs is 'four'; it must be a count"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str],
    sentence: str,
    photos: Path,
    command: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(photos.parent)
    said = command("init", *arguments)
    assert said.status == 2 and sentence in said.err and said.err.count("\n") == 1 and not said.out
    assert not list(photos.parent.glob("*.yaml"))
