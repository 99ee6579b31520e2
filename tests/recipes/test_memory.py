"""Training on files larger than memory: what a run needs does not grow with its data."""

import json
import random
import subprocess
import sys

import pytest

SIZES = (1, 4)  # MB of text
MOST = 20  # MiB that 3 MB more may cost; held in memory their ids alone take 16 bytes a token: nearly 50

RUN = """
import resource, sys
from baro.engine.config import load
from baro.recipes import pretrain, sft
method = {"pretrain": pretrain, "sft": sft}[sys.argv[1]]
words = dict(word.split("=") for word in sys.argv[3:])
method.main(load(method.Config, dataset=[sys.argv[2]], max_steps=1, save_steps=0, per_device_train_batch_size=2,
    max_length=64, device="cpu", dtype="float32", check_data=False, **words))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak(method: str, *words: str) -> int:
    """MiB of a whole run in a process of its own."""
    done = subprocess.run([sys.executable, "-c", RUN, method, *words], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


@pytest.fixture
def file(tmp_path):
    def write(size: int, row):
        draw, path = random.Random(size), tmp_path / f"{size}.jsonl"
        with path.open("w") as out:
            while out.tell() < size * 1_000_000:
                out.write(json.dumps(row("".join(draw.choices("abcdefgh ijkl", k=800)))) + "\n")
        return path

    return write


@pytest.mark.slow
def test_pretraining_on_more_text_needs_no_more_memory(file, tmp_path):
    peaks = [
        peak("pretrain", str(file(size, lambda text: {"text": text})), f"output_dir={tmp_path / str(size)}",
             "tokenizer=characters", "vocab_size=300", "size=20000")
        for size in SIZES
    ]  # fmt: skip
    assert peaks[1] - peaks[0] < MOST, peaks


@pytest.mark.slow
def test_fine_tuning_on_more_rows_needs_no_more_memory(file, tmp_path, model):
    rows = [file(size, lambda text: {"instruction": text[:20], "input": "", "output": text}) for size in SIZES]
    peaks = [
        peak("sft", str(path), f"output_dir={tmp_path / path.stem}", f"model_name_or_path={model}") for path in rows
    ]
    assert peaks[1] - peaks[0] < MOST, peaks
