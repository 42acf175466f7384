import math
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fusion_ops.errors import ConfigError
from search.config import SearchConfig
from search.config.sections import StorageConfig
from search.training import data

SECTIONS = ("space", "data", "train", "objectives", "constraints", "search", "limits", "storage", "ray")


def load(tmp_path: Path, text: str, **overrides) -> SearchConfig:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return SearchConfig.load(path, overrides)


def refusal(tmp_path: Path, text: str) -> str:
    """The message that a config is refused with, without the folder."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{tmp_path}/config.yaml:")
    return message.removeprefix(f"{tmp_path}/")


def test_defaults_are_those_of_the_contract():
    assert SearchConfig.from_dict({}).to_dict() == yaml.safe_load(
        """
        space:  {name: resnet, depth: 20, width: 16, ops: [sum, concat, sk, aff, iaff], reductions: [2, 4, 8, 16],
                 tie: none, resamplers: [bilinear]}
        data:   {name: digits, path: null, val_fraction: 0.2, seed: 0, mean: null, std: null,
                 task: classification, groups: null, split: null}
        train:  {epochs: 8, batch_size: 128, lr: 0.1, init: default, momentum: 0.9, weight_decay: 0.0005,
                 output: null, loss: auto, label_smoothing: 0.1, class_weights: null, augment: [], schedule: one_cycle,
                 warmup: 0.25, device: auto, compile: none}
        hyperparameters: {}
        objectives: [accuracy, params]
        constraints: {}
        search: {trials: 40, timeout: null, sampler: auto, pruner: auto, seed: 0, baselines: true, baseline_draws: 3,
                 prior: null, min_epochs: 1, patience: null, random_baseline: false, one_epoch_baseline: false,
                 strategy: scratch}
        strategy: {parent_epochs: null, epochs: null, lr: 0.5, trust: 12, library_epochs: 1, library_seeds: 2,
                   supernet_start: auto, supernet_epochs: null, supernet_sampling: fair, supernet_operator_lr: 1.0,
                   supernet_calibration: 256,
                   supernet_scored: 1000, supernet_finish: inherit, supernet_gb: 8.0}
        limits: {trial_seconds: null, stall_seconds: 300, retries: 1, device_hours: null, same_failures: 3,
                 checkpoint_gb: null}
        latency: {runtime: torch, precision: float32, threads: 1, batch_size: 1, batch_sizes: [1], seconds: 0.5}
        verdict: {margin: null}
        storage: {url: null}
        ray:    {address: null, cpus_per_trial: 1, gpus_per_trial: auto, max_concurrent: null,
                     data: send}
        imports: []
        """
    )


def test_what_is_written_back_is_read_back_the_same(tmp_path):
    config = load(tmp_path, "space: {depth: 14, input_size: [8, 8]}\nconstraints: {params: 50000}\ntrain: {lr: 1e-5}")
    again = load(tmp_path, yaml.safe_dump(config.to_dict()))
    assert again == config
    assert again.to_dict() == config.to_dict()
    assert SearchConfig.from_dict(config.to_dict()) == config
    assert again != load(tmp_path, "space: {depth: 20}")


def test_resolved_is_kept_but_is_not_part_of_the_config(tmp_path):
    config = load(tmp_path, "resolved: {started: '2026-01-01', dataset: {name: digits}}\nsearch: {trials: 3}")
    assert config.resolved == {"started": "2026-01-01", "dataset": {"name": "digits"}}
    assert "resolved" not in config.to_dict()


def test_the_strategy_is_picked_by_what_is_searched_and_written_down(tmp_path):
    picked = load(tmp_path, "search: {strategy: auto}")
    assert picked.to_dict()["search"]["strategy"] == "inherit"
    beside = load(tmp_path, "search: {strategy: auto}\nhyperparameters: {train.lr: [0.1, 0.2]}")
    assert beside.search.strategy == "scratch"
    # What is said of a wrong key still has its line.
    assert refusal(tmp_path, "search: {strategy: auto}\nstrategy:\n  parent_epochs: 0").startswith("config.yaml:3: ")


def test_a_section_without_keys_has_its_defaults(tmp_path):
    assert load(tmp_path, "search:\ntrain:\n  # lr: 0.2\n").train.lr == 0.1


@pytest.mark.parametrize(
    ("written", "value"),
    [("1e-3", 1e-3), ("1E2", 100.0), ("+.5", 0.5), ("3", 3.0), ("1_0.5e0", None), ("2.", 2.0), ("1.0e-3", 1e-3)],
)
def test_numbers_are_read_as_they_are_meant(tmp_path, written, value):
    if value is None:
        assert f"got text `{written}`" in refusal(tmp_path, f"train:\n  lr: {written}")
    else:
        assert load(tmp_path, f"train: {{lr: {written}}}").train.lr == value


# The text of a config, the line that its message must name, and what the message must say.
BAD = [
    ("search:\n  trails: 3", 2, "unknown key `trails` in `search`; did you mean `trials`?"),
    ("data: {}\nserch: {}", 2, "unknown key `serch`; did you mean `search`?"),
    ("space:\n  depht: 14", 2, "unknown key `depht` in `space`; did you mean `depth`?"),
    ("zzz: 1", 1, "unknown key `zzz`; known: space, data, train"),
    ("search:\n  trials: 3\n  seed: 1\n  trials: 4", 4, "key `trials` stands there twice, in lines 2 and 4"),
    ("data: {}\ndata: {}", 2, "twice, in lines 1 and 2"),
    ("train:\n  lr: no", 2, "`train.lr` must be a number; got false (written `no`)"),
    ("train:\n  lr: '1e-3'", 2, "`train.lr` must be a number; got text `1e-3`"),
    ("train:\n  epochs: 012", 2, "must be a whole number; got text `012`; a leading zero is octal in YAML, write 12."),
    ("train:\n  epochs: 2.5", 2, "`train.epochs` must be a whole number; got 2.5"),
    ("train:\n  epochs:", 2, "`train.epochs` must be a whole number; got nothing"),
    ("train:\n  epochs: 0", 2, "`train.epochs` must be at least 1; got 0"),
    ("train:\n  epochs: 1:30", 2, "got text `1:30`"),
    ("train:\n  epochs: 99999999999999999999", 2, "must be at most 1,000,000,000"),
    ("train:\n  lr: -1", 2, "`train.lr` must be more than 0; got -1"),
    ("train:\n  lr: .nan", 2, "`train.lr` must be a finite number; got .nan"),
    ("train:\n  lr: .inf", 2, "`train.lr` must be a finite number; got .inf"),
    ("train:\n  lr: 1e999", 2, "`train.lr` must be a finite number; got 1e999"),
    (
        "train:\n  schedule: triangle",
        2,
        "must be one of one_cycle, triangular, step; got text `triangle`; did you mean",
    ),
    ("train:\n  device: gpu", 2, "must be one of auto, cpu, cuda"),
    ("data:\n  name: image_folder\n  path: x\n  channels: 2", 4, "`data.channels` must be one of 3, 1; got 2."),
    ("search:\n  trials: 0", 2, "`search.trials` must be at least 1; got 0"),
    ("search:\n  baselines: 1", 2, "`search.baselines` must be true or false; got 1"),
    ("search:\n  seed: -1", 2, "`search.seed` must be at least 0"),
    (
        "search:\n  sampler: tpee",
        2,
        "unknown sampler `tpee`; did you mean `tpe`?; known: auto, random, evolution, local, tpe, nsga2, gp",
    ),
    ("search:\n  pruner: paretto", 2, "unknown pruner `paretto`; did you mean `pareto`?"),
    ("search:\n  strategy: scratches", 2, "got text `scratches`; did you mean `scratch`?"),
    ("search: {strategy: inherit}\nhyperparameters:\n  train.lr: [0.1, 0.2]", 1, "`hyperparameters` are searched with"),
    ("search: {strategy: inherit}\nstrategy:\n  parent_epochs: 0", 3, "takes a network as it is"),
    ("strategy:\n  epochs: 0", 2, "`strategy.epochs`"),
    ("search: 3", 1, "`search` must be a mapping of keys; got 3"),
    ("space:\n  name: resnt", 2, "unknown space `resnt`; did you mean `resnet`?; known: resnet"),
    ("space:\n  ops: []", 2, "`space.ops` must name at least one entry"),
    ("space:\n  ops: [sum, sum]", 2, "none twice"),
    (
        "space:\n  ops: [sum, aff per=channel]",
        2,
        "`space.ops`: `aff` has no option `per`; known: context, initial, scale",
    ),
    ("space:\n  ops: [sum, afff context=local]", 2, "unknown fusion operator `afff`; did you mean `aff`?"),
    ("space:\n  ops: sum", 2, "`space.ops` must be a list; got text `sum`; write [sum]."),
    ("space:\n  ops:\n  - sum\n  - aaf", 4, "unknown fusion operator `aaf`; did you mean `aff`?"),
    ("space:\n  ops: [sum, no]", 2, '`space.ops[1]` must be text; got false (written `no`); write it in quotes: "no".'),
    ("space:\n  reductions: []", 2, "`space.reductions` must"),
    ("space:\n  reductions: [0]", 2, "must be whole numbers of at least 1"),
    ("space:\n  reductions: [2, x]", 2, "`space.reductions[1]` must be a whole number; got text `x`"),
    ("space:\n  depth: x", 2, "`space.depth` must be a whole number; got text `x`"),
    ("space:\n  width: 16.3", 2, "`space.width` goes in steps of 1/4 here; got 16.3. The nearest one is 16.25"),
    ("space:\n  width: 1.0e+6", 2, "`space.width` must be at most 100,000; got 1000000.0"),
    ("space:\n  depth: 9", 2, "`space.depth` of a CIFAR ResNet must be 6n + 2"),
    ("space:\n  depth: 6000000002", 2, "`space.depth` must be at most 100,000"),
    ("space:\n  input_size: [8]", 2, "`space.input_size[1]` is missing; got the list [8]"),
    ("space:\n  tie: al", 2, "must be one of none, stage, all"),
    ("data:\n  name: digit", 2, "unknown data set `digit`; did you mean `digits`?; known: cifar10, cifar100, digits"),
    ("data:\n  val_fraction: 0", 2, "`data.val_fraction` must be more than 0; got 0"),
    ("data:\n  val_fraction: 1.0", 2, "`data.val_fraction` must be less than 1; got 1.0"),
    ("data:\n  path: ''", 2, "`data.path` must not be empty"),
    ("objectives: [acuracy]", 1, "unknown objective `acuracy`; did you mean `accuracy`?"),
    (
        "objectives: [acuracy]",
        1,
        "params, flops, latency, memory, accuracy@int8, balanced_accuracy@int8, f1@int8, latency@RUNTIME",
    ),
    (
        "objectives: [params]",
        1,
        "must name at least one quality (accuracy, balanced_accuracy, f1 or loss); got the list [params]",
    ),
    ("objectives: []", 1, "must name at least one quality"),
    ("objectives: accuracy", 1, "`objectives` must be a list; got text `accuracy`; write [accuracy]"),
    ("objectives:\n- accuracy\n- params\n- accuracy", 4, "objective `accuracy` is named twice"),
    ("objectives: [accuracy, latency@openvin]", 1, "unknown runtime `openvin`; did you mean `openvino`?"),
    (
        "objectives:\n- accuracy\n- latency@onnxruntime\n- latency@onnx",
        4,
        "`latency@onnxruntime` and `latency@onnx` are both the latency in ONNX Runtime; leave one out.",
    ),
    (
        "objectives: [accuracy, latency, latency@openvino]\nlatency: {runtime: openvino}",
        1,
        "`latency` and `latency@openvino` are both the latency in OpenVINO; leave one out.",
    ),
    ("objectives: [accuracy, params@openvino]", 1, "`params` has no place; got objective `params@openvino`."),
    ("objectives: [accuracy, latenci@openvino]", 1, "unknown objective `latenci@openvino`"),
    ("objectives: [accuracy, 'latency@mine:Phone']", 1, "`mine:Phone`: there is no module `mine`"),
    ("latency:\n  runtime: onnxruntim", 2, "unknown runtime `onnxruntim`; did you mean `onnxruntime`?"),
    (
        "objectives: [accuracy, latency@onnxruntime]\nlatency:\n  precision: bfloat16",
        3,
        "`latency.precision` in ONNX Runtime must be one of float32",
    ),
    ("latency:\n  batch_size: 2\n  batch_sizes: [1, 2]", 1, "must be the first of `latency.batch_sizes`; got 2 and 1"),
    ("latency:\n  batch_sizes: [1, 8, 1]", 1, "`latency.batch_sizes` must differ; got [1, 8, 1]. Write [1, 8]."),
    ("latency:\n  batch_size: 0", 2, "`latency.batch_size` must be at least 1; got 0"),
    ("latency:\n  batch_sizes: []", 2, "`latency.batch_sizes`"),
    ("objectives: [miou]", 1, "`miou` does not fit `data.name: digits`, a classification set"),
    ("objectives: [accuracy, 'mine:size']", 1, "`mine:size`: there is no module `mine`"),
    ("constraints:\n  parms: 3", 2, "unknown key `parms` in `constraints`; did you mean `params`?"),
    ("constraints:\n  params: -3", 2, "`constraints.params` must be a positive number; got -3"),
    ("constraints:\n  params: no", 2, "must be a positive number; got false (written `no`)"),
    ("constraints:\n  flops: .inf", 2, "must be a positive number; got .inf"),
    ("constraints:\n  flops: 1" + "0" * 400, 2, "must be a positive number"),
    ("constraints:\n  accuracy: 90", 2, "`constraints.accuracy` is a fraction, below 1; got 90. Write 0.9."),
    ("constraints:\n  latency: 3", 2, "a constraint on `latency` is not available here; use params, flops"),
    ("constraints:\n  accuracy: 0", 2, "`constraints.accuracy` must be a positive number; got 0"),
    ("search:\n  patience: 0", 2, "`search.patience` must be at least 1; got 0"),
    ("search:\n  pruner: median", 2, "`search.pruner: median` stops by the median of one value, but there are 2"),
    (
        "search:\n  one_epoch_baseline: true\ntrain:\n  epochs: 1",
        2,
        "`search.one_epoch_baseline` needs candidates of at least 2 epochs; got 1",
    ),
    ("search:\n  min_epochs: 5\ntrain:\n  epochs: 4", 2, "is at most the epochs of a candidate, 4; got 5"),
    ("constraints: [3]", 1, "`constraints` must be a mapping of keys; got the list [3]"),
    ("storage:\n  url: postgres://u:pw@h/d", 2, "must start with `postgresql://`"),
    ("storage:\n  url: mysql://u:pw@h/d", 2, "`sqlite:///FILE` or `postgresql://USER@HOST/DATABASE`; got mysql://…"),
    ("storage:\n  url: sqlite://a.db", 2, "has three slashes"),
    ("storage:\n  url: study.db", 2, "got text `study.db`"),
    (
        "ray:\n  gpus_per_trial: many",
        2,
        "`ray.gpus_per_trial` must be `auto` or a number of at least 0; got text `many`",
    ),
    ("ray:\n  gpus_per_trial: -1", 2, "`ray.gpus_per_trial` must be"),
    ("ray:\n  cpus_per_trial: 0", 2, "`ray.cpus_per_trial` must be more than 0"),
    ("limits:\n  retries: -1", 2, "`limits.retries` must be at least 0"),
    ("space: {a: b\ntrain: 3", 2, "is not YAML"),
    ("a: 1\n\t- b", 2, "is not YAML"),
    ("a: 1\n---\nb: 2", 2, "is not YAML"),
    ("x: *nowhere", 1, "is not YAML"),
    ("? [1]\n: 2", 1, "a key is a word; got a list or a mapping"),
    ("base: &b {trials: 3}\nsearch:\n  <<: *b", 1, "unknown key `base`"),
    ("search:\n  trials: !!python/object/apply:os.getpid []", 2, "YAML tags are not read"),
    ("search:\n  trials: !!int many", 2, "is not what its tag `!!int` says"),
    ("a: &a [*a]", 1, "nested at most 20 levels"),
]


@pytest.mark.parametrize(("text", "line", "says"), BAD, ids=[text[:40] for text, _, _ in BAD])
def test_bad_input_is_one_line_with_place_rule_value_and_fix(tmp_path, text, line, says):
    message = refusal(tmp_path, text)
    assert message.startswith(f"config.yaml:{line}: ")
    assert says in message


@pytest.mark.parametrize(
    ("written", "sizes"),
    [("batch_size: 4", (4,)), ("batch_sizes: [4, 1]", (4, 1)), ("seconds: 1", (1,)), ("batch_sizes: [1, 8]", (1, 8))],
)
def test_one_batch_size_or_several(tmp_path, written, sizes):
    latency = load(tmp_path, f"latency: {{{written}}}").latency
    assert (latency.batch_size, latency.batch_sizes) == (sizes[0], sizes)
    assert SearchConfig.from_dict({"latency": latency.model_dump(mode="json")}).latency == latency


SMALL_BATCHES = """
from reports.runtimes.onnxruntime import OnnxRuntime

