"""The report of a run: one self-contained page (`build.write`), its data (`details.Details`), one terminal table."""
