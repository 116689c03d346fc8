"""A recipe of each family, and what makes its network small."""

from importlib import import_module

from cifar_keras.recipe import load_recipe, recipe_names, recipe_path

RESNEXT = ["model.filters=4", "model.groups=2", "model.width=2"]
# What no override makes small, `narrow` does.
NARROWED = ["parameters=0"]


def _as_shipped():
    """Every family in the first recipe that has it."""
    recipes = {name: load_recipe(recipe_path(name)) for name in reversed(recipe_names())}
    return {recipe.model.name: (name, []) for name, recipe in recipes.items()}


# A new family needs no entry, unless it is slow at its full size.
SMALL = _as_shipped() | {
    "airbench": ("airbench94", ["model.widths=[8, 8, 8]"]),
    "dsn": ("dsn", NARROWED),
    "highway": ("highway19", NARROWED),
    "inception": ("inception_rrelu", NARROWED),
    "nin": ("nin_prelu", NARROWED),
    "resnet_he": ("resnet20_he", ["model.depth=8"]),
    "resnet_mxnet": ("resnet110_adadelta", ["model.depth=8"]),
    "resnet_neon": ("resnet20", ["model.depth=8"]),
    "resnext_cifar": ("resnext29_8x64d", ["model.depth=11", *RESNEXT]),
    "resnext_imagenet": ("resnext101_adadelta", ["model.blocks=[1]", *RESNEXT]),
    "speedrun": ("speedrun10", NARROWED),
    "vgg": ("vgg_bn_dropout", NARROWED),
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
