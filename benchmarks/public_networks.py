"""Public networks as search spaces: how many can be traced, what is found in them, and whether it is exact.

What it shows
    A row for each of 177 networks of public packages, their weights and statistics made random: whether it is
    traced, how many fusion points of which kind it has, how much the network built with its own sums and
    concatenations differs from the original (outputs in evaluation and in training, and gradients; relative to the
    largest value), and how long `spaces.trace` takes, its own comparison included. A network that `trace` accepts
    and that differs nevertheless is `wrong`. Where it is refused, the advice in the refusal is followed, and the row
    says whether that helped.

The result
    In `benchmarks/results/public_networks.json`, with the date and the hardware, and as a table in
    `benchmarks/tables/public_networks.md`.

How to run
    In an environment of its own, never in that of the product (ultralytics is AGPL):

    pip install torch==2.13.0 timm==1.0.31 segmentation-models-pytorch==0.6.0 monai==1.6.1 pytorchcv==0.0.74
    pip install ultralytics==8.4.0 torchvision==0.28.0 transformers==5.24.0 efficientnet_pytorch==0.7.1
    PYTHONPATH=. python benchmarks/public_networks.py [--only REGEX] [--json FILE] [--table FILE]

    The torchvision of PyPI is built for a torch with CUDA: beside one for CPUs it lacks three operators, which are
    declared here before it is imported. None of the networks calls them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import random
import re
import statistics
import sys
import time
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import is_dataclass
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "timm": "timm",
    "segmentation-models-pytorch": "segmentation_models_pytorch",
    "monai": "monai.networks.nets",
    "ultralytics": "ultralytics.nn.tasks",
    "torchvision": "torchvision.models",
    "transformers": "transformers",
    "pytorchcv": "pytorchcv.model_provider",
    "efficientnet_pytorch": "efficientnet_pytorch",
}
MISSING = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align(Tensor input, Tensor rois, float scale, int height, int width, int sampling, bool aligned) -> Tensor",
)
Network = tuple[Callable[[], nn.Module], tuple[int, ...]]

# Names by the size of their images; after a colon, further arguments.
TIMM = {
    96: "resnet18 resnet50d seresnext26d_32x4d skresnet18 resnest14d",
    64: """resnext50_32x4d res2net50_26w_4s ecaresnet50t resnetv2_50 resnetaa50 hrnet_w18_small densenet121 dpn48b
        dpn68 dla34 dla60x_c inception_next_tiny xception41 legacy_xception efficientnet_b0 tf_efficientnetv2_b0
        mobilenetv3_large_100 mobilenetv4_conv_small mobilenetv4_hybrid_medium mixnet_s regnety_004 convnext_atto
        convnextv2_atto maxvit_rmlp_pico_rw_256:img_size=64 coatnet_nano_rw_224:img_size=64
        maxvit_tiny_tf_224:img_size=64 vit_tiny_patch16_224:img_size=64 vit_small_resnet26d_224:img_size=64
        swin_tiny_patch4_window7_224:img_size=64,window_size=4 swinv2_tiny_window8_256:img_size=64,window_size=4
        pvt_v2_b0 poolformer_s12 caformer_s18 poolformerv2_s12 ese_vovnet19b_dw vovnet39a cspresnet50 cspdarknet53
        darknetaa53 ghostnet_100 ghostnetv2_100 ghostnetv3_100 dm_nfnet_f0 nf_resnet26 rexnet_100 repvgg_a0 mobileone_s0
        fastvit_t8 edgenext_xx_small mobilevitv2_050 efficientvit_b0 hgnetv2_b0 selecsls42b tresnet_m
        focalnet_tiny_srf davit_tiny repvit_m0_9 starnet_s1 convmixer_768_32 coat_tiny:img_size=64
        twins_svt_small:img_size=64 lambda_resnet26t:img_size=64 botnet26t_256:img_size=64 gcresnet33ts
        nextvit_small resnet18:drop_path_rate=0.3 convnext_atto:drop_path_rate=0.3 resnet18:features_only=True resnet18d
        hrnet_w18_small_v2""",
    128: "inception_v3 inception_v4 inception_resnet_v2",
    224: "levit_128s hiera_tiny_224 efficientformerv2_s0",
    240: "crossvit_9_240",
    256: "halonet26t",
}
SEGMENTATION: dict[str, tuple[str, str, int, dict[str, Any]]] = {
    "Unet": ("Unet", "resnet18", 96, {}),
    "Unet_scse": ("Unet", "resnet18", 96, {"decoder_attention_type": "scse"}),
    "UnetPlusPlus": ("UnetPlusPlus", "resnet18", 96, {}),
    "FPN": ("FPN", "resnet18", 96, {}),
    "FPN_cat": ("FPN", "resnet18", 96, {"decoder_merge_policy": "cat"}),
    "PAN": ("PAN", "resnet18", 128, {}),
    "MAnet": ("MAnet", "resnet18", 96, {}),
    "Linknet": ("Linknet", "resnet18", 96, {}),
    "DeepLabV3": ("DeepLabV3", "resnet18", 96, {}),
    "DeepLabV3Plus": ("DeepLabV3Plus", "resnet18", 96, {}),
    "UPerNet": ("UPerNet", "resnet18", 96, {}),
    "PSPNet": ("PSPNet", "resnet18", 96, {}),
    "Segformer": ("Segformer", "mit_b0", 96, {}),
    "Unet_mitb0": ("Unet", "mit_b0", 96, {}),
    "Unet_effb0": ("Unet", "efficientnet-b0", 96, {}),
    "Unet_aux": ("Unet", "resnet18", 96, {"aux_params": {"classes": 4}}),
    "DPT": ("DPT", "tu-vit_tiny_patch16_224", 224, {}),
    "Unet_tu_convnext": ("Unet", "tu-convnext_atto", 96, {}),
}
FLAT, DEEP = (2, 1, 64, 64), (2, 1, 32, 32, 32)
BASIC = (8, 8, 16, 32, 64, 8)
DYN = ([3, 3, 3, 3], [1, 2, 2, 2], [2, 2, 2])
MONAI: dict[str, tuple[str, tuple[int, ...], tuple[Any, ...], dict[str, Any]]] = {
    "UNet2d": ("UNet", FLAT, (2, 1, 3, (8, 16, 32, 64), (2, 2, 2)), {"num_res_units": 2}),
    "UNet3d": ("UNet", DEEP, (3, 1, 3, (8, 16, 32), (2, 2)), {"num_res_units": 2}),
    "AttentionUnet2d": ("AttentionUnet", FLAT, (2, 1, 3, (8, 16, 32), (2, 2)), {}),
    "BasicUNet2d": ("BasicUNet", FLAT, (2, 1, 3, BASIC), {}),
    "BasicUNetPlusPlus2d": ("BasicUNetPlusPlus", FLAT, (2, 1, 3, BASIC), {}),
    "DynUNet2d": ("DynUNet", FLAT, (2, 1, 3, *DYN), {"res_block": True}),
    "DynUNet2d_ds": (
        "DynUNet",
        FLAT,
        (2, 1, 3, *DYN),
        {"res_block": True, "deep_supervision": True, "deep_supr_num": 1},
    ),
    "SegResNet2d": ("SegResNet", FLAT, (2, 8, 1, 3), {}),
    "SegResNet3d": ("SegResNet", DEEP, (3, 8, 1, 3), {}),
    "SegResNetDS2d": ("SegResNetDS", FLAT, (2, 8, 1, 3), {}),
    "UNETR2d": ("UNETR", FLAT, (1, 3, (64, 64), 8, 48, 96, 4), {"spatial_dims": 2}),
    "UNETR3d": ("UNETR", (1, *DEEP[1:]), (1, 3, (32, 32, 32), 8, 48, 96, 4), {}),
    "SwinUNETR2d": ("SwinUNETR", FLAT, (1, 3), {"feature_size": 12, "spatial_dims": 2}),
    "VNet2d": ("VNet", FLAT, (2, 1, 3), {}),
    "VNet3d": ("VNet", (1, *DEEP[1:]), (3, 1, 3), {}),
    "FlexibleUNet2d": ("FlexibleUNet", (2, 3, 64, 64), (3, 3, "efficientnet-b0"), {"spatial_dims": 2}),
    "HighResNet2d": ("HighResNet", (2, 1, 32, 32), (2, 1, 3), {}),
    "DenseNet2d": ("DenseNet121", FLAT, (2, 1, 3), {}),
}
YOLO: dict[str, tuple[str, str, int]] = {
    **{
        name: ("DetectionModel", name, 128)
        for name in ("yolo11n", "yolov8n", "yolov5n", "yolov9t", "yolov10n", "yolo12n")
    },
    "yolov8n-p2": ("DetectionModel", "yolov8n-p2", 128),
    "yolov8n-seg": ("SegmentationModel", "yolov8n-seg", 128),
    "yolov8n-cls": ("ClassificationModel", "yolov8n-cls", 64),
}
TORCHVISION: dict[str, tuple[int, dict[str, Any]]] = {
    "googlenet": (96, {"init_weights": False}),
    "googlenet (no auxiliary heads)": (96, {"init_weights": False, "aux_logits": False}),
    "inception_v3": (128, {"init_weights": False, "aux_logits": False}),
    "densenet121": (64, {}),
    "shufflenet_v2_x0_5": (64, {}),
    "mobilenet_v3_small": (64, {}),
    "swin_t": (64, {}),
    "maxvit_t": (224, {}),
    "fcn_resnet50": (64, {"weights_backbone": None}),
    "deeplabv3_mobilenet_v3_large": (64, {"weights_backbone": None}),
    "lraspp_mobilenet_v3_large": (64, {"weights_backbone": None}),
    "squeezenet1_1": (64, {}),
    "convnext_tiny": (64, {}),
}
PYTORCHCV = {
    32: """resnet20_cifar10 ror3_56_cifar10 rir_cifar10 wrn16_10_cifar10 shakeshakeresnet20_2x16d_cifar10
        fractalnet_cifar10 shakedropresnet20_cifar10 densenet40_k12_cifar10""",
    224: """fishnet99 nasnet_4a1056 sknet50 dla34 msdnet22 revnet38 shufflenetv2_wd2 cbam_resnet18 seresnet18
        bam_resnet18 hardnet39ds hrnet_w18_small_v1 preresnet18 diracnet18v2 xdensenet121_2""",
}
CITIES: dict[str, dict[str, Any]] = {
    "sinet_cityscapes": {"aux": False},
    "bisenet_resnet18_celebamaskhq": {},
    "icnet_resnetd50b_cityscapes": {},
    "fastscnn_cityscapes": {},
}
TRANSFORMERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "resnet": (
        "ResNetForImageClassification",
        "ResNetConfig",
        {
            "embedding_size": 16,
            "hidden_sizes": [16, 32, 64, 128],
            "depths": [1, 1, 1, 1],
            "layer_type": "basic",
            "num_labels": 10,
        },
    ),
    "convnextv2": (
        "ConvNextV2ForImageClassification",
        "ConvNextV2Config",
        {"hidden_sizes": [16, 32, 64, 128], "depths": [1, 1, 2, 1], "num_labels": 10},
    ),
    "segformer": (
        "SegformerForSemanticSegmentation",
        "SegformerConfig",
        {
            "hidden_sizes": [16, 32, 64, 128],
            "num_attention_heads": [1, 2, 4, 8],
            "depths": [1, 1, 1, 1],
            "decoder_hidden_size": 64,
            "num_labels": 5,
        },
    ),
    "vit": (
        "ViTForImageClassification",
        "ViTConfig",
        {
            "hidden_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 3,
            "intermediate_size": 96,
            "image_size": 64,
            "patch_size": 16,
            "num_labels": 10,
        },
    ),
    "mobilevit": ("MobileViTForImageClassification", "MobileViTConfig", {"num_labels": 10, "image_size": 64}),
    "dpt": (
        "DPTForDepthEstimation",
        "DPTConfig",
        {
            "hidden_size": 48,
            "num_hidden_layers": 4,
            "num_attention_heads": 3,
            "intermediate_size": 96,
            "image_size": 64,
            "patch_size": 16,
            "backbone_out_indices": [0, 1, 2, 3],
            "neck_hidden_sizes": [16, 32, 48, 64],
            "fusion_hidden_size": 32,
            "is_hybrid": False,
        },
    ),
}


class FeaturePyramid(nn.Module):
    """Torchvision's feature pyramid on three convolutions."""

    def __init__(self) -> None:
        super().__init__()
        widths = (8, 16, 32)
        strides = (4, 2, 2)
        self.levels = nn.ModuleList(
            nn.Conv2d(before, width, 3, stride, 1)
            for before, width, stride in zip((3, *widths), widths, strides, strict=False)
        )
        self.pyramid = import_module("torchvision.ops").FeaturePyramidNetwork(list(widths), 24)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps of the pyramid, the finest first."""
        maps: OrderedDict[str, Tensor] = OrderedDict()
        for index, level in enumerate(self.levels):
            x = level(x)
            maps[str(index)] = x
        return list(self.pyramid(maps).values())


def networks() -> dict[str, Network]:
    """Return all networks: how each is made, and the shape of its input."""
    found: dict[str, Network] = {}
    found.update(_timm())
    found.update(_segmentation())
    found.update(_monai())
    found.update(_yolo())
    found.update(_torchvision())
    found.update(_transformers())
    found.update(_pytorchcv())
    found["efficientnet_pytorch/efficientnet-b0"] = (
        lambda: import_module("efficientnet_pytorch").EfficientNet.from_name("efficientnet-b0", num_classes=10),
        (2, 3, 64, 64),
    )
    return found


def _timm() -> Iterator[tuple[str, Network]]:
    for size, listed in TIMM.items():
        for entry in listed.split():
            name, _, settings = entry.partition(":")
            kwargs = {key: json.loads(value.lower()) for key, value in _pairs(settings)}

            def make(name: str = name, kwargs: dict[str, Any] = kwargs) -> nn.Module:
                return import_module("timm").create_model(name, pretrained=False, num_classes=10, **kwargs)

            yield f"timm/{entry} {size}", (make, (2, 3, size, size))


def _pairs(settings: str) -> Iterator[tuple[str, str]]:
    for setting in filter(None, settings.split(",")):
        key, _, value = setting.partition("=")
        yield key, value


def _segmentation() -> Iterator[tuple[str, Network]]:
    for name, (cls, encoder, size, kwargs) in SEGMENTATION.items():

        def make(cls: str = cls, encoder: str = encoder, kwargs: dict[str, Any] = kwargs) -> nn.Module:
            package = import_module("segmentation_models_pytorch")
            return getattr(package, cls)(encoder, encoder_weights=None, classes=5, **kwargs)

        yield f"smp/{name}", (make, (2, 3, size, size))


def _monai() -> Iterator[tuple[str, Network]]:
    for name, (cls, shape, args, kwargs) in MONAI.items():

        def make(cls: str = cls, args: tuple[Any, ...] = args, kwargs: dict[str, Any] = kwargs) -> nn.Module:
            return getattr(import_module("monai.networks.nets"), cls)(*args, **kwargs)

        yield f"monai/{name}", (make, shape)


def _yolo() -> Iterator[tuple[str, Network]]:
    for name, (cls, config, size) in YOLO.items():

        def make(cls: str = cls, config: str = config) -> nn.Module:
            tasks = import_module("ultralytics.nn.tasks")
            return getattr(tasks, cls)(f"{config}.yaml", ch=3, nc=5, verbose=False)

        yield f"ultralytics/{name}", (make, (2, 3, size, size))


def _torchvision() -> Iterator[tuple[str, Network]]:
    for name, (size, kwargs) in TORCHVISION.items():

        def make(name: str = name.partition(" ")[0], kwargs: dict[str, Any] = kwargs) -> nn.Module:
            return import_module("torchvision.models").get_model(name, weights=None, **kwargs)

        yield f"torchvision/{name}", (make, (2, 3, size, size))
    yield "torchvision/FeaturePyramidNetwork", (FeaturePyramid, (2, 3, 128, 128))
    yield "torchvision/resnet_fpn_backbone", (_backbone, (2, 3, 96, 96))


def _backbone() -> nn.Module:
    detection = import_module("torchvision.models.detection.backbone_utils")
    made: nn.Module = detection.resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=5)
    return made


def _transformers() -> Iterator[tuple[str, Network]]:
    for name, (cls, config, settings) in TRANSFORMERS.items():

        def make(cls: str = cls, config: str = config, settings: dict[str, Any] = settings) -> nn.Module:
            package = import_module("transformers")
            return getattr(package, cls)(getattr(package, config)(**settings))

        yield f"transformers/{name}", (make, (2, 3, 64, 64))


def _pytorchcv() -> Iterator[tuple[str, Network]]:
    for size, listed in PYTORCHCV.items():
        for name in listed.split():
            yield f"pytorchcv/{name} {size}", (lambda name=name: _provided(name, num_classes=10), (2, 3, size, size))
    for name, kwargs in CITIES.items():
        settings = {"in_size": (128, 128), "num_classes": 5, **kwargs}
        yield f"pytorchcv/{name}", (lambda name=name, given=settings: _provided(name, **given), (2, 3, 128, 128))


def _provided(name: str, **settings: Any) -> nn.Module:
    made: nn.Module = import_module("pytorchcv.model_provider").get_model(name, pretrained=False, **settings)
    return made


def randomised(model: nn.Module) -> nn.Module:
    """Give weights, biases and statistics random values, so that nothing is hidden by zeros and ones."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim > 1 and bool(parameter.any()):
                parameter.mul_(1 + 0.1 * noise)
            else:
                parameter.add_((0.05 if parameter.ndim <= 1 else 0.02) * noise)
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
                module.running_mean.copy_(0.1 * torch.randn(module.running_mean.shape, generator=generator))
                module.running_var.copy_(0.5 + torch.rand(module.running_var.shape, generator=generator))
    return model


