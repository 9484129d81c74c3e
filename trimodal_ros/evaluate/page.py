"""HTML pages from templates beside this file; values are escaped."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_ENVIRONMENT = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True,
                           undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)


def write_page(template: str, path: Path, **values) -> None:
    """Fill ``<template>.html.jinja`` and write it."""
    page = _ENVIRONMENT.get_template(f'{template}.html.jinja').render(**values)
    path.write_text(page, encoding='utf-8')