class SmallBatches(OnnxRuntime):
    title = "Small"
    largest_batch = 4
"""


@pytest.mark.parametrize(
    ("written", "says", "fixed"),
    [
        ("batch_size: 8", "`latency.batch_size` in Small must be at most 4; got 8. Write 4.", "batch_size: 4"),
        (
            "batch_sizes: [1, 8]",
            "`latency.batch_sizes` in Small must be at most 4; got [1, 8]. Write [1].",
            "batch_sizes: [1]",
        ),
    ],
)
def test_a_batch_that_a_runtime_does_not_take_is_refused(tmp_path, monkeypatch, written, says, fixed):
    (tmp_path / "small_batches.py").write_text(SMALL_BATCHES)
    monkeypatch.syspath_prepend(tmp_path)
    objectives = "objectives: [accuracy, 'latency@small_batches:SmallBatches']\nlatency:\n  "
    assert refusal(tmp_path, objectives + written) == f"config.yaml:3: {says}"
    assert load(tmp_path, objectives + fixed).latency.batch_size <= 4


def test_the_first_of_several_problems_is_named(tmp_path):
    message = refusal(tmp_path, "train:\n  lr: x\nsearch:\n  trials: 0\nbogus: 1")
    assert message.startswith("config.yaml:2: `train.lr`")


def test_a_password_is_in_no_message(tmp_path):
    assert "secret" not in refusal(tmp_path, "storage:\n  url: mysql://me:secret@host/db")
    assert "secret" not in refusal(tmp_path, "storage:\n  url: postgres://me:secret@host/db")
    assert "me:***@host" in refusal(tmp_path, "storage: postgres://me:secret@host/db")
    for key in ("storage.url", "storage", "storage.ulr"):
        with pytest.raises(ConfigError, match=r"me:\*\*\*@host") as caught:
            load(tmp_path, "search: {trials: 3}", **{key: "mysql://me:secret@host/db"})
        assert "secret" not in str(caught.value)


def test_an_alias_bomb_is_harmless(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 15)]
    assert "has at most 10,000 values" in refusal(tmp_path, "\n".join(lines))


def test_deep_nesting_is_harmless(tmp_path):
    assert "nested" in refusal(tmp_path, "a: " + "[" * 100_000)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"# only a comment\n", "is empty"),
        (b"- 1\n", "is no mapping; got the list [1]. A config is a mapping of sections"),
        (b"hello", "is no mapping; got text `hello`"),
        (b"search:\n  trials: \xff\n", ":2: a config is UTF-8 text; byte 18 is not"),
        ("search: {trials: 3}".encode("utf-16"), "UTF-8"),
        (b"\x00\x01", "is not YAML"),
        (b"#" * 1_000_001, "at most 1,000,000 bytes"),
    ],
)
def test_files_that_are_no_config(tmp_path, content, says):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        SearchConfig.load(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_directory(tmp_path):
    with pytest.raises(ConfigError, match=r"no-such\.yaml: there is no such file"):
        SearchConfig.load(tmp_path / "no-such.yaml")
    with pytest.raises(ConfigError, match="is a directory"):
        SearchConfig.load(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        SearchConfig.load("a\0b.yaml")


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    (tmp_path / "config.yaml").write_bytes(b"\xef\xbb\xbfsearch: {trials: 3}")
    assert SearchConfig.load(tmp_path / "config.yaml").search.trials == 3


def test_overrides_are_read_as_yaml_and_beat_the_file(tmp_path):
    overrides = {
        "search.trials": "8",
        "space.ops": "[sum, aff]",
        "train.lr": 1e-3,
        "constraints.params": "1e5",
        "search.timeout": "null",
        "objectives": ["loss", "flops"],
        "data": "{seed: 3}",
    }
    config = load(tmp_path, "search: {trials: 3, timeout: 5}\ndata: {val_fraction: 0.5}", **overrides)
    assert config.search.trials == 8
    assert config.search.timeout is None
    assert config.space.settings == {"ops": ("sum", "aff")}
    assert config.train.lr == 1e-3
    assert config.constraints == {"params": 1e5}
    assert config.objectives == ("loss", "flops")
    assert config.data.seed == 3
    assert config.data.val_fraction == 0.2


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("search.trials", "x", "--set search.trials=x: `search.trials` must be a whole number; got text `x`."),
        ("search.trails", "8", "--set search.trails=8: unknown key `trails` in `search`; did you mean `trials`?"),
        ("serch.trials", "8", "--set serch.trials=8: unknown key `serch`; did you mean `search`?"),
        ("search.trials.x", "1", "--set search.trials.x=1: `search.trials` must be a whole number; got a mapping."),
        ("search", "{trials: x}", "--set search={trials: x}: `search.trials` must be a whole number; got text `x`."),
        ("search", "3", "--set search=3: `search` must be a mapping of keys; got 3."),
        ("space.ops", "[sum, afff]", "--set space.ops=[sum, afff]: unknown fusion operator `afff`; did you mean"),
        ("train.lr", "{", "--set train.lr={: is not YAML"),
        ("train.lr", "1\n2", "--set train.lr=1\\n2: `train.lr` must be a number"),
        ("train.epochs", 2.5, "--set train.epochs=2.5: `train.epochs` must be a whole number; got 2.5."),
        ("..", "1", "--set ..=1: unknown key ``"),
    ],
)
def test_a_bad_override_is_named(tmp_path, key, value, message):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "search: {trials: 3}", **{key: value})
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_errors_of_a_dict_have_no_place():
    with pytest.raises(ConfigError, match=r"^unknown key `trails` in `search`; did you mean `trials`\?$"):
        SearchConfig.from_dict({"search": {"trails": 3}})


def test_passwords_are_not_written_down(monkeypatch):
    monkeypatch.setattr("search.config.sections.find_spec", lambda name: name)
    config = SearchConfig.from_dict({"storage": {"url": "postgresql://me:s3cret@host:5432/db"}})
    assert config.storage.url == "postgresql://me:s3cret@host:5432/db"
    assert config.to_dict()["storage"] == {"url": "postgresql://me:***@host:5432/db"}
    assert SearchConfig.from_dict(config.to_dict()).storage.url == "postgresql://me@host:5432/db"
    assert StorageConfig(url="postgresql://u:a@b:c@h/d").public_url == "postgresql://u:***@h/d"
    assert StorageConfig(url="sqlite:////tmp/a.db").public_url == "sqlite:////tmp/a.db"


def test_a_missing_database_driver_is_named(monkeypatch):
    monkeypatch.setattr("search.config.sections.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="needs a driver that is not installed: pip install fusion-nas\\[postgres\\]"):
        SearchConfig.from_dict({"storage": {"url": "postgresql://me@host/db"}})


def test_a_config_is_frozen():
    config = SearchConfig.from_dict({})
    with pytest.raises(ValueError, match="frozen"):
        config.search.trials = 3


def test_the_space_takes_classes_and_images_from_the_data(tmp_path):
    config = load(tmp_path, "space: {depth: 14, width: 4, ops: [sum, aff], reductions: [2]}")
    space = config.create_space(data.load(config.data))
    settings = dict(space.ref.settings)
    assert (settings["num_classes"], settings["in_channels"], settings["input_size"]) == (10, 1, (8, 8))
    assert (settings["depth"], settings["width"], space.ops, space.size()) == (14, 4, ("sum", "aff"), 2**6)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("num_classes: 5", "`space.num_classes` is 5, but data set digits has 10"),
        ("in_channels: 3", "`space.in_channels` is 3, but data set digits has 1"),
        ("input_size: [32, 32]", "`space.input_size` is the list [32, 32], but data set digits has the list [8, 8]"),
    ],
)
def test_a_space_that_does_not_fit_the_data(tmp_path, setting, says):
    config = load(tmp_path, f"space:\n  depth: 8\n  {setting}")
    with pytest.raises(ConfigError) as caught:
        config.create_space(data.load(config.data))
    assert str(caught.value).startswith(f"{tmp_path}/config.yaml:3: {says}")


def test_the_example_is_a_search_that_can_be_run():
    config = SearchConfig.load(Path(__file__).parents[3] / "examples" / "digits.yaml")
    space = config.create_space(data.load(config.data))
    assert space.size() == 531_441
    assert config.search.trials >= 30


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(["sum", "aff", "1e-3"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("name", "depth", "ops", "reductions", "tie", "lr", "epochs", "trials", "sampler", "url", "path", "params")
sections = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), values, max_size=3)
documents = st.dictionaries(st.sampled_from(SECTIONS) | st.text(max_size=6), sections | values, max_size=4)


def assert_loads_or_explains(path: Path) -> None:
    try:
        config = SearchConfig.load(path)
    except ConfigError as error:
        message = str(error)
        assert message.isprintable()
        assert message.startswith(str(path))
        return
    assert SearchConfig.from_dict(config.to_dict()).to_dict() == config.to_dict()
    assert math.isfinite(config.train.lr)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents)
def test_any_document_loads_or_is_explained(tmp_path, document):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8", errors="surrogatepass")
    assert_loads_or_explains(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="ab:- \n\t[]{}&*!|>'\"#%@,?1.e~\x85\u2028\U0001f600", max_size=40) | st.text(max_size=30))
def test_any_text_loads_or_is_explained(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    assert_loads_or_explains(path)