def described(make: Callable[[], nn.Module], shape: tuple[int, ...]) -> dict[str, Any]:
    """Return a network's row."""
    import spaces
    from fusion_ops.errors import SpecError

    torch.manual_seed(0)
    try:
        model = randomised(make())
    except Exception as error:
        return {"outcome": "not made", "why": _said(error)}
    excluded: list[str] = []
    row: dict[str, Any] = {"modules": sum(1 for _ in model.modules())}
    while True:
        start = time.perf_counter()
        try:
            space = spaces.trace(model, torch.randn(shape), exclude=excluded or None)
            break
        except SpecError as error:
            row.setdefault("refusal", _said(error))
            advised = re.search(r"add `([^`]+)` to `exclude`", str(error))
            if advised is None or advised[1] in excluded or len(excluded) > 20:
                return row | {"outcome": "refused", "excluded": excluded, "last": _said(error)}
            excluded.append(advised[1])
        except Exception as error:
            return row | {"outcome": "error", "why": _said(error)}
    row["seconds"] = time.perf_counter() - start
    row |= {"points": len(space.points), "kinds": dict(Counter(point.kind for point in space.points))}
    row |= {"excluded": excluded, "notices": list(getattr(space, "notices", ()))}
    row["names"] = [f"{point.name} {point.kind} {point.in_channels} {point.sizes[0]}" for point in space.points]
    row |= differences(model, space, shape)
    exact = all(row[key] is None or row[key] <= 1e-4 for key in ("evaluation", "training", "gradients"))
    return row | {"outcome": ("refused, advice helped" if excluded else "traced") if exact else "wrong"}


