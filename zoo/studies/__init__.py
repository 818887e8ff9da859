"""Claims of attention's founding papers, measured anew: a command, a table, a picture.

A study keeps every finished measurement in its folder and goes on where it stopped.
"""
