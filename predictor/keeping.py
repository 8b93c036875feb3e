"""What a worker writes behind the requests' backs, where the settings ask for it."""

from predictor.kept_pictures import KeptPictures
from predictor.outbox import Outbox
from predictor.settings import PredictorSettings
from predictor.trainer_link import TrainerLink


def start_keeping(settings: PredictorSettings) -> tuple[KeptPictures | None, Outbox | None]:
    """Start to keep pictures and to hand over what waits; call it after the fork."""
    kept = outbox = None
    if settings.keep_pictures is not None:
        kept = KeptPictures(settings)
        kept.start()
    if settings.outbox is not None and settings.trainer_url is not None:
        outbox = Outbox(settings.outbox, TrainerLink(settings))
        outbox.start()
    return kept, outbox
