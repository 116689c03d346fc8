"""The shapes of the peers' networks, the same for every framework."""

RESNET_FILTERS = (16, 32, 64)

# Filters and convolutions of each group. Dropout follows every convolution except the last.
VGG_GROUPS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
VGG_DROPOUT = (0.3, 0.4, 0.4, 0.4, 0.4)

AIRBENCH_WIDTHS = (64, 256, 256)

# Width, middle width, and the sizes of the three kernels.
SPEEDRUN_GROUPS = ((64, 64, (3, 1, 1)), (256, 192, (3, 3, 1)), (768, 512, (2, 3, 3)))

# Filters of the 1x1, of (reduction, 3x3), of (reduction, both 3x3), pooling, its projection.
INCEPTION_MODULES = (
    ("3a", 64, (64, 64), (64, 96), "average", 32),
    ("3b", 64, (64, 96), (64, 96), "average", 64),
    ("3c", 0, (128, 160), (64, 96), "max", 0),
    ("4a", 224, (64, 96), (96, 128), "average", 128),
    ("4b", 192, (96, 128), (96, 128), "average", 128),
    ("4c", 160, (128, 160), (128, 160), "average", 128),
    ("4d", 96, (128, 192), (160, 192), "average", 128),
    ("4e", 0, (128, 192), (192, 256), "max", 0),
    ("5a", 352, (192, 320), (160, 224), "average", 128),
    ("5b", 352, (192, 320), (192, 224), "max", 128),
)
RRELU = (0.125, 0.334)
