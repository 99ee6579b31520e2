"""`baro annotate` from its options to the printed links."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from baro.core.errors import ConfigError, DataError
from baro.data.choices.engine import shown
from baro.data.choices.sources import read_pairs
from baro.data.choices.store import Store
from baro.data.read import read_prompts
from baro.web import start
from baro.web.annotate.site import OWNER, Work, site
from baro.web.annotate.words import TAGS

FIRST_TRY = "For a first try: baro playground export world && baro annotate world/preferences.jsonl"
USUAL_MODEL = Path("runs/quickstart/sft")


@dataclass(frozen=True)
class Options:
    """What the command line said; meanings are in its help."""

    files: tuple[Path, ...] = ()
    model: tuple[str, ...] = ()
    prompts: tuple[Path, ...] = ()
    db: str = "choices.db"
    annotators: tuple[str, ...] = ()
    order: Literal["random", "active"] = "random"
    reward_model: tuple[str, ...] = ()
    overlap: float = 0.2
    repeat: float = 0.1
    tags: tuple[str, ...] = TAGS
    guideline: Path | None = None
    temperature: float = 1.0
    max_new_tokens: int = 256
    seed: int = 0
    lang: str | None = None
    host: str = "127.0.0.1"
    port: int = 0
    allow_host: tuple[str, ...] = ()


def annotate(options: Options, say: Callable[[str], None]) -> None:
    """Read, open, serve until stopped.

    Raises:
        ConfigError: options contradict each other; all problems at once.
    """
    check(options)
    pairs, described = read_pairs(options.files) if options.files else ([], "")
    prompts = read_prompts(options.prompts).rows if options.prompts else []
    address = start.bind(options.host, options.port, options.allow_host)
    store = Store(options.db)
    for name in options.annotators:
        store.join(name)
    if options.guideline:
        store.set("guideline", options.guideline.read_text(encoding="utf-8"))
    places = None
    if options.order == "active":
        from baro.web.annotate.doubt import by_models

        places = by_models(options.reward_model)
    new = store.add(pairs, shared=options.overlap)
    if pairs:
        say(f"{described}; {new:,} new in {shown(options.db)}")
    if places and (known := store.all_pairs()):
        say(f"scoring {len(known):,} pairs with {', '.join(options.reward_model)} …")
        store.reorder(dict(zip(known, places(list(known.values())), strict=True)))
    sampler = None
    if options.model:
        from baro.web.annotate.live import Sampler

        sampling = {"temperature": options.temperature, "max_new_tokens": options.max_new_tokens, "seed": options.seed}
        sampler = Sampler(store, options.model, prompts, shared=options.overlap, placed=places, **sampling)
        sampler.start()
    elif not store.all_pairs():
        raise DataError("the store holds no pairs.", where=shown(options.db), hint=FIRST_TRY)
    work = Work(store, options.repeat, options.tags, command(options), sampler.state if sampler else None)
    app = site(work, address.access({}), options.lang, address.home)
    try:
        start.run(app, address, lambda: _greet(options, store, address, say))
    finally:
        if sampler:
            sampler.stop()
        kept = len(store.kept())
        store.close()
        say(f"{kept:,} choices in {shown(options.db)}")


def check(options: Options) -> None:
    """Refuse options that make no sense, before anything is read or opened."""
    problems = []

    def expect(fine: bool, where: str, message: str, hint: str = "") -> None:
        if not fine:
            problems.append(ConfigError(message, where=where, hint=hint))

    fresh = not (options.files or options.model or "://" in options.db or Path(options.db).exists())
    expect(not fresh, "annotate", "there is nothing to compare.", f"Give a file, or --model and --prompts. {FIRST_TRY}")
    expect(len(options.model) <= 2, "--model", f"{len(options.model)} models; expected one or two.")
    expect(bool(options.model) == bool(options.prompts), "--model", "--model and --prompts are given together.")
    missing = [str(path) for path in options.prompts if not path.exists()]
    expect(not missing, "--prompts", f"no such file: {', '.join(missing)}.")
    active = options.order == "active"
    expect(active == bool(options.reward_model), "--order", "active needs --reward-model, and only active uses it.")
    for name, value in (("--overlap", options.overlap), ("--repeat", options.repeat)):
        expect(0 <= value <= 1, name, f"{value} is no share; expected 0 to 1.")
    alone = len(options.model) == 1 and options.temperature == 0
    expect(
        not alone, "--temperature", "a single model at 0 answers twice the same.", "Give two models, or more than 0."
    )
    expect(OWNER not in options.annotators, "--annotators", f"{OWNER!r} is the name of the owner's own link.")
    if options.guideline and not options.guideline.is_file():
        expect(False, "--guideline", f"no such file: {options.guideline}.")
    if problems:
        raise ConfigError.gather(problems)


def command(options: Options) -> str:
    """The command that trains a reward model on the store; for a server's database, what to export first."""
    model = options.model[0] if options.model else str(USUAL_MODEL) if USUAL_MODEL.is_dir() else "MODEL"
    data, before = options.db, ""
    if "://" in options.db:
        data, before = "choices.jsonl", "baro annotate export --db URL --out choices.jsonl && "
    words = [f"dataset={data}", f"model_name_or_path={model}", "output_dir=runs/reward"]
    return before + "baro reward " + " ".join(map(shlex.quote, words))


def _greet(options: Options, store: Store, address: start.Address, say: Callable[[str], None]) -> None:
    say("\nOpen in a browser:  " + address.link(store.token(OWNER)))
    for name in store.people():
        if name != OWNER:
            say(f"{name}:  " + address.link(store.token(name)))
    say(f"\nEvery choice is kept in {shown(options.db)} at once. Ctrl-C stops; the same command goes on.")
