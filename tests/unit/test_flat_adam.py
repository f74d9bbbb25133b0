"""Adam on one buffer is ``torch.optim.Adam`` and ``clip_grad_norm_``, network by network."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch as th
from helpers import settings
from torch import Tensor, nn

from epymarl_cpa.learners.update import Update
from epymarl_cpa.modules.flat_adam import FlatAdam, descend
from epymarl_cpa.modules.followed import Followed, target_pairs
from epymarl_cpa.settings import Settings
from epymarl_cpa.utils.tensor_files import save_tensors

NAMES = ("one", "two", "three")


def networks() -> dict[str, nn.Module]:
    th.manual_seed(3)
    made: dict[str, nn.Module] = {name: nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)) for name in NAMES}
    made["three"] = Followed(made["three"])
    return made


def trained(net: nn.Module) -> list[nn.Parameter]:
    return [param for param in net.parameters() if param.requires_grad]


def update_of(nets: dict[str, nn.Module], waits: bool | None = None, tau: float = 0.1, clip: float = 0.05) -> Update:
    args = settings(Settings, "bc", "xor", f"grad_norm_clip={clip}", f"target_update_interval_or_tau={tau}")
    return Update({name: trained(net) for name, net in nets.items()}, target_pairs(nets.values()), args, 0.01,
                  waits=waits)


def loss_at(nets: dict[str, nn.Module], k: int) -> Tensor:
    """Small and large gradients; network two has none for a while, and then some in its last layer only."""
    x = th.randn(6, 5, generator=th.Generator().manual_seed(k))
    total: Tensor = (nets["one"](x) - k / 100).square().sum() + 1e-4 * nets["three"](x).sum()
    if 50 <= k % 150 < 100:
        total = total + nets["two"](x).square().mean()
    elif k % 150 >= 100:
        layers = nets["two"]
        assert isinstance(layers, nn.Sequential)
        total = total + layers[2](th.tanh(layers[0](x).detach())).square().mean()
    return total


def literally(nets: dict[str, nn.Module], updates: Iterable[int]) -> list[dict[str, Tensor]]:
    """What is claimed, by torch's own parts."""
    optimisers = {name: th.optim.Adam(trained(net), lr=0.01) for name, net in nets.items()}
    norms = []
    for k in updates:
        for optimiser in optimisers.values():
            optimiser.zero_grad()
            optimiser.param_groups[0]["lr"] = 0.01 / (1 + k)
        loss_at(nets, k).backward()  # type: ignore[no-untyped-call]
        norms.append({name: nn.utils.clip_grad_norm_(trained(net), 0.05) for name, net in nets.items()})
        for optimiser in optimisers.values():
            optimiser.step()
        with th.no_grad():
            for target, online in target_pairs(nets.values()):
                target.lerp_(online, 0.1)
    return norms


def state_of(nets: dict[str, nn.Module]) -> Tensor:
    return th.cat([param.detach().flatten() for net in nets.values() for param in net.parameters()])


@pytest.mark.parametrize("waits", [True, False])
def test_hundreds_of_updates_are_those_of_torch(waits: bool) -> None:
    ours, theirs = networks(), networks()
    expected = literally(theirs, range(400))
    update = update_of(ours, waits)
    for k in range(400):
        norms = update(loss_at(ours, k), 0.01 / (1 + k), lambda norms: None)
        for name, norm in expected[k].items():
            assert float(norms[name]) == pytest.approx(float(norm), rel=1e-4, abs=1e-7)
    assert th.allclose(state_of(ours), state_of(theirs), atol=2e-6)
    assert not th.allclose(state_of(ours), state_of(networks()), atol=1e-2)


