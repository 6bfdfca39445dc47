"""Texts."""


def clean(text: str, most: int = 200) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def masked(text: str) -> str:
    return text
