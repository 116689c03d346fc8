"""Recipes: the frozen schema, and how recipes are found, read and overridden."""

from cifar_keras.recipe.base import alters_network
from cifar_keras.recipe.files import (
    altering,
    load_recipe,
    overridden,
    recipe_names,
    recipe_path,
    recipes_folder,
    resolved,
)
from cifar_keras.recipe.flattening import flat
from cifar_keras.recipe.names import RULE, is_name
from cifar_keras.recipe.reference import Curve, Reference
from cifar_keras.recipe.schema import NUM_CLASSES, Data, Precision, Recipe, Stage

__all__ = [
    "NUM_CLASSES",
    "RULE",
    "Curve",
    "Data",
    "Precision",
    "Recipe",
    "Reference",
    "Stage",
    "altering",
    "alters_network",
    "flat",
    "is_name",
    "load_recipe",
    "overridden",
    "recipe_names",
    "recipe_path",
    "recipes_folder",
    "resolved",
]
