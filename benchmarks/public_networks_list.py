"""Public networks that `public_networks.py` traces: how each is made, and the shape of its input."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

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
MISSING = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align": "(Tensor x, Tensor rois, float scale, int height, int width, int sampling, bool aligned) -> Tensor",
}
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


def load() -> None:
    """Import all packages, torchvision beside a torch for CPUs, too."""
    for operator, schema in MISSING.items():
        torch.library.define(f"torchvision::{operator}", schema)
    for package in PACKAGES.values():
        import_module(package)


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
