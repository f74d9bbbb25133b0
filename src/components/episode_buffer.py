"""Batches of episodes with EPyMARL's meaning: named tensors ``[B, T + 1, ...]`` and a ``filled`` mask.

An episode of L steps fills L + 1 entries, the last of which holds its final state; ``reward`` and
``terminated`` are meaningful at the first L.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch as th
from numpy.typing import NDArray
from torch import Tensor

from ..errors import UserError
from .transforms import OneHot

Scheme = Mapping[str, Mapping[str, Any]]
Preprocess = Mapping[str, tuple[str, list[OneHot]]]
Index = slice | int | list[int] | Tensor | NDArray[np.int64]


class EpisodeBatch:
    """B episodes of up to ``max_seq_length`` entries, as a dictionary of tensors.

    ``batch["reward"]`` is the tensor; ``batch[rows]`` and ``batch[rows, times]`` are sub-batches;
    ``batch["state", "actions"]`` keeps those keys only.  Integers and slices give views, lists and
    arrays of rows (or a mask of all rows) copies; times are an integer or a slice.

    Args:
        scheme: for each key ``vshape`` (int or tuple) and optionally ``group``, ``dtype`` and
            ``episode_const``; a key with group g has an extra axis of ``groups[g]`` entries.
        groups: sizes of the groups, e.g. ``{"agents": N}``.
        batch_size, max_seq_length: B and T + 1.
        data: tensors to use instead of zeros (for sub-batches and data sets).
        preprocess: ``{key: (new_key, [transforms])}``, applied whenever ``key`` is written.
        device: where the tensors live.

    Attributes:
        place: the numbers ``[B]`` of these episodes among the recorded ones, if they are known.

    Raises:
        KeyError: a key is read or written that the batch does not hold.
        ValueError: a value does not fit the key's shape.
        IndexError: times are not contiguous.
    """

    def __init__(self, scheme: Scheme, groups: Mapping[str, int], batch_size: int, max_seq_length: int,
                 data: SimpleNamespace | None = None, preprocess: Preprocess | None = None,
                 device: str | th.device = "cpu") -> None:
        self.scheme: dict[str, dict[str, Any]] = {key: dict(entry) for key, entry in scheme.items()}
        self.groups = dict(groups)
        self.batch_size, self.max_seq_length = batch_size, max_seq_length
        self.preprocess = dict(preprocess or {})
        self.device = device
        self.place: Tensor | None = None
        for key, (new_key, transforms) in self.preprocess.items():
            vshape, dtype = _vshape(self.scheme[key]), self.scheme[key].get("dtype", th.float32)
            for transform in transforms:
                vshape, dtype = transform.infer_output_info(vshape, dtype)
            self.scheme[new_key] = {**self.scheme[key], "vshape": vshape, "dtype": dtype}
        if data is None or "filled" in data.transition_data:
            self.scheme.setdefault("filled", {"vshape": (1,), "dtype": th.long})
        if data is not None:
            self.data = data
            return
        self.data = SimpleNamespace(transition_data={}, episode_data={})
        for key, entry in self.scheme.items():
            shape = (groups[entry["group"]], *_vshape(entry)) if "group" in entry else _vshape(entry)
            const = entry.get("episode_const", False)
            lead = (batch_size,) if const else (batch_size, max_seq_length)
            store = self.data.episode_data if const else self.data.transition_data
            store[key] = th.zeros(*lead, *shape, dtype=entry.get("dtype", th.float32), device=device)

    def to(self, device: str | th.device) -> None:
        """Moves all tensors to ``device``, in place."""
        for store in (self.data.transition_data, self.data.episode_data):
            for key, value in store.items():
                store[key] = value.to(device)
        self.device = device

    def update(self, data: Mapping[str, Any], bs: Index = slice(None), ts: Index = slice(None),
               mark_filled: bool = True) -> None:
        """Writes values for the episodes ``bs`` and times ``ts``; lists and arrays are converted.

        Transition keys are written at ``[bs, ts]``, episode constants at ``[bs]``.  The first
        transition key written marks the entries as filled unless ``mark_filled`` is false.
        """
        rows, times = _rows(bs), _times(ts)
        for key, value in data.items():
            target = self[key]
            const = key in self.data.episode_data
            where = (rows,) if const else (rows, times)
            if mark_filled and not const:
                self.data.transition_data["filled"][where] = 1
                mark_filled = False
            place = target[where]
            # A copy: arrays may be read-only views, which tensors must not share.
            tensor = value if isinstance(value, Tensor) else th.from_numpy(np.array(value))
            tensor = tensor.to(device=self.device, dtype=target.dtype)
            if _long_axes(tensor) != _long_axes(place):  # an equal number of values could be a transposed one
                raise ValueError(f"a value of shape {tuple(tensor.shape)} does not fit '{key}' {tuple(place.shape)}")
            target[where] = tensor.reshape(place.shape)
            if key in self.preprocess:
                new_key, transforms = self.preprocess[key]
                made = target[where]
                for transform in transforms:
                    made = transform.transform(made)
                self[new_key][where] = made

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, str):
            for store in (self.data.transition_data, self.data.episode_data):
                if item in store:
                    return store[item]
            raise KeyError(f"{item} not found in transition or episode data")
        if isinstance(item, tuple) and item and all(isinstance(key, str) for key in item):
            for key in item:
                self[key]  # an unknown key is an error
            data = SimpleNamespace(
                transition_data={k: v for k, v in self.data.transition_data.items() if k in item},
                episode_data={k: v for k, v in self.data.episode_data.items() if k in item})
            scheme = {key: self.scheme[key] for key in item}
            return EpisodeBatch(scheme, self.groups, self.batch_size, self.max_seq_length, data, device=self.device)
        rows, times = item if isinstance(item, tuple) else (item, slice(None))
        rows, times = _rows(rows), _times(times)
        data = SimpleNamespace(transition_data={k: v[rows, times] for k, v in self.data.transition_data.items()},
                               episode_data={k: v[rows] for k, v in self.data.episode_data.items()})
        return EpisodeBatch(self.scheme, self.groups, _length(rows, self.batch_size),
                            _length(times, self.max_seq_length), data, self.preprocess, self.device)

    def max_t_filled(self) -> int:
        """Number of entries of the longest episode in the batch."""
        return int(self.data.transition_data["filled"].sum(1).max().item())

    def __repr__(self) -> str:
        return f"{type(self).__name__}([{self.batch_size}, {self.max_seq_length}, ...], {', '.join(self.scheme)})"


class ReplayBuffer(EpisodeBatch):
    """A ring of ``buffer_size`` episodes that forgets the oldest.

    Args:
        scheme, groups, preprocess, device: as for :class:`EpisodeBatch`.
        buffer_size: number of episodes kept.
        max_seq_length: T + 1.
        seed: decides which episodes :meth:`sample` draws.
    """

    def __init__(self, scheme: Scheme, groups: Mapping[str, int], buffer_size: int, max_seq_length: int,
                 preprocess: Preprocess | None = None, device: str | th.device = "cpu", seed: int = 0) -> None:
        super().__init__(scheme, groups, buffer_size, max_seq_length, preprocess=preprocess, device=device)
        self.buffer_size, self.buffer_index, self.episodes_in_buffer = buffer_size, 0, 0
        self.rng = np.random.default_rng([seed, 2])

    def insert_episode_batch(self, ep_batch: EpisodeBatch) -> None:
        """Copies the episodes in, overwriting the oldest; entries after a shorter batch become unfilled."""
        start = 0
        while start < ep_batch.batch_size:
            count = min(ep_batch.batch_size - start, self.buffer_size - self.buffer_index)
            place = slice(self.buffer_index, self.buffer_index + count)
            for value in self.data.transition_data.values():
                value[place, ep_batch.max_seq_length:] = 0
            part = ep_batch[start:start + count].data
            self.update(part.transition_data, place, slice(ep_batch.max_seq_length), mark_filled=False)
            self.update(part.episode_data, place)
            self.buffer_index += count
            self.episodes_in_buffer = max(self.episodes_in_buffer, self.buffer_index)
            self.buffer_index %= self.buffer_size
            start += count

    def can_sample(self, batch_size: int) -> bool:
        return self.episodes_in_buffer >= batch_size

    def sample(self, batch_size: int) -> EpisodeBatch:
        """Different episodes, uniformly; a view of the whole buffer where it holds just ``batch_size``.

        Raises:
            ValueError: the buffer holds fewer episodes.
        """
        if not self.can_sample(batch_size):
            raise ValueError(f"the buffer holds {self.episodes_in_buffer} episodes, {batch_size} were asked for")
        if self.episodes_in_buffer == batch_size:
            return self[:batch_size]  # type: ignore[no-any-return]
        rows = self.rng.choice(self.episodes_in_buffer, batch_size, replace=False)
        return self[rows]  # type: ignore[no-any-return]

    def state_dict(self) -> dict[str, Any]:
        """Episodes, place of the next one, and generator."""
        held = self[: self.episodes_in_buffer].data
        return {"transition_data": {key: value.clone() for key, value in held.transition_data.items()},
                "episode_data": {key: value.clone() for key, value in held.episode_data.items()},
                "buffer_size": self.buffer_size, "buffer_index": self.buffer_index, "rng": self.rng.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up a state written by :meth:`state_dict`.

        Raises:
            UserError: it is that of a buffer of another size.
            ValueError: the next place is none.
        """
        if state["buffer_size"] != self.buffer_size:
            raise UserError(f"the checkpoint's replay buffer has buffer_size={state['buffer_size']}, "
                            f"but this run has buffer_size={self.buffer_size}.")
        self.episodes_in_buffer = len(state["transition_data"]["filled"])
        held = slice(self.episodes_in_buffer)
        self.update(state["transition_data"], held, mark_filled=False)
        self.update(state["episode_data"], held)
        if type(state["buffer_index"]) is not int or not 0 <= state["buffer_index"] < max(1, self.buffer_size):
            raise ValueError("'buffer_index' is no place in the buffer")
        self.buffer_index, self.rng.bit_generator.state = state["buffer_index"], state["rng"]


def _vshape(entry: Mapping[str, Any]) -> tuple[int, ...]:
    vshape = entry["vshape"]
    return (vshape,) if isinstance(vshape, int) else tuple(vshape)


def _rows(index: Any) -> Any:
    """Integers become slices of length one, so that no axis is ever lost; lists and masks become tensors of rows."""
    if isinstance(index, slice):
        return index
    if isinstance(index, int | np.integer):
        return slice(int(index), int(index) + 1 or None)
    rows = th.as_tensor(index if isinstance(index, Tensor) else np.asarray(index))
    return rows.nonzero()[:, 0] if rows.dtype == th.bool else rows.long()


def _times(index: Any) -> slice:
    if not isinstance(index, slice | int | np.integer):
        raise IndexError("times must be an integer or a slice: they are contiguous in an episode")
    times: slice = _rows(index)
    return times


def _length(index: Any, size: int) -> int:
    return len(range(*index.indices(size))) if isinstance(index, slice) else len(index)


def _long_axes(tensor: Tensor) -> list[int]:
    """The shape without axes of length one."""
    return [size for size in tensor.shape if size != 1]
