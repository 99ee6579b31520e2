"""Losses, advantages, divergences and selections as pure functions of tensors.

Every function is elementwise or row-wise and returns what it computes without reducing it; the caller sums. Nothing
here knows a model, a tokenizer, a configuration or a file.
"""
