"""Rows into figures: percentiles, tables, sheets. Nothing here knows where the rows come from."""
