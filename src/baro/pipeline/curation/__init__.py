"""`baro data curate` and `baro data ablate`: choose instruction rows, and find out whether the choice was good."""
