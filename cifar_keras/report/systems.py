"""The systems that were reproduced: what their pages say that is no figure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class System:
    """What a page says that is no figure; `beside` are recipes of other systems in its table.

    `name` is short, for tables; `title` says what was done. `arguments` are those of the network
    that the table tells apart; `errors` adds the errors that the original speaks of instead of
    accuracies.
    """

    name: str
    title: str
    words: str
    beside: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    errors: bool = False


SYSTEMS = {
    "A": System(
        "sub-Inception + RReLU",
        "sub-Inception with randomised leaky ReLU on CIFAR-100",
        "MXNet's notebook compares its network with a highway network and a deeply-supervised net.",
        beside=("highway19", "dsn"),
        arguments=("activation",),
    ),
    "B": System(
        "ResNeXt-101",
        "ResNeXt-101 on CIFAR-10, fine-tuned and from scratch",
        "Julien Simon's articles give round figures; their curves were read off the plots.",
    ),
    "C": System(
        "ResNets in neon",
        "ResNets of four depths on CIFAR-10 in neon",
        "The published memory is that of a graphics card, ours that of the whole process.",
        arguments=("depth",),
        errors=True,
    ),
    "D": System(
        "VGG ablation",
        "VGG on CIFAR-10 with and without batch norm and dropout",
        "The published figures are those of the best epoch, chosen on the test set; they are "
        "compared with our best epochs. The published plain network shares weights between "
        "layers, so it differs from the others by more than batch norm and dropout.",
        arguments=("batch_norm", "dropout", "shared"),
    ),
    "E": System(
        "highway and deeply-supervised nets",
        "the highway network and the deeply-supervised net",
        "The networks that system A is compared with, and the other entries of their table.",
    ),
    "F": System(
        "Network in Network",
        "five activations on network in network",
        "The published learning-rate schedule is not known: compare the differences between "
        "activations, not the accuracies themselves.",
        arguments=("activation", "activation_numbers"),
        errors=True,
    ),
    "G": System(
        "airbench",
        "the fastest known way to 94, 95 and 96 % on CIFAR-10",
        "All published figures were measured with test-time augmentation (TTA), and are compared "
        "with ours measured with TTA.",
    ),
    "H": System(
        "CIFAR-100 speedrun",
        "the CIFAR-100 speed record",
        "Tested without test-time augmentation.",
    ),
}
