import subprocess
import sys

import pytest

SCRIPT = """
import numpy as np, psutil
from geowatch.stages.working.process import give_back_memory, steady_memory
assert steady_memory() and steady_memory()
resident = lambda: psutil.Process().memory_info().rss >> 20
before = resident()
held = [np.ones(200_000) for _ in range(200)]   # 1.6 MB each: they come from the heap
pins = [np.ones(2_000) for _ in range(50)]
grown = resident()
del held
give_back_memory()
print(grown - before, resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator's limits are the GNU C library's")
def test_finished_work_gives_its_memory_back():
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    grown, left = map(int, ran.stdout.split())
    assert grown > 250
    assert left < 60
