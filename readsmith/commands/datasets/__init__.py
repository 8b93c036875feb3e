"""Commands that check and write labelled sets."""
