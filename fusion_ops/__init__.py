"""Fusion operators: how two or more feature maps become one.

Every module of this package that registers an operator is imported here, so adding an operator is
adding a file.
"""

from importlib import import_module
from pkgutil import iter_modules

from fusion_ops.choice import FusionChoice
from fusion_ops.compilation import compiled
from fusion_ops.cost import Cost
from fusion_ops.counting import cost
from fusion_ops.operator import FusionOperator, build, canonical, names, operator, recipe, register, variant
from fusion_ops.recipe import Recipe
from fusion_ops.recording import WeightRecord, recorded_weights
from fusion_ops.resamplers.resampler import FactorResampler, Resampler, register_resampler, resampler, resamplers
from fusion_ops.resamplers.upsampling import Upsampling
from fusion_ops.spelling import plain_spelling
from fusion_ops.spread import Spread

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

from fusion_ops.aff import AFF  # noqa: E402 - after all, so that operators register in one known order
from fusion_ops.asff import ASFF  # noqa: E402
from fusion_ops.asymbi import AsymBi  # noqa: E402
from fusion_ops.attnres import AttnRes  # noqa: E402
from fusion_ops.bifpn import BiFPN  # noqa: E402
from fusion_ops.cbam import CBAM  # noqa: E402
from fusion_ops.coord import Coord  # noqa: E402
from fusion_ops.eca import ECA  # noqa: E402
from fusion_ops.gate import Gate  # noqa: E402
from fusion_ops.gated import Gated  # noqa: E402
from fusion_ops.iaff import IAFF  # noqa: E402
from fusion_ops.max import Maximum  # noqa: E402
from fusion_ops.modulate import Modulate  # noqa: E402
from fusion_ops.mscam import MSCAM  # noqa: E402
from fusion_ops.parsenet import ParseNet  # noqa: E402
from fusion_ops.product import Product  # noqa: E402
from fusion_ops.scaled import Scaled  # noqa: E402
from fusion_ops.scaled_sum import ScaledSum  # noqa: E402
from fusion_ops.sk import SK  # noqa: E402
from fusion_ops.softmax import SoftmaxSum  # noqa: E402
from fusion_ops.split_attention import SplitAttention  # noqa: E402

__all__ = [
    "AFF",
    "ASFF",
    "CBAM",
    "ECA",
    "IAFF",
    "MSCAM",
    "SK",
    "AsymBi",
    "AttnRes",
    "BiFPN",
    "Coord",
    "Cost",
    "FactorResampler",
    "FusionChoice",
    "FusionOperator",
    "Gate",
    "Gated",
    "Maximum",
    "Modulate",
    "ParseNet",
    "Product",
    "Recipe",
    "Resampler",
    "Scaled",
    "ScaledSum",
    "SoftmaxSum",
    "SplitAttention",
    "Spread",
    "Upsampling",
    "WeightRecord",
    "build",
    "canonical",
    "compiled",
    "cost",
    "names",
    "operator",
    "plain_spelling",
    "recipe",
    "recorded_weights",
    "register",
    "register_resampler",
    "resampler",
    "resamplers",
    "variant",
]