def differences(model: nn.Module, space: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the largest differences between a network and what is built of it, relative to the largest value."""
    from spaces import Architecture

    choices = tuple((point.name, point.original) for point in space.points)
    worst: dict[str, Any] = {"evaluation": None, "training": None, "gradients": None}
    for form in ("evaluation", "training"):
        try:
            pair = [deepcopy(model), space.build(Architecture(space.ref, choices))]
            outputs, gradients = zip(*(_passed(network, shape, form == "training") for network in pair), strict=True)
        except Exception as error:
            return worst | {"failed": f"{form}: {_said(error)}", form: float("inf")}
        worst[form] = _apart(*outputs)
        if form == "training":
            worst["gradients"] = _apart(*gradients)
    return worst


def _passed(network: nn.Module, shape: tuple[int, ...], training: bool) -> tuple[list[Tensor], list[Tensor]]:
    network.train(training)
    for number in (0, 1):
        torch.manual_seed(number)
        random.seed(number)
        images = torch.randn(shape[0] + number, *shape[1:], requires_grad=True)
        outputs = [tensor for tensor in _tensors(network(images)) if tensor.is_floating_point()]
    if not training or not any(output.requires_grad for output in outputs):
        return [output.detach() for output in outputs], []
    weights = [torch.linspace(0.5, 1.5, output.numel()).view(output.shape) for output in outputs]
    sum((output * weight).mean() for output, weight in zip(outputs, weights, strict=True)).backward()
    host = getattr(network, "host", network)
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in host.parameters()]
    return [output.detach() for output in outputs], [*gradients, images.grad if images.grad is not None else images]


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif is_dataclass(output) and not isinstance(output, dict):
        yield from _tensors(list(vars(output).values()))
    elif isinstance(output, dict):
        yield from _tensors(list(output.values()))
    elif isinstance(output, list | tuple):
        for part in output:
            yield from _tensors(part)


def _apart(ours: list[Tensor], theirs: list[Tensor]) -> float | None:
    if len(ours) != len(theirs):
        return float("inf")
    largest = max((float(tensor.abs().max()) for tensor in theirs if tensor.numel()), default=0.0)
    gaps = [float((a.detach() - b.detach()).abs().max()) for a, b in zip(ours, theirs, strict=True) if a.numel()]
    return max(gaps, default=0.0) / (largest or 1.0) if ours else None


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"


def _child(name: str, connection: Any) -> None:
    warnings.simplefilter("ignore")
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        connection.send(described(*networks()[name]))


def rows(chosen: list[str], limit: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a row for each network; each has a process of its own, and a limit in seconds."""
    fork = multiprocessing.get_context("fork")
    for name in chosen:
        receiver, sender = fork.Pipe(duplex=False)
        process = fork.Process(target=_child, args=(name, sender))
        process.start()
        sender.close()
        row: dict[str, Any] = {"outcome": "no answer"}
        try:
            if receiver.poll(limit):
                row = receiver.recv()
        except EOFError:
            row = {"outcome": "crashed"}
        process.kill()
        process.join()
        yield name, row


def table(found: dict[str, dict[str, Any]]) -> str:
    """Return the rows as a table in Markdown."""
    lines = ["| network | outcome | points | short / long / same | evaluation | training | gradients | s |"]
    lines.append("|---|---|--:|---|--:|--:|--:|--:|")
    for name, row in found.items():
        kinds = row.get("kinds", {})
        counts = " / ".join(str(kinds.get(kind, 0)) for kind in ("short_skip", "long_skip", "same_layer"))
        gaps = [_shown(row.get(key)) for key in ("evaluation", "training", "gradients")]
        seconds = f"{row['seconds']:.1f}" if "seconds" in row else ""
        lines.append(
            f"| {name} | {row['outcome']} | {row.get('points', '')} | {counts} | {' | '.join(gaps)} | {seconds} |"
        )
    return "\n".join(lines) + "\n"


def _shown(gap: float | None) -> str:
    return "" if gap is None else "0" if gap == 0 else f"{gap:.0e}"


def summary(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return how many ended how, and the seconds of those that were traced."""
    seconds = [row["seconds"] for row in found.values() if "seconds" in row]
    zero = sum(all(row.get(key) in (0, None) for key in ("evaluation", "training")) for row in found.values())
    return {
        "networks": len(found),
        "outcomes": dict(Counter(row["outcome"] for row in found.values())),
        "difference_of_zero": zero,
        "median_seconds": round(statistics.median(seconds), 2) if seconds else None,
        "largest_seconds": round(max(seconds), 1) if seconds else None,
    }


def main() -> None:
    """Trace all networks, or some, and print, and write, what became of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="networks whose name this expression finds")
    parser.add_argument("--limit", type=float, default=300, help="seconds for one network")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--table", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(2)
    library = torch.library.Library("torchvision", "DEF")
    for schema in MISSING:
        library.define(schema)
    for package in PACKAGES.values():
        import_module(package)
    import_module("torch._dynamo")
    import_module("torch._meta_registrations")
    chosen = [name for name in networks() if re.search(given.only, name)]
    found: dict[str, dict[str, Any]] = {}
    for name, row in rows(chosen, given.limit):
        found[name] = row
        told = row.get("refusal") or row.get("why") or row.get("failed") or ""
        gaps = [_shown(row.get(key)) for key in ("evaluation", "training", "gradients")]
        print(
            f"{name:60} {row['outcome']:10} {row.get('points', ''):>4} {gaps} {row.get('seconds', 0):.1f} s {told}",
            flush=True,
        )
    print(json.dumps(summary(found), indent=2))
    cores = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads"
    about = {
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": f"{platform.processor() or platform.machine()}, {cores}",
        "versions": {package: version(package) for package in ("torch", *PACKAGES)},
    }
    if given.json:
        given.json.write_text(json.dumps(about | {"summary": summary(found), "rows": found}, indent=1) + "\n")
    if given.table:
        given.table.write_text(table(found))
    sys.exit(any(row["outcome"] == "wrong" for row in found.values()))


if __name__ == "__main__":
    main()
