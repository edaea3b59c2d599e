"""The letters of pictures."""

from __future__ import annotations

from itertools import chain

from geowatch.stitch.paper import _BEYOND, font, legend_rows, lettered


def drawn(letter: str) -> bool:
    """Whether the font has it: what it has not is the box of a letter that no font has."""
    letters = font(15)
    return bytes(letters.getmask(letter)) != bytes(letters.getmask("\uffff"))


def test_what_pictures_write_the_font_has():
    assert all(map(drawn, chain(map(chr, range(ord("!"), ord("~") + 1)), _BEYOND)))
    for text in ("Gebäude <b>", "Łódź – São Paulo", "5 m² · ≥ 3 °C", "建物 Błonia\u0301"):
        assert all(drawn(letter) for letter in lettered(text) if letter != " "), text


def test_accents_go_and_words_stay():
    assert lettered("Łódź – Žluťoučký Ærø, straße") == "Lodz - Zlutoucky AEro, strasse"
    assert legend_rows([("Gebäude", "#000000")], 100) == [[(0, "#000000", "Gebaude")]]
