"""A recipe of each family, and what makes its network small."""

from importlib import import_module

RESNEXT = ["model.filters=4", "model.groups=2", "model.width=2"]
# What no override makes small, `narrow` does.
SMALL = {
    "airbench": ("airbench94", ["model.widths=[8, 8, 8]"]),
    "dsn": ("dsn", []),
    "highway": ("highway19", []),
    "inception": ("inception_rrelu", []),
    "nin": ("nin_prelu", []),
    "resnet_he": ("resnet20_he", ["model.depth=8"]),
    "resnet_mxnet": ("resnet110_adadelta", ["model.depth=8"]),
    "resnet_neon": ("resnet20", ["model.depth=8"]),
    "resnext_cifar": ("resnext29_8x64d", ["model.depth=11", *RESNEXT]),
    "resnext_imagenet": ("resnext101_adadelta", ["model.blocks=[1]", *RESNEXT]),
    "speedrun": ("speedrun10", []),
    "vgg": ("vgg_bn_dropout", []),
}


def narrow(put):
    """Make small what is a constant of its family; `put(module, name, value)` as `setattr`."""

    def family(name):
        return import_module(f"cifar_keras.models.{name}")

    for name in ("dsn", "nin"):
        put(family(name), "BLOCKS", ((5, (4, 4, 4)), (5, (4, 4, 4)), (3, (4, 4, None))))
    put(family("highway"), "STAGES", ((4, 1), (4, 1)))
    put(family("vgg"), "GROUPS", ((4, 1),) * 5)
    module = family("inception")._Module
    put(family("inception"), "MODULES", {"3a": module(4, (4, 4), (4, 4), "average", 4)})
    group = family("speedrun")._Group
    groups = tuple(group(4, 4, (kernel, 1, 1)) for kernel in (3, 3, 2))
    put(family("speedrun"), "GROUPS", groups)
