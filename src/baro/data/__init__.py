"""Text → token ids, never a model: records, files, templates, tokenizers, packing and the order of the data."""
