"""Reads what a service tells Prometheus."""

from prometheus_client.parser import text_string_to_metric_families


def sample(page: str, name: str, **labels: str) -> float:
    """Return the sum of a metric's samples that have these labels; 0 if there are none."""
    return sum(
        each.value
        for family in text_string_to_metric_families(page)
        for each in family.samples
        if each.name == name and labels.items() <= each.labels.items()
    )


def labels_of(page: str, name: str) -> list[dict[str, str]]:
    """Return the labels of each sample of a metric."""
    families = text_string_to_metric_families(page)
    return [each.labels for family in families for each in family.samples if each.name == name]