def test_a_network_without_a_gradient_is_left_alone() -> None:
    nets = networks()
    update = update_of(nets)
    update(loss_at(nets, 60), 0.1, lambda norms: None)  # all have gradients
    before, state = state_of({"two": nets["two"]}), update.state_dict()["optimisers"]["two"]["state"]
    norms = update(loss_at(nets, 0), 0.1, lambda norms: None)
    assert float(norms["two"]) == 0.0
    assert th.equal(before, state_of({"two": nets["two"]}))
    after = update.state_dict()["optimisers"]["two"]["state"]
    assert all(th.equal(state[i][key], after[i][key]) for i in state for key in ("step", "exp_avg", "exp_avg_sq"))
    update(loss_at(nets, 110), 0.1, lambda norms: None)  # the last layer alone
    steps = [int(each["step"]) for each in update.state_dict()["optimisers"]["two"]["state"].values()]
    assert steps == [1, 1, 2, 2]


def test_what_is_frozen_later_stands_still() -> None:
    nets = networks()
    update = update_of(nets)
    update(loss_at(nets, 60), 0.1, lambda norms: None)
    nets["two"].requires_grad_(False)
    before = state_of({"two": nets["two"]})
    update(loss_at(nets, 60), 0.1, lambda norms: None)
    assert th.equal(before, state_of({"two": nets["two"]}))


@pytest.mark.parametrize("change", [
    lambda nets: [net.double().float() for net in nets.values()],  # as a move to a device and back
    lambda nets: [net.load_state_dict(copy.deepcopy(net.state_dict())) for net in nets.values()],
    lambda nets: [setattr(param, "data", param.data.clone()) for param in nets["three"].parameters()]])
def test_networks_may_be_moved_and_loaded_between_updates(change: Callable[[dict[str, nn.Module]], Any]) -> None:
    still, moved = networks(), networks()
    one, other = update_of(still), update_of(moved)
    for k in range(60, 66):
        change(moved)
        for nets, update in ((still, one), (moved, other)):
            update(loss_at(nets, k), 0.1, lambda norms: None)
    assert th.equal(state_of(still), state_of(moved))


def test_what_goes_on_has_the_same_bits(tmp_path: Path) -> None:
    straight, first = networks(), networks()
    updates = update_of(straight), update_of(first)
    for k in range(40, 120):
        updates[0](loss_at(straight, k), 0.1, lambda norms: None)
    for k in range(40, 77):
        updates[1](loss_at(first, k), 0.1, lambda norms: None)
    save_tensors({"nets": [net.state_dict() for net in first.values()], **updates[1].state_dict()}, tmp_path / "x.th")
    saved = th.load(tmp_path / "x.th", weights_only=True)
    second = networks()
    for net, state in zip(second.values(), saved["nets"], strict=True):
        net.load_state_dict(state)
    again = update_of(second)
    again.load_state_dict(saved)
    assert again.state_dict()["optimisers"]["one"]["param_groups"] == saved["optimisers"]["one"]["param_groups"]
    for k in range(77, 120):
        again(loss_at(second, k), 0.1, lambda norms: None)
    assert th.equal(state_of(straight), state_of(second))
    assert again.count == 80


def test_parameters_lie_where_they_lay_when_it_goes_on() -> None:
    """In the buffers after the first update, where they were made before: products have other last bits elsewhere."""
    def in_buffers(nets: dict[str, nn.Module]) -> list[bool]:
        return [param.untyped_storage().nbytes() > param.nbytes for net in nets.values() for param in net.parameters()]

    first = networks()
    update = update_of(first)
    for count in range(2):
        again = networks()
        for net, other in zip(again.values(), first.values(), strict=True):
            net.load_state_dict(other.state_dict())
        update_of(again).load_state_dict(update.state_dict())
        assert in_buffers(again) == in_buffers(first) == [bool(count)] * 16
        update(loss_at(first, 60), 0.1, lambda norms: None)


