"""How soon an answer begins, and what 32 streams at once cost: `baro serve` on a model of its own, random weights.

    python -m bench.talk [WEIGHTS]

Prints the time from sending a question to the first text (one talker at a time), then of 32 streams begun together the
same, tokens a second of all, and errors.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import openai

TEXT = "the cat sat on the red hat and told a long story about rain, bread and two small boats"
ASK = [{"role": "user", "content": f"Tell me a story about {TEXT}."}]
STREAMS, TOKENS = 32, 64


def model_in(folder: Path, weights: int) -> None:
    """An untrained model with a tokenizer of 8,192 tokens."""
    from baro.data.tokenizer import train_bpe
    from baro.models import create, load

    texts = [f"{TEXT[n % 60 :]} word{n} {TEXT[: n % 40]}" for n in range(4000)]
    tokenizer = train_bpe(texts, 8192)
    model = create.language_model(weights, tokenizer, max_length=1024, seed=0, device="cpu", dtype="float32")
    load.save(model, tokenizer, folder)


def begun(client: openai.OpenAI) -> tuple[float, int]:
    """Seconds to the first text, and pieces of text in all."""
    start, first, pieces = time.monotonic(), 0.0, 0
    stream = client.chat.completions.create(model="model", messages=ASK, max_tokens=TOKENS, stream=True)
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            first, pieces = first or time.monotonic() - start, pieces + 1
    return first, pieces


def together(client: openai.OpenAI) -> None:
    """STREAMS at once."""
    found, errors = list[tuple[float, int]](), list[str]()

    def one() -> None:
        try:
            found.append(begun(client))
        except Exception as error:
            errors.append(repr(error))

    threads = [threading.Thread(target=one) for _ in range(STREAMS)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, firsts = time.monotonic() - start, sorted(first for first, _ in found)
    print(
        f"{STREAMS} streams at once: first text median {statistics.median(firsts) * 1000:.0f} ms, last "
        f"{firsts[-1] * 1000:.0f} ms; {sum(pieces for _, pieces in found) / seconds:.0f} pieces a second; "
        f"{len(errors)} errors {errors[:2]}"
    )


def main(weights: int) -> None:
    """Make the model, serve it, ask, print."""
    with tempfile.TemporaryDirectory() as folder:
        model_in(Path(folder) / "model", weights)
        words = [sys.executable, "-u", "-m", "baro", "serve", "model", "--port", "0"]
        server = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        found = next(m for m in (re.search(r"base_url (\S+), api_key (\S+)", line) for line in server.stdout) if m)
        client = openai.OpenAI(base_url=found[1], api_key=found[2], max_retries=0, timeout=120)
        very_first = begun(client)[0]
        times = sorted(begun(client)[0] for _ in range(30))
        at = [times[int(share * (len(times) - 1))] * 1000 for share in (0.5, 0.95)]
        print(
            f"{weights:,} weights: first text of an answer median {at[0]:.0f} ms, 95 % {at[1]:.0f} ms; "
            f"of the first answer of all {very_first * 1000:.0f} ms"
        )
        together(client)
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 7_000_000)
