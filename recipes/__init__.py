"""Recipes: one readable file each. The directory is the registry."""
