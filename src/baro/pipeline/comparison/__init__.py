"""`baro compare`: methods from one SFT model, on the same data, with the same time and the same tuning, over seeds."""
