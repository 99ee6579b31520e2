"""A plain page of headings, charts and tables in both languages, in the look of the report."""

from baro.pipeline.sheet.page import Section, sheet, table

__all__ = ["Section", "sheet", "table"]