def test_states_are_read_as_torch_writes_them_and_the_other_way_round() -> None:
    ours, theirs = networks(), networks()
    optimiser = th.optim.Adam(trained(theirs["one"]), lr=0.1, fused=True)
    update = update_of({"one": ours["one"]}, clip=1e6)
    for k in range(3):
        theirs["one"].zero_grad()
        theirs["one"](th.ones(1, 5) * k).sum().backward()
        optimiser.step()
    ours["one"].load_state_dict(theirs["one"].state_dict())
    update.load_state_dict({"optimisers": {"one": optimiser.state_dict()}, "updates": 3})
    update(ours["one"](th.ones(1, 5)).sum(), 0.1, lambda norms: None)
    told = update.state_dict()["optimisers"]["one"]
    assert told["param_groups"][0].keys() == optimiser.state_dict()["param_groups"][0].keys()
    assert told["param_groups"][0]["lr"] == 0.1
    theirs["one"].zero_grad()
    theirs["one"](th.ones(1, 5)).sum().backward()
    optimiser.step()
    assert th.allclose(state_of({"one": ours["one"]}), state_of({"one": theirs["one"]}), atol=1e-6)
    optimiser.load_state_dict(told)
    assert [int(each["step"]) for each in optimiser.state_dict()["state"].values()] == [4] * 4


def test_a_file_holds_what_is_saved_and_no_more(tmp_path: Path) -> None:
    big = th.randn(100_000)
    save_tensors({"a": big[:10], "b": [big[:10], (big[5:7],)]}, tmp_path / "x.th")
    assert (tmp_path / "x.th").stat().st_size < 5000
    back = th.load(tmp_path / "x.th", weights_only=True)
    assert th.equal(back["a"], big[:10])
    assert th.equal(back["b"][1][0], big[5:7])
    assert back["a"].data_ptr() == back["b"][0].data_ptr()  # once, as before


def test_what_is_shared_is_trained_once() -> None:
    shared = nn.Linear(2, 1)
    args = settings(Settings, "bc", "xor", "grad_norm_clip=1000")
    before = shared.bias.detach().clone()
    update = Update({"a": [*shared.parameters()], "b": [*shared.parameters()]}, [], args, 0.1)
    update(shared(th.ones(1, 2)).sum(), 0.1, lambda norms: None)
    assert th.allclose(shared.bias, before - 0.1, atol=1e-6)
    assert update.state_dict()["optimisers"].keys() == {"a"}


def test_nothing_changes_from_the_first_number_that_is_not_finite() -> None:
    nets = networks()
    update = update_of(nets, waits=False)
    for k in range(3):
        update(loss_at(nets, k), 0.1, lambda norms: None)
    assert update.diverged() is None
    before = state_of(nets)
    update(loss_at(nets, 3) * float("nan"), 0.1, lambda norms: None)
    update(loss_at(nets, 4), 0.1, lambda norms: None)
    assert update.diverged() == 3
    assert th.equal(before, state_of(nets))
    state = update.state_dict()
    assert state["updates"] == update.count == 3
    assert {float(each["step"]) for adam in state["optimisers"].values() for each in adam["state"].values()} == {3.0}


def test_seeds_are_clipped_one_by_one() -> None:
    start = th.randn(3, 4, 2, generator=th.Generator().manual_seed(0))
    goal = th.tensor([0.01, 1.0, 100.0]).view(3, 1, 1)
    args = settings(Settings, "bc", "xor", "grad_norm_clip=0.5")

    def learned(stacked: bool) -> Tensor:
        each = [start.clone().requires_grad_()] if stacked else [one.clone().requires_grad_() for one in start]
        for part, aim in zip(each, [goal] if stacked else goal, strict=True):
            update = Update({"x": [part]}, [], args, 0.1, seeds=3 if stacked else 0)
            for _ in range(20):
                loss = ((part - aim) * aim).square()
                update(loss.flatten(1).sum(1) if stacked else loss.sum(), 0.1, lambda norms: None)
        return each[0].detach() if stacked else th.stack([part.detach() for part in each])

    assert th.allclose(learned(True), learned(False), atol=1e-6)


def test_single_networks_go_down_their_loss() -> None:
    x = nn.Parameter(th.tensor([3.0, -2.0]))
    y = copy.deepcopy(x)
    network, theirs = FlatAdam([x]), th.optim.Adam([y], lr=0.1)
    for _ in range(30):
        descend(network, x.square().sum(), 0.1)
        theirs.zero_grad()
        y.square().sum().backward()  # type: ignore[no-untyped-call]
        theirs.step()
    assert th.allclose(x, y, atol=1e-6)
