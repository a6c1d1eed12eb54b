"""The public words, and what importing them costs."""

import subprocess
import sys

import pytest

import trainer


def test_every_public_name_is_there() -> None:
    assert {name: getattr(trainer, name) for name in trainer.__all__}.keys() == set(dir(trainer))
    assert set(trainer._HOME) == set(trainer.__all__)


def test_texts_and_numbers_need_no_torch() -> None:
    code = (
        "import sys, trainer; trainer.Budget(); trainer.Recipe(); trainer.Report; trainer.DataError;"
        "print(sorted(sys.modules.keys() & {'torch', 'numpy', 'sklearn', 'torchvision', 'PIL'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = trainer.nonsense
