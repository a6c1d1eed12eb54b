"""`genome show --svg`: the written genome, or with --expand the plain nodes."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from search.cli.app import app

GENOME = """
genome: small
input: [3, 16, 16]
classes: 4
widths: {rule: constant, base: 8}
nodes:
  s1: {op: stack, in: [image], depth: 2, body: {op: residual}}
  out: {op: exit, in: [s1]}
"""


@pytest.mark.parametrize(("options", "drawn"), [([], {"s1"}), (["--expand"], {"conv1", "conv2", "add"})])
def test_svg_shows_what_the_table_shows(tmp_path: Path, options: list[str], drawn: set[str]) -> None:
    pytest.importorskip("pygraphviz")
    (tmp_path / "small.yaml").write_text(GENOME)
    picture = tmp_path / "small.svg"
    done = CliRunner().invoke(app, ["show", str(tmp_path / "small.yaml"), "--svg", str(picture), *options])
    assert done.exit_code == 0, done.output
    shown = {name for name in ("s1", "conv1", "conv2", "add") if f">{name}</text>" in picture.read_text()}
    assert shown == drawn
