"""The only place that runs a language model: loading, making, training passes and sampling.

`load` and `create` give transformers models; `forward` says what they think of packed tokens; `sample` lets them speak.
"""
