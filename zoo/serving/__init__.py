"""From an export to its answers, without the code that made it."""
