"""A model that has learnt a few sentences, and a real server on a free port."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

COLOURS = {"cat": "red", "dog": "blue", "hat": "green", "cup": "black"}
CONTEXT = 128


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """The folder of a model of 60,000 weights that says what colour things have, in English and Korean."""
    import torch

    from baro.data.packing import micro_batches
    from baro.data.records import Dialogue, Message
    from baro.data.templates import render_all
    from baro.data.tokenizer import train_bpe
    from baro.models import create, load
    from baro.models.forward import token_log_probs

    torch.manual_seed(0)
    rows = [
        Dialogue(
            (Message("user", f"Colour of the {thing}?"), Message("assistant", f"The {thing} is {colour}, 친구야."))
        )
        for thing, colour in COLOURS.items()
    ]
    tokenizer = train_bpe([turn.content for row in rows for turn in row.messages] * 8, 330)
    model = create.language_model(60_000, tokenizer, max_length=CONTEXT, seed=0, device="cpu", dtype="float32")
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    batches = micro_batches(render_all(tokenizer, rows, learn="all"), max_sequences=8)
    for _ in range(60):
        for batch in batches:
            optimiser.zero_grad()
            (-token_log_probs(model, batch).mean()).backward()
            optimiser.step()
    folder = tmp_path_factory.mktemp("model") / "tiny"
    load.save(model, tokenizer, folder)
    return folder


@pytest.fixture(scope="session")
def served():
    """(access → application, **limits of the guard) → the address of a server that runs it; its token is "secret"."""
    import uvicorn

    from baro.web import start

    @contextlib.contextmanager
    def serve(build, **limits) -> Iterator[start.Address]:
        address = start.bind()
        config = uvicorn.Config(build(address.access({"secret": "owner"}, **limits)), log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [address.socket]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield address
        server.should_exit = True
        thread.join(10)

    return serve
