"""Speed and memory beside TRL: the same work, data, order and model on both sides, round about.

    python -m bench                             # everything, five rounds, one thread
    python -m bench sft dpo --rounds 3 --size 60m --threads 2

Every side is a process of its own (`worker.py`), so that memory and allocator settings are its own too; only one works
at a time. `world.py` writes the model and the data both sides read.
"""
