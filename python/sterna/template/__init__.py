"""Renders the chat template of a model file: a Jinja program by a stranger, run without Python's means."""
