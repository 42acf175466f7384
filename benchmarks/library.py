"""In which way to train one choice alone in a trained parent, so that what choices change adds up best.

Four ways, each choice of each point alone, with two seeds:

- `whole`: the whole network, an epoch.
- `around`: the operator and its neighbours, four modules with parameters on each side; all else stays as it is.
- `operator`: the operator alone.
- `block`: the operator, with weights of its own at first, learns the features that the parent has at its point. An
  operator that starts as the sum has them exactly, so that there would be nothing to learn.

They are held against two things, over random architectures: the loss that these have when they are trained from the
parent's weights (`inherit`), which is what a library is to predict, and when they are trained from scratch. Each
figure is of sums over the points, Kendall τ with its 95 % interval over architectures (bootstrap).

    python benchmarks/library.py --json benchmarks/results/library.json

What is in the file already is not measured again. About ten minutes of one core, and fifteen for the trainings from
scratch.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import kendalltau, spearmanr
from torch import nn

from search.config import SearchConfig
from search.training import data
from search.training.around import keep_still
from search.training.loop import DeviceData, Session, evaluate, train
from spaces import Architecture
from spaces.alone import every_choice_alone
from spaces.inheriting import build_heir

CONFIG = Path(__file__).parent.parent / "examples" / "verdict.yaml"
OVERRIDES = {
    "space.ops": ["sum", "concat", "sk", "aff", "iaff", "gated"],
    "data.images": 2500,
    "data.val_fraction": 0.4,
}
WAYS = ("whole", "around", "operator", "block")
LR, LIBRARY_EPOCHS, INHERITED_EPOCHS = 0.5, 1, 2
SEEDS, DRAWS = 2, 2000
CPU = torch.device("cpu")


class Bench:
    """The data, the space, and the parent, trained once."""

    def __init__(self) -> None:
        config = SearchConfig.load(CONFIG, OVERRIDES)
        dataset = data.load(config.data)
        self.space, self.data, self.settings = config.create_space(dataset), DeviceData(dataset, CPU), config.train
        self.original = self.space.original()
        self.items = [one for one in every_choice_alone(self.space) if one.architecture != self.original]

    def prepare(self) -> None:
        """Train the parent."""
        torch.manual_seed(0)
        session = Session(self.space.build(self.original, init="sum"), self.settings, CPU)
        for measures in train(session, self.data, self.settings, seed=0):
            print(f"parent: accuracy {measures['accuracy']:.4f}, loss {measures['loss']:.4f}", flush=True)
        self.weights = copy.deepcopy(session.model.state_dict())

    def heir(self, architecture: Architecture) -> Any:
        """Return a network that begins as the parent."""
        return build_heir(self.space, architecture, self.original, self.weights)

    def inherited(self, architecture: Architecture, seed: int, epochs: int) -> float:
        """Return the loss of the whole network, trained from the parent's weights."""
        torch.manual_seed(seed)
        return self._trained(self.heir(architecture).network, [], seed, epochs, LR)

    def around(self, architecture: Architecture, points: list[str], seed: int) -> float:
        """Return the loss once what stands at the points and its neighbours is trained."""
        torch.manual_seed(seed)
        heir = self.heir(architecture)
        inputs = (self.data.normalize(self.data.train_images[:2]),)
        still = keep_still(heir.network, [heir.places[point] for point in points], inputs)
        return self._trained(heir.network, still, seed, LIBRARY_EPOCHS, LR)

    def operator(self, architecture: Architecture, points: list[str], seed: int) -> float:
        """Return the loss once what stands at the points is trained."""
        torch.manual_seed(seed)
        heir = self.heir(architecture)
        inside = [heir.network.get_submodule(heir.places[point]) for point in points]
        moving = {id(one) for module in inside for one in module.modules()}
        for parameter in heir.network.parameters():
            parameter.requires_grad_(False)
        for module in inside:
            module.requires_grad_(True)
        still = [one for one in heir.network.modules() if id(one) not in moving]
        if not any(parameter.requires_grad for parameter in heir.network.parameters()):
            return self._loss(heir.network)
        return self._trained(heir.network, still, seed, LIBRARY_EPOCHS, 1.0)

    def block(self, architecture: Architecture, points: list[str], seed: int) -> float:
        """Return the loss once what stands at the points has learnt the parent's features."""
        torch.manual_seed(seed)
        heir, parent = self.heir(architecture), self.heir(self.original).network.eval()
        if architecture == self.original:
            return self._loss(heir.network)
        fresh = self.space.build(architecture)
        network = heir.network.eval()
        for point in points:
            path, seen = heir.places[point], dict[str, Any]()
            operator = network.get_submodule(path)
            operator.load_state_dict(fresh.get_submodule(path).state_dict())
            hook = parent.get_submodule(path).register_forward_hook(
                lambda module, given, found, seen=seen: seen.update(given=given, found=found)
            )
            self._imitate(parent, operator, seen, seed)
            hook.remove()
        return self._loss(network)

    def _imitate(self, parent: nn.Module, operator: nn.Module, seen: Mapping[str, Any], seed: int) -> None:
        parameters = list(operator.parameters())
        if not parameters:
            return
        peak, size = self.settings.lr, self.settings.batch_size
        optimizer = torch.optim.SGD(parameters, lr=peak, momentum=0.9, nesterov=True)
        operator.train()
        order = torch.randperm(len(self.data.train_images), generator=torch.Generator().manual_seed(seed))
        steps = len(order) // size
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = peak * min(1.0, 4 * (step + 1) / steps) * (1 - step / steps)
            with torch.no_grad():
                parent(self.data.normalize(self.data.train_images[order[step * size : (step + 1) * size]]))
            loss = nn.functional.mse_loss(operator(*seen["given"]), seen["found"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        operator.eval()

    def scratch(self, architecture: Architecture, seed: int) -> float:
        """Return the loss after a training from scratch."""
        torch.manual_seed(seed)
        session = Session(self.space.build(architecture, init="sum"), self.settings, CPU)
        return min(measures["loss"] for measures in train(session, self.data, self.settings, seed=seed))

    def way(self, name: str, seed: int) -> dict[str, Any]:
        """Return the effect of every choice on the loss, and the seconds that a training takes."""
        started = time.process_time()
        local: dict[str, Callable[[Architecture, list[str], int], float]] = {
            "around": self.around,
            "operator": self.operator,
            "block": self.block,
        }
        if name == "whole":
            reference = self.inherited(self.original, seed, LIBRARY_EPOCHS)
            references = [reference] * len(self.space.slots)
            losses = [self.inherited(one.architecture, seed, LIBRARY_EPOCHS) for one in self.items]
        else:
            points = [[point.name for point in slot.points] for slot in self.space.slots]
            references = [local[name](self.original, of, seed) for of in points]
            losses = [local[name](one.architecture, points[one.slot], seed) for one in self.items]
        seconds = (time.process_time() - started) / (len(self.items) + len(self.space.slots))
        effects = [loss - references[one.slot] for loss, one in zip(losses, self.items, strict=True)]
        return {"effects": effects, "seconds": seconds}

    def _trained(self, network: nn.Module, still: list[nn.Module], seed: int, epochs: int, lr: float) -> float:
        settings = self.settings.model_copy(update={"epochs": epochs, "lr": self.settings.lr * lr})
        session = Session(network, settings, CPU)
        session.still = tuple(still)
        return min(measures["loss"] for measures in train(session, self.data, settings, seed=seed))

    def _loss(self, network: nn.Module) -> float:
        return evaluate(network.eval(), self.data, self.settings.batch_size)["loss"]


def measure(bench: Bench, path: Path, architectures: int, scratch_seeds: int) -> dict[str, Any]:
    """Measure what the file lacks."""
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    drawn = _drawn(bench, architectures)
    found["architectures"] = [one.to_json() for one in drawn]

    def keep(key: str, make: Callable[[], Any]) -> None:
        if key not in found:
            found[key] = make()
            path.write_text(json.dumps(found) + "\n")
            print(f"{key} done", flush=True)

    bench.prepare()
    for seed in range(SEEDS):
        for name in WAYS:
            keep(f"{name} {seed}", lambda name=name, seed=seed: bench.way(name, seed))
        keep(f"inherit {seed}", lambda seed=seed: [bench.inherited(one, seed, INHERITED_EPOCHS) for one in drawn])
    for seed in range(scratch_seeds):
        keep(f"scratch {seed}", lambda seed=seed: [bench.scratch(one, seed) for one in drawn])
    return found


def _drawn(bench: Bench, count: int) -> list[Architecture]:
    rng = np.random.default_rng(3)
    found = {one.id: one for one in (bench.space.uniform(op) for op in bench.space.ops)}
    while len(found) < count:
        one = bench.space.sample(rng)
        found.setdefault(one.id, one)
    return list(found.values())


def table(bench: Bench, found: Mapping[str, Any], scratch_seeds: int) -> None:
    """Print what was found."""
    drawn = [Architecture.from_json(text) for text in found["architectures"]]
    inherit = np.mean([found[f"inherit {seed}"] for seed in range(SEEDS)], axis=0)
    scratch = np.mean([found[f"scratch {seed}"] for seed in range(scratch_seeds)], axis=0)
    noise = np.array([found[f"scratch {seed}"] for seed in range(scratch_seeds)]).std(axis=0, ddof=1).mean()
    print(f"{len(drawn)} architectures; inherit and scratch agree with τ = {_tau(inherit, scratch)}")
    print(f"scratch: spread {scratch.std(ddof=1):.4f}, noise of a seed {noise:.4f}")
    print("| way | s a training | spread | noise of a seed | ρ of two seeds | τ with inherit | τ with scratch |")
    for name in WAYS:
        effects = np.array([found[f"{name} {seed}"]["effects"] for seed in range(SEEDS)])
        seconds = np.mean([found[f"{name} {seed}"]["seconds"] for seed in range(SEEDS)])
        predicted = np.array([_predicted(bench, one, effects.mean(axis=0)) for one in drawn])
        between = np.sqrt(((effects[0] - effects[1]) ** 2).mean() / 2)
        same = spearmanr(effects[0], effects[1]).statistic
        print(
            f"| {name} | {seconds:.2f} | {effects.mean(axis=0).std(ddof=1):.4f} | {between:.4f} | {same:.2f} "
            f"| {_tau(predicted, inherit)} | {_tau(predicted, scratch)} |"
        )


def _predicted(bench: Bench, architecture: Architecture, effects: np.ndarray) -> float:
    decisions = [slot.decision(architecture) for slot in bench.space.slots]
    return float(
        sum(effect for one, effect in zip(bench.items, effects, strict=True) if decisions[one.slot] == one.choice)
    )


def _tau(one: np.ndarray, other: np.ndarray) -> str:
    rng, size = np.random.default_rng(0), len(one)
    picks = (rng.integers(0, size, size) for _ in range(DRAWS))
    low, high = np.nanquantile([kendalltau(one[pick], other[pick]).statistic for pick in picks], [0.025, 0.975])
    return f"{kendalltau(one, other).statistic:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results" / "library.json")
    parser.add_argument("--architectures", type=int, default=30)
    parser.add_argument("--scratch-seeds", type=int, default=6)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench()
    found = measure(bench, arguments.json, arguments.architectures, arguments.scratch_seeds)
    table(bench, found, arguments.scratch_seeds)


if __name__ == "__main__":
    main()
