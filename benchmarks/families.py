"""The networks that are measured, and the contenders that train them.

Every contender reads this module, so it imports only the standard library. A test compares the
numbers here with the recipes.
"""

from dataclasses import dataclass, field
from functools import partial

# Batch size of evaluation, for each contender.
EVALUATED_AT_ONCE = 500


@dataclass(frozen=True)
class Family:
    """One recipe: its batches, and the multiply-adds of a forward pass by image size.

    Images are padded by `pad` pixels on all sides, then cropped to `crop`. Batches of another size
    are resized from that.
    """

    name: str
    dataset: str
    num_classes: int
    batch_size: int
    pad: int
    crop: int
    multiply_adds: dict[int, int]

    @property
    def sizes(self) -> list[int]:
        """Return the image sizes used in training."""
        return list(self.multiply_adds)

    def case(self, size: int) -> str:
        """Return the name of the case that trains at this size."""
        return "train" if len(self.multiply_adds) == 1 else f"train@{size}"

    @property
    def cases(self) -> list[str]:
        """Return the cases that every contender of this family runs."""
        return [*map(self.case, self.sizes), "evaluate", "pipeline"]


def _resnet(depth: int, multiply_adds: int) -> Family:
    return Family(f"resnet{depth}", "cifar10", 10, 128, 4, 32, {32: multiply_adds})


FAMILIES = {
    family.name: family
    for family in (
        _resnet(20, 40_813_184),
        _resnet(110, 253_149_824),
        Family("airbench94", "cifar10", 10, 1024, 2, 32, {32: 118_147_360}),
        Family(
            "speedrun100",
            "cifar100",
            100,
            1024,
            2,
            32,
            {20: 66_537_504, 24: 86_635_808, 32: 174_979_872},
        ),
        Family("vgg_bn_dropout", "cifar10", 10, 128, 0, 32, {32: 313_463_808}),
        Family("inception_rrelu", "cifar100", 100, 64, 0, 28, {28: 1_520_811_520}),
    )
}


FLOAT32, BFLOAT16 = "float32", "bfloat16"


@dataclass(frozen=True)
class Contender:
    """One contender: a module of `benchmarks.peers`, its environment and its options.

    `venv` is the suffix of one of parity's environments, empty for ours. A variable that is None is
    removed from the environment. `precision` is that of the matrix products and selects the limit.
    A contender marked `extra` is measured only if a pattern names it, to save memory.
    """

    name: str
    title: str
    module: str
    venv: str = ""
    options: tuple[str, ...] = ()
    variables: dict[str, str | None] = field(default_factory=dict)
    only: str = ""
    precision: str = FLOAT32
    extra: bool = False

    @property
    def label(self) -> str:
        """Return the title, with the precision unless it is float32."""
        return self.title if self.precision == FLOAT32 else f"{self.title}, {self.precision}"


_UNSET: dict[str, str | None] = {"TF_ENABLE_ONEDNN_OPTS": None}
_ON: dict[str, str | None] = {"TF_ENABLE_ONEDNN_OPTS": "1"}
_pytorch = partial(Contender, module="pytorch", venv="torch")

CONTENDERS = {
    each.name: each
    for each in (
        Contender("ours", "ours", "ours"),
        Contender(
            "ours-bf16",
            "ours",
            "ours",
            options=("--set", "precision=mixed_bfloat16"),
            precision=BFLOAT16,
        ),
        Contender("keras", "stock Keras, as installed", "stock", variables=_UNSET),
        Contender("keras-onednn", "stock Keras, oneDNN on", "stock", variables=_ON, extra=True),
        Contender(
            "keras-bf16",
            "stock Keras, as installed",
            "stock",
            options=("--bfloat16",),
            variables=_UNSET,
            precision=BFLOAT16,
            extra=True,
        ),
        _pytorch("torch", "PyTorch, channels last"),
        _pytorch("torch-nchw", "PyTorch, NCHW", options=("--nchw",), extra=True),
        _pytorch("torch-compiled", "PyTorch, channels last, compiled", options=("--compile",)),
        _pytorch(
            "torch-nchw-compiled",
            "PyTorch, NCHW, compiled",
            options=("--nchw", "--compile"),
            extra=True,
        ),
        _pytorch(
            "torch-bf16", "PyTorch, channels last", options=("--autocast",), precision=BFLOAT16
        ),
        _pytorch(
            "torch-bf16-compiled",
            "PyTorch, channels last, compiled",
            options=("--autocast", "--compile"),
            precision=BFLOAT16,
        ),
        _pytorch(
            "torch-bf16-products",
            "PyTorch, channels last, float32 maps",
            options=("--products",),
            precision=BFLOAT16,
            extra=True,
        ),
        Contender("mxnet", "MXNet", "mxnet_peer", "mxnet", only="inception_rrelu", extra=True),
    )
}
# Our contender in each precision; peers are compared with the one in their precision.
OURS = {each.precision: each.name for each in CONTENDERS.values() if each.module == "ours"}

# Matrix products, which set the upper limit for training.
GEMMS = {
    each.name: each
    for each in (
        Contender("gemm-tensorflow", "TensorFlow with oneDNN", "gemm", variables=_ON),
        Contender("gemm-torch", "PyTorch", "gemm", "torch", ("--torch",)),
        Contender(
            "gemm-tensorflow-bf16",
            "TensorFlow with oneDNN",
            "gemm",
            options=("--bfloat16",),
            variables=_ON,
            precision=BFLOAT16,
        ),
        Contender(
            "gemm-torch-bf16",
            "PyTorch",
            "gemm",
            "torch",
            ("--torch", "--bfloat16"),
            precision=BFLOAT16,
        ),
    )
}
