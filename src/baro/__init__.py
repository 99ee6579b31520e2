"""baro: from raw text to an aligned assistant, with the evidence of which method did it best."""

__version__ = "0.1.0"
