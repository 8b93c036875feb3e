"""What `readsmith doctor` checks of the Ray cluster, if jobs run on one."""

from collections.abc import Iterator

from readsmith.commands.doctor.finding import Finding, ok, warning


def cluster() -> Iterator[Finding]:
    """Connect to it and count what it has."""
    from trainer.settings import load_settings
    from trainer.workers.executors import require_ray

    settings = load_settings()
    if settings.executor != "ray":
        return
    require_ray()
    from trainer.workers.ray.connection import list_machines
    from trainer.workers.ray.executor import ONE_MACHINE

    machines = list_machines(settings.ray_address)
    cpus, gpus = (sum(getattr(each, kind) for each in machines) for kind in ("cpus", "gpus"))
    message = f"{settings.ray_address}: {len(machines)} machines, {cpus:g} CPUs, {gpus:g} GPUs"
    if not cpus:
        advice = "Start a node: docs/how-to/ray.md says how."
        yield warning("ray", f"{message}: no job can run there", advice)
    else:
        yield ok("ray", message)
    if settings.jobs_database.startswith("sqlite"):
        yield warning("ray", ONE_MACHINE, "Set READSMITH_DATABASE_URL to a PostgreSQL.")
