"""The gallery's pages: index.html for scrolling and searching, a Markdown page per family for reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from opengato.evaluation.gallery.visit import PICTURES, picture_file
from opengato.evaluation.listing import rows
from opengato.evaluation.report.words import number
from opengato.tasks.card import Card, install_command

HERE = Path(__file__).resolve().parent
NO_EDITS = "<!-- made by `opengato gallery`; change the task's card instead -->"


def write_pages(cards: Sequence[Card], facts: Mapping[str, Any], out: Path) -> Path:
    """Write `index.html` and `FAMILY.md` of every family.

    Args:
        cards: the tasks to show, in order.
        facts: per task what `visit` found.
        out: the folder; pictures lie in it.

    Returns:
        The HTML page.
    """
    entries = [
        {**row, **facts[card.id], "card": card, "picture": _picture(out, card.id)}
        for card, row in zip(cards, rows(cards), strict=True)
    ]
    families = {card.family: [e for e in entries if e["family"] == card.family] for card in cards}
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(number=number)
    for family, members in families.items():
        (out / f"{family}.md").write_text(_markdown(family, members), encoding="utf-8")
    page = out / "index.html"
    text = environment.get_template("gallery.html").render(families=families, total=len(entries))
    page.write_text(text, encoding="utf-8")
    return page


def _picture(out: Path, task: str) -> str:
    file = picture_file(out, task)
    return f"{PICTURES}/{file.name}" if file.is_file() else ""


def _markdown(family: str, members: Sequence[dict[str, Any]]) -> str:
    """A family: its bodies with their specs, then its tasks as a table."""
    lines = [NO_EDITS, f"# `{family}`", ""]
    extra = next((entry["extra"] for entry in members if entry["extra"]), None)
    lines += [f"{len(members)} tasks. " + (f"Needs `{install_command(extra)}`." if extra else ""), ""]
    bodies: dict[str, list[dict[str, Any]]] = {}
    for entry in members:
        bodies.setdefault(_body(entry), []).append(entry)
    for body, of in bodies.items():
        first = of[0]
        rate = "" if first["card"].rate_hz is None else f", {first['card'].rate_hz:g} actions a second"
        lines += [f"## {first['card'].embodiment or family}{rate}", ""]
        if body:
            lines += ["| | signal | kind | shape | range | unit |", "|---|---|---|---|---|---|"]
            lines += [_signal("senses", each) for each in first["observation"]]
            lines += [_signal("does", each) for each in first["action"]]
            lines.append("")
        lines += ["| | task | asked | random | demonstrator | published |", "|---|---|---|---|---|---|"]
        lines += [_line(entry) for entry in of]
        lines.append("")
    return "\n".join(lines)


def _body(entry: dict[str, Any]) -> str:
    """Tasks with the same text here are shown under one body."""
    if "failed" in entry:
        return ""
    return f"{entry['card'].embodiment} {entry['card'].rate_hz} {entry['observation']} {entry['action']}"


def _signal(what: str, feature: dict[str, Any]) -> str:
    unit = " ".join(part for part in (feature["unit"], f"({feature['frame']})" if feature["frame"] else "") if part)
    shape = " × ".join(map(str, feature["shape"])) or "1"
    return f"| {what} | `{feature['name']}` | {feature['kind']} | {shape} | {feature['range']} | {unit} |"


def _line(entry: dict[str, Any]) -> str:
    picture = f'<img src="{entry["picture"]}" width="120">' if entry["picture"] else ""
    held = " (held out)" if entry["split"] == "held_out" else ""
    published = entry["published"] or {}
    asked = entry["instruction"].replace("|", "\\|")
    told = number(published.get("expert")) if published.get("expert") is not None else ""
    expert = number(entry["expert"]) if entry["expert"] is not None else ("" if entry["demonstrator"] else "none yet")
    random = number(entry["random"]) if entry["random"] is not None else ""
    return f"| {picture} | `{entry['id']}`{held} | {asked} | {random} | {expert} | {told} |"
