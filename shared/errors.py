"""Every error that a user can understand and act on, and the one table of their codes.

ReadsmithError
├── MalformedError             400  cannot be parsed
├── UnauthenticatedError       401  whose request this is, is not known
├── ForbiddenError             403  known, but not allowed
├── NotFoundError              404  no such thing
│   └── DatasetNotFoundError
├── MethodNotAllowedError      405
├── RequestTimeoutError        408
├── ConflictError              409  what is there does not allow it
│   ├── LabelsChangedError
│   └── BundleError                 a version that must not be served
├── TooLargeError              413
├── UriTooLongError            414
├── UnsupportedMediaError      415  a format or media type that is not read here
├── ExpectationFailedError     417
├── UnusableError              422  parsed, but cannot be used
│   ├── LimitsError                 limits of a text
│   ├── DatasetError                images and labels
│   │   ├── LabelsNotFoundError
│   │   └── TooFewImagesError
│   ├── DownloadError
│   │   └── DownloadFailedError
│   ├── BaseVersionError            the version that training starts from
│   ├── ModelFileError              an h5 from elsewhere
│   └── CorrectionRefusedError
├── BusyError                  429  ask again later
├── HeadersTooLargeError       431
├── TransferCodingError        501
├── UnavailableError           503  something that is needed does not answer
│   ├── StorageError                a disk or an object storage
│   │   └── StorageAwayError
│   └── TrainerAwayError
├── NoRoomError                507  a limit on what is stored
│   └── DiskFullError
├── ImageRejectedError              an image that cannot be read
│   ├── NotAnImageError        400
│   ├── ImageTooLargeError     413
│   ├── ImageFormatError       415
│   └── NoLineError            422
├── FailedError                500  what a job or a command ends with
│   ├── NotLearnedError
│   └── ProcessDiedError
└── SetupError                 500  settings, packages or ports keep a service or command from work

readsmith.client adds ServiceError, which has whatever code a service answers with.
"""

import copyreg
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal, Self

from shared.texts import shown, too_long


