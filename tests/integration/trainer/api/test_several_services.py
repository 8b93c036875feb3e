from pathlib import Path

from tests.support.services.postgresql import Server, needs_postgresql
from tests.support.services.several_services import run_jobs


@needs_postgresql
def test_two_trainers_and_three_workers_share_the_jobs_of_one_postgresql(
    postgresql: Server, tmp_path: Path
) -> None:
    run_jobs(tmp_path, postgresql.new_database(), count=9)
