"""Prices and usage into exact cost, in decimal numbers, on paper: nothing here waits, reads a file or a clock."""
