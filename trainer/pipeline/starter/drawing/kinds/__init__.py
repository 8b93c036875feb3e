"""The kinds of lines: each a function from chance and fonts to a text and a scene."""
