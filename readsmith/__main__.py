"""The `readsmith` command."""

import sys

try:
    from readsmith.commands.app import app
except KeyboardInterrupt:  # Ctrl-C while that is imported
    sys.exit(130)

__all__ = ["app"]

if __name__ == "__main__":
    app()