class ReadsmithError(Exception):
    """Something a user can understand and act on.

    code: a stable snake_case name for programs, one of the class's `codes`; message: what was
    wrong and where; hint: what would be right; field: the part of a request that is wrong, if one
    is; headers: what an HTTP answer must carry. The texts may quote what came from outside: they
    are stored as they can be shown. Raises TypeError for a code of another class.
    """

    http_status: ClassVar[int] = 500
    codes: ClassVar[Mapping[str, str]] = {}
    """What each code means. A code belongs to one class; subclasses without codes share those
    of their parent."""
    takes_any_code: ClassVar[bool] = False
    """For the client alone: a newer service may answer with a code that is not known here."""

    def __init__(
        self,
        code: str,
        message: str,
        hint: str = "",
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(shown(message, None))
        if code not in self.codes and not self.takes_any_code:
            raise TypeError(f"{type(self).__name__} has no code {code!r}")
        self.code = code
        self.message = shown(message, None)
        self.hint = shown(hint, None)
        self.field = None if field is None else shown(field, None)
        self.headers = headers or {}

    def __str__(self) -> str:
        return self.message

    def without_trace(self) -> Self:
        """Forget where it was raised, and from what.

        A traceback holds on to the variables of every function on the way, often to the error
        itself, too: all of them would stay until a rare garbage collection.
        """
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle without __init__, whose arguments differ between the classes."""
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]


class MalformedError(ReadsmithError):
    """A request that cannot be parsed."""

    http_status = 400
    codes = {
        "bad_request": "The request is not HTTP as it should be.",
        "json_invalid": "The body is not JSON.",
        "form_invalid": "The body is not a form that can be split.",
        "base64_invalid": "A field that holds an image is not base64.",
        "gzip_invalid": "The body is not gzip, as its Content-Encoding says, or not whole.",
        "model_not_named": "The request names no model, and several may be meant.",
    }


class UnauthenticatedError(ReadsmithError):
    """A request without a key that is known."""

    http_status = 401
    codes = {
        "key_missing": "The request carries no API key.",
        "key_invalid": "The API key is not known, or has been revoked.",
        "key_expired": "The API key has expired.",
    }


class ForbiddenError(ReadsmithError):
    """A request that is not allowed."""

    http_status = 403
    codes = {
        "host_not_allowed": "Without API keys the service takes no request with this Host.",
        "origin_not_allowed": "Without API keys the service takes no request with this Origin.",
        "scope_missing": "The API key does not have the scope that the route needs.",
    }


class NotFoundError(ReadsmithError):
    """Something that is not there."""

    http_status = 404
    codes = {
        "not_found": "There is no such route.",
        "model_not_found": "There is no model of this name.",
        "store_not_found": "There is no folder of models where one was named.",
        "version_not_found": "The model has no version of this number, or no longer.",
        "job_not_found": "There is no job of this id.",
        "report_not_found": "The version holds no report.",
        "file_not_found": "There is no file of this name.",
        "image_not_found": "There is no such image, or it is no longer stored.",
        "correction_not_found": "The model has no correction of this id.",
        "key_not_found": "There is no API key of this name.",
        "archive_disabled": "The predictor stores no images.",
    }


class DatasetNotFoundError(NotFoundError):
    """A dataset that is not there."""

    codes = {"dataset_not_found": "There is no dataset of this id, or at this path."}


class MethodNotAllowedError(ReadsmithError):
    """A method that the route does not take."""

    http_status = 405
    codes = {"method_not_allowed": "The route does not take this method."}


class RequestTimeoutError(ReadsmithError):
    """A request that stopped coming."""

    http_status = 408
    codes = {"request_timeout": "The body did not come whole in time."}


class ConflictError(ReadsmithError):
    """Something that what is there does not allow."""

    http_status = 409
    codes = {
        "job_final": "The job has ended.",
        "job_not_training": "Only the training of a running job can be finished.",
        "job_publishing": "The job publishes its version and cannot be cancelled.",
        "job_not_succeeded": "Only a job that has succeeded has a report.",
        "dataset_in_use": "A queued or running job needs the dataset.",
        "dataset_frozen": "The dataset is an upload, whose images and labels never change.",
        "no_earlier_version": "No retained version was served before this one.",
        "version_served": "The version is served, so it is deleted only if that is forced.",
        "no_held_out_images": "Neither version holds images to compare on.",
        "publication_superseded": "A later attempt of the job publishes the version.",
        "model_exists": "There is a model of this name already.",
        "key_exists": "There is an API key of this name already.",
        "target_exists": "The folder to write to exists already.",
        "database_not_empty": "The database to copy to holds jobs already.",
    }


class LabelsChangedError(ConflictError):
    """Labels that somebody else has changed since. images: how they are now, as JSON."""

    codes = {"labels_changed": "Somebody has changed the labels since they were looked at."}

    def __init__(self, message: str, images: Sequence[Mapping[str, object]]) -> None:
        super().__init__("labels_changed", message, "Look at the images again, then decide.")
        self.images = images


BundlePart = Literal["current", "manifest", "files", "graph", "golden", "settings"]
"""Where a bundle, or what leads to it, can be wrong."""


class BundleError(ConflictError):
    """A bundle that must not be served. part: where it is wrong."""

    codes = {"bundle_invalid": "The version is damaged and must not be served."}

    def __init__(self, message: str, part: BundlePart) -> None:
        super().__init__("bundle_invalid", message, "Publish the version again.")
        self.part: BundlePart = part


class TooLargeError(ReadsmithError):
    """A request of which there is too much."""

    http_status = 413
    codes = {
        "body_too_large": "The body is larger than the route takes.",
        "upload_too_large": "The dataset has more bytes than an upload may have.",
        "too_many_images": "The request has more images than one may have.",
        "too_many_parts": "The form has more parts than one may have.",
    }


class UriTooLongError(ReadsmithError):
    """A request line that is too long."""

    http_status = 414
    codes = {"uri_too_long": "The request line is longer than the service takes."}


class UnsupportedMediaError(ReadsmithError):
    """A body of a media type that the route does not take."""

    http_status = 415
    codes = {"unsupported_media_type": "The route does not take this Content-Type."}


class ExpectationFailedError(ReadsmithError):
    """An Expect header that cannot be met."""

    http_status = 417
    codes = {"expectation_failed": "The service knows Expect: 100-continue only."}


class UnusableError(ReadsmithError):
    """A request that can be parsed but not be used."""

    http_status = 422
    codes = {
        "request_invalid": "A field is missing, unknown, or not as it should be.",
        "text_too_long": "A text has more characters than it may.",
        "value_unusable": "The database cannot store a value of the request.",
        "not_exportable": "The version has options that an export would not follow.",
        "idempotency_key_reused": "The Idempotency-Key was used with another body.",
    }


class LimitsError(UnusableError):
    """Limits of a text that cannot be used."""

    codes = {
        "pattern_invalid": "The pattern is not in the syntax that is supported.",
        "pattern_too_large": "The pattern needs too large an automaton.",
        "no_text_fits": "No text that the model could predict fits the limits.",
    }


class DatasetError(UnusableError):
    """A dataset that no model can be trained on."""

    codes = {
        "dataset_not_a_zip": "The dataset is no zip or tar that can be read, or an empty one.",
        "dataset_not_a_tar": "The dataset is not a tar that can be read.",
        "dataset_encrypted": "The zip is encrypted.",
        "dataset_unsafe": "An entry could do harm, or is there twice.",
        "dataset_too_large": "The zip unpacks to more bytes than a dataset may have.",
        "dataset_too_many_files": "The dataset holds more files than it may.",
        "download_too_large": "The download has more bytes than it may have.",
        "sha256_differs": "The download does not have the SHA-256 that the request says.",
        "labels_column": "A column of the label file holds a value that it may not have.",
        "characters_missing": "Labels hold characters that vocabulary leaves out.",
        "labels_ambiguous": "Several files or columns may be the labels: name the right one.",
        "labels_header": "The label file names no columns of images and texts that are known.",
        "labels_not_utf8": "The encoding of the label file is not certain.",
        "labels_too_many": "The label files have more rows than a dataset may have files.",
        "labels_unreadable": "The label file cannot be read.",
        "label_too_long": "Labels have no room in the input's width.",
        "pattern_too_slow": "The regular expression takes too long on the file names.",
        "no_images": "No image can be used.",
    }


class LabelsNotFoundError(DatasetError):
    """A dataset without labels where they are looked for."""

    codes = {"labels_not_found": "No labels are where they are looked for, or names cannot be any."}


class TooFewImagesError(DatasetError):
    """A dataset that holds too little to learn from."""

    codes = {"too_few_images": "Too few images have a usable label."}


class DownloadError(UnusableError):
    """A dataset that cannot be downloaded."""

    codes = {"download_refused": "The address is not one that datasets may come from."}


class DownloadFailedError(DownloadError):
    """A download that was tried and did not succeed."""

    codes = {"download_failed": "The server does not send the dataset."}


class BaseVersionError(UnusableError):
    """A version that training cannot start from."""

    codes = {
        "base_not_found": "The model has no such version to start from.",
        "base_preset_differs": "The base version was made with another preset.",
        "base_image_differs": "The base version takes images of another shape.",
    }


class ModelFileError(UnusableError):
    """A model from elsewhere that cannot be imported."""

    codes = {
        "model_unreadable": "The file is neither an exported version nor a Keras model that loads.",
        "model_not_allowed": "The model has layers that are not allowed.",
        "model_not_inference": "The file does not hold an inference model alone.",
        "model_too_large": "The model has more weights than it may.",
        "model_shape": "The model's input or output has another shape than it must.",
        "model_name_taken": "The name belongs to a model of the package.",
        "vocabulary_invalid": "The vocabulary is not distinct characters.",
        "vocabulary_differs": "The vocabulary has another size than the model's classes.",
    }


class CorrectionRefusedError(UnusableError):
    """A correction that the trainer does not take, now or later."""

    codes = {"correction_refused": "The trainer does not take the correction."}


class BusyError(ReadsmithError):
    """Too much at a time: later it may go."""

    http_status = 429
    codes = {
        "rate_limited": "The API key has used up its requests of this minute.",
        "queue_full": "As many jobs wait as may.",
        "uploads_full": "Uploads that jobs need take all the room there is for them.",
        "busy": "As many requests of this kind are worked on as may.",
    }


class HeadersTooLargeError(ReadsmithError):
    """A request with too many or too long headers."""

    http_status = 431
    codes = {"headers_too_large": "The headers are larger than the service takes."}


class TransferCodingError(ReadsmithError):
    """A body that is sent in a way that is not known here."""

    http_status = 501
    codes = {"transfer_coding_unknown": "The service knows Transfer-Encoding: chunked only."}


class UnavailableError(ReadsmithError):
    """Something that is needed and does not answer now."""

    http_status = 503
    codes = {
        "no_version_served": "The model is there, but no version of it is served.",
        "version_loading": "The predictor is loading another version that a request named.",
        "predictor_unavailable": "The predictor does not answer the trainer.",
        "feedback_disabled": "The predictor does not know where the trainer is.",
        "memory_busy": "Other large requests take the predictor's memory.",
        "predictor_busy": "Other requests that take seconds occupy the predictor.",
        "outbox_full": "As many corrections wait for the trainer as may.",
        "database_unavailable": "The job database cannot be used.",
        "ray_unavailable": "The Ray cluster cannot be reached.",
    }


class StorageError(UnavailableError):
    """A disk or an object storage that cannot be used."""

    codes = {"storage_unavailable": "A disk or an object storage cannot be used."}

    def __init__(self, message: str, hint: str) -> None:
        super().__init__("storage_unavailable", message, hint)


class StorageAwayError(StorageError):
    """An object storage that does not answer, or not as it should: it may do so later."""


class TrainerAwayError(UnavailableError):
    """A trainer that does not answer the predictor."""

    codes = {"trainer_unavailable": "The trainer does not answer the predictor."}


class NoRoomError(ReadsmithError):
    """Something that there is no room to store."""

    http_status = 507
    codes = {
        "corrections_full": "Corrections take all the room there is for them.",
        "datasets_full": "Living datasets, which give way to nothing, leave no room.",
    }


class DiskFullError(NoRoomError):
    """A disk without room."""

    codes = {"disk_full": "The disk is full."}


class ImageRejectedError(ReadsmithError):
    """An image that cannot be read."""


class NotAnImageError(ImageRejectedError):
    """Bytes that are no image, or a damaged one."""

    http_status = 400
    codes = {
        "not_an_image": "The data is no image, or a damaged one.",
        "empty_image": "The image has no bytes.",
    }


class ImageTooLargeError(ImageRejectedError):
    """An image that would take too much to read."""

    http_status = 413
    codes = {"image_too_large": "The image has too many bytes or pixels, or costs too much."}


class ImageFormatError(ImageRejectedError):
    """An image in a format that is not read here."""

    http_status = 415
    codes = {"unsupported_format": "The image is in a format that is not read here."}


class NoLineError(ImageRejectedError):
    """One of several shots, in which no line of text is found; an image alone is answered."""

    http_status = 422
    codes = {"no_line": "No line of text is found in an image that is one of several shots."}


class FailedError(ReadsmithError):
    """What a job or a command ends with; in an HTTP answer an internal error."""

    codes = {
        "internal_error": "Something failed that should not have.",
        "out_of_memory": "Memory ran out.",
        "search_failed": "None of a search's trials learned.",
        "predictions_differ": "The exported model predicts otherwise than in training.",
        "corrections_gone": "The corrections that the job began with are no longer stored.",
        "child_died": "The training process ended without a word.",
        "worker_lost": "The job's worker sent no more heartbeats.",
        "machine_lost": "The machine of the job was lost.",
        "job_cancelled": "The job was cancelled.",
        "not_served": "The predictor does not serve the new version in time.",
        "service_stopped": "A service that `readsmith up` started has stopped.",
        "not_ready": "The services do not answer in time.",
        "unreadable_file": "The file cannot be read.",
        "system_error": "The operating system refused something.",
    }


class NotLearnedError(FailedError):
    """A training run that did not learn."""

    codes = {"did_not_learn": "The model did not learn from the dataset."}


class ProcessDiedError(FailedError):
    """A process that ended without an answer."""

    codes = {"process_died": "A process ended without an answer; memory may have run out."}


class SetupError(ReadsmithError):
    """What must be put right before a service or a command can work."""

    codes = {
        "usage": "The command was not called as it must be.",
        "settings_invalid": "A setting is not valid.",
        "package_missing": "A package is not installed.",
        "anonymous_refused": "Without API keys a service that others can reach does not start.",
        "keys_unreadable": "The file of the API keys cannot be read.",
        "address_unavailable": "The address cannot be listened on.",
        "port_taken": "Another program listens on the port.",
        "store_unusable": "Nothing can be published in the store.",
        "output_unusable": "Nothing can be appended to the file of readings.",
        "database_url_invalid": "The database URL is not valid.",
        "database_newer": "The database was changed by a newer Readsmith.",
    }


def _below(kind: type[ReadsmithError]) -> Iterator[type[ReadsmithError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _below(each)


CODES: Mapping[str, type[ReadsmithError]] = {
    code: kind for kind in _below(ReadsmithError) for code in vars(kind).get("codes", ())
}
"""Every code of the product with its class, which knows the status and the meaning."""

OF_STATUS = {
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "body_too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    417: "expectation_failed",
    431: "headers_too_large",
    501: "transfer_coding_unknown",
}
"""Codes of what a library tells by its HTTP status alone."""


def of_status(
    status: int, message: str, hint: str = "", field: str | None = None
) -> ReadsmithError:
    """Return the error for a failure of which a library tells the HTTP status alone."""
    code = OF_STATUS.get(status, "bad_request" if status < 500 else "internal_error")
    return CODES[code](code, message, hint, field)


def text_too_long(field: str, length: int, most: int) -> UnusableError:
    """Return the error for a text from outside of too many characters: it is not looked into."""
    return UnusableError(
        "text_too_long",
        f"{field} {too_long(length, most)}.",
        f"Send at most {most:,} characters.",
        field,
    )


def first_line(error: Exception) -> str:
    """Return what an error of Keras or h5py says first; they may say much."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return shown(line, 300).rstrip(".")
