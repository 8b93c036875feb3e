"""Many short texts in little memory: a few bytes each beside their letters, no object for each."""

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray


class Texts(Sequence[str]):
    """Texts concatenated in UTF-8. Any str is stored unchanged, even with lone surrogates."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._letters = bytearray()
        self._ends = array("Q", [0])
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        """Append a text."""
        self._letters += text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._letters))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, which: int) -> str: ...
    @overload
    def __getitem__(self, which: slice) -> list[str]: ...
    def __getitem__(self, which: int | slice) -> str | list[str]:
        if isinstance(which, slice):
            return [self[index] for index in range(*which.indices(len(self)))]
        ends = self._ends
        if not 0 <= which < len(ends) - 1:
            which = range(len(self))[which]  # negative ones count from the end; raises IndexError
        return self._letters[ends[which] : ends[which + 1]].decode("utf-8", "surrogatepass")


class TextTable(Mapping[str, str]):
    """Texts by name, in the order of `names`, which must be unique."""

    def __init__(self, names: Texts, texts: Texts) -> None:
        self.names = names
        self.texts = texts
        self._by_name = NameIndex(names)

    def __getitem__(self, name: str) -> str:
        return self.texts[self._by_name.of(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


class NameIndex:
    """The index of each name in a sequence: 16 bytes a name, by sorted hashes."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        hashes = np.fromiter(map(_hash, names), np.uint64, len(names))
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]

    def of(self, name: str) -> int:
        """Return the index of a name; raises KeyError."""
        wanted = np.uint64(_hash(name))
        at = int(np.searchsorted(self._hashes, wanted))
        if at < len(self._hashes) and self._hashes[at] == wanted:
            index = int(self._order[at])
            if self._names[index] == name:
                return index
        raise KeyError(name)

    def repeated(self) -> str | None:
        """Return a name that occurs twice, None if there is none."""
        again = np.flatnonzero(self._hashes[1:] == self._hashes[:-1])
        return self._names[int(self._order[again[0]])] if len(again) else None


def _hash(name: str) -> int:
    letters = name.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(letters, digest_size=8).digest(), "little")


def first_occurrences(digests: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return for each row the index of the first equal row, its own if none comes earlier.

    digests: uint8 (N, 32).
    """
    rows = digests.view(np.uint64)
    _, firsts, groups = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return np.asarray(firsts[groups.ravel()])
