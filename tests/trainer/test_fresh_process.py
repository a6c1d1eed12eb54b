"""What only a separate process can show: its first trial, and a limit on its memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import json, resource, sys, torch
from torch import nn
import trainer.loop.fit_loop, trainer.data.data
import trainer

class Charged:
    # keeps what is imported while a meter runs; finds nothing itself

    seen, running = [], 0

    def find_spec(self, name, path=None, target=None):
        if self.running:
            self.seen.append(name)

def counted(method, step):
    def around(*args):
        charged.running += step
        return method(*args)
    return around

charged = Charged()
sys.meta_path.insert(0, charged)
Meter = trainer.Meter
Meter.__enter__, Meter.__exit__ = counted(Meter.__enter__, 1), counted(Meter.__exit__, -1)

torch.set_num_threads(1)
data = trainer.load("digits")
recipe = trainer.Recipe(epochs=1)

class Net(nn.Module):
    def __init__(self, extra):
        super().__init__()
        self.conv, self.head, self.extra = nn.Conv2d(1, 4, 3), nn.Linear(144, 10), extra

    def forward(self, x):
        torch.ones(self.extra)
        return self.head(self.conv(x).relu().flatten(1))

first = trainer.fit(Net(1), data, recipe=recipe)
loaded = [name for name in charged.seen if name in sys.modules]
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**29, used + 2**29))
hungry = trainer.fit(Net(2**30), data, recipe=recipe)
after = trainer.fit(Net(1), data, recipe=recipe)
same = all(first.last_weights[name].shape == value.shape for name, value in after.last_weights.items())
has_compiler = "torch._dynamo" in sys.modules
print(json.dumps([loaded, has_compiler, first.outcome, hungry.kind, hungry.reason, after.outcome, same]))
# trainer.fit is the function still, though files of the package were imported before it was asked for.
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_first_trial_is_not_charged_for_loading_and_a_memory_limit_is_an_outcome() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, cwd=root)
    loaded, has_compiler, first, kind, reason, after, same = json.loads(done.stdout)
    assert (first, kind, after, same) == ("done", "out-of-memory", "done", True)
    assert has_compiler, "which torch's optimizers load at their first use, in 1.2 s"
    assert not [name for name in loaded if name.startswith("torch")], "loaded while the trial was charged"
    assert reason.startswith("the device ran out of memory: ") and "4294967296 bytes" in reason
