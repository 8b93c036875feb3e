"""Migrate the job database by hand: `python -m trainer.database.migrations`."""

import sys

from shared.errors import ReadsmithError
from trainer.database.schema import newest_revision
from trainer.database.tables import Database
from trainer.settings import load_settings, startup_error


def main() -> None:
    """Bring the database of READSMITH_DATABASE_URL up to date and print its revision."""
    try:
        Database(load_settings().jobs_database).close()
    except (ReadsmithError, OSError) as error:
        sys.exit(startup_error(error))
    sys.stdout.write(f"The job database is at revision {newest_revision()}.\n")


if __name__ == "__main__":
    main()
