"""The command line, a store and images."""

from tests.support.commands import images, run, store  # noqa: F401 - fixtures
