"""stable-baselines3 zips as policies: what is in them is weights, or refused; never run."""

import base64
import io
import json
import os
import pickle
import zipfile

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import A2C, DQN, PPO

from pyagent.envs.observation import NAMES
from pyagent.policies import Policy
from pyagent.policies.sb3 import actor_of, isolated_torch
from pyagent.policies.user import PolicyError, load_policy

SPLITS, LAYERS = (1, 16, 32), 32


class Env(gym.Env):
    """Only its spaces matter."""

    def __init__(self, dim=19, actions=3):
        self.observation_space = gym.spaces.Box(0, 1, (dim,), np.float32)
        self.action_space = gym.spaces.Discrete(actions)


def saved(folder, kind=PPO, activation=None, **sizes):
    options = {"net_arch": [24, 16]} | ({} if activation is None else {"activation_fn": activation})
    with isolated_torch():
        model = kind("MlpPolicy", Env(**sizes), seed=1, device="cpu", policy_kwargs=options)
    model.save(folder / "My_Agent.zip")
    return model, folder / "My_Agent.zip"


def rewritten(path, **members):
    """The zip with some members replaced; None leaves one out."""
    with zipfile.ZipFile(path) as archive:
        old = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (old | {name.replace("_pth", ".pth"): d for name, d in members.items()}).items():
            if data is not None:
                archive.writestr(name, data)
    return str(path)


def torch_bytes(thing):
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    return buffer.getvalue()


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize(
    ("kind", "activation"),
    [
        *((kind, None) for kind in (PPO, MaskablePPO, A2C, DQN)),
        (PPO, torch.nn.ReLU),
        (MaskablePPO, torch.nn.LeakyReLU),
        (A2C, torch.nn.ELU),
        (DQN, torch.nn.Tanh),
    ],
)
def test_a_zip_acts_as_its_algorithm_predicts(kind, activation, tmp_path):
    model, path = saved(tmp_path, kind, activation)
    policy = load_policy(str(path))
    policy.prepare(SPLITS, LAYERS)
    assert isinstance(policy, Policy)
    assert (policy.name, policy.source, policy.tunes) == ("my-agent", str(path), False)
    copy = policy.copy()
    copy.reset(0)
    contexts = np.random.default_rng(0).random((40, len(NAMES)), dtype=np.float32)
    expected = [int(model.predict(c, deterministic=True)[0]) for c in contexts]
    assert [actor_of(model).scores(c).argmax() for c in contexts] == expected
    assert [policy.act(c) for c in contexts] == [copy.act(c) for c in contexts] == expected
    assert policy.act(contexts[0], np.array([False, True, False])) == 1


def test_an_unknown_activation_is_refused_by_name(tmp_path):
    model, path = saved(tmp_path, PPO, torch.nn.SiLU)
    with pytest.raises(PolicyError, match=r"activation_fn = SiLU: valid: Tanh, ReLU, ELU, LeakyReLU"):
        load_policy(str(path))
    with pytest.raises(ValueError, match="activation_fn = SiLU"):
        actor_of(model)


def test_a_malicious_data_member_is_never_run(tmp_path):
    _, path = saved(tmp_path)
    mark = tmp_path / "was-run"
    evil = pickle.dumps(Bomb(mark))
    inside = json.dumps({"policy_kwargs": {":serialized:": base64.b64encode(evil).decode()}})
    load_policy(rewritten(path, data=inside, pytorch_variables_pth=evil, policy_optimizer_pth=evil))
    with pytest.raises(PolicyError, match="can't be read as a stable-baselines3 zip"):
        load_policy(rewritten(path, data=evil))
    assert not mark.exists()
    pickle.loads(evil)  # the bomb works
    assert mark.exists()


@pytest.mark.parametrize("legacy", [False, True])
def test_a_malicious_policy_member_is_refused_and_not_run(legacy, tmp_path):
    _, path = saved(tmp_path)
    mark = tmp_path / "was-run"
    evil = pickle.dumps(Bomb(mark)) if legacy else torch_bytes({"action_net.weight": Bomb(mark)})
    with pytest.raises(PolicyError, match="can't be read as a stable-baselines3 zip") as refused:
        load_policy(rewritten(path, policy_pth=evil))
    assert "\n" not in str(refused.value)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("sizes", "what"),
    [
        ({"dim": 7}, "takes 7 observations; valid: 19"),
        ({"actions": 4}, "has 4 actions; valid: 3, for the splits 1, 16, 32"),
    ],
)
def test_networks_for_something_else_are_refused(sizes, what, tmp_path):
    policy = load_policy(str(saved(tmp_path, **sizes)[1]))
    with pytest.raises(PolicyError, match=what):
        policy.prepare(SPLITS, LAYERS)


def _state(**changes):
    state = {"action_net.weight": torch.zeros(3, 19), "action_net.bias": torch.zeros(3)}
    return torch_bytes(state | {key.replace("__", "."): value for key, value in changes.items()})


@pytest.mark.parametrize(
    ("member", "what"),
    [
        (None, "holds no policy.pth"),
        (b"", "can't be read"),
        (b"PK\x03\x04 but no more", "can't be read"),
        (_state()[:-200], "can't be read"),
        (torch_bytes([1, 2]), "no table of tensors"),
        (torch_bytes({}), "the network is empty"),
        (_state(action_net__bias=torch.zeros(4)), r"bias \(4,\) does not follow"),
        (_state(action_net__bias=torch.tensor([0.0, 0.0, float("nan")])), "not finite"),
        (_state(action_net__bias=torch.zeros(3, dtype=torch.int64)), "no dense float32 tensor"),
        (_state(action_net__bias=torch.zeros(3).to_sparse()), "no dense float32 tensor"),
        (_state(action_net__bias="zero"), "no dense float32 tensor"),
        (_state(log_std=torch.zeros(3)), "'log_std' is not of an MlpPolicy"),
        (_state(action_net__bias=torch.zeros(1).expand(10**9)), "more than 64 MiB"),
        (b"0" * (64 * 2**20 + 1), "larger than 64 MiB"),
    ],
    ids=lambda value: "" if not isinstance(value, str) else value[:20],
)
def test_broken_zips_are_refused_in_one_line(member, what, tmp_path):
    _, path = saved(tmp_path)
    with pytest.raises(PolicyError, match=what) as refused:
        load_policy(rewritten(path, policy_pth=member))
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


def test_truncated_and_missing_zips_are_refused(tmp_path):
    _, path = saved(tmp_path)
    whole = path.read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:length])
        # Without its directory the outer zip looks like the one inside, of policy.pth.
        with pytest.raises(PolicyError, match=r"can't be read as|holds no"):
            load_policy(str(path))
    with pytest.raises(PolicyError, match="no such file"):
        load_policy(str(tmp_path / "none.zip"))
