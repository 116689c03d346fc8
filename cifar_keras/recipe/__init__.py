"""Recipes: the frozen schema, and how one is found, read and overridden."""

from cifar_keras.recipe.files import load_recipe, recipe_names, recipe_path, recipes_folder
from cifar_keras.recipe.schema import NUM_CLASSES, Curve, Data, Recipe, Reference, Stage
from cifar_keras.recipe.upgrades import upgrade

__all__ = [
    "NUM_CLASSES",
    "Curve",
    "Data",
    "Recipe",
    "Reference",
    "Stage",
    "load_recipe",
    "recipe_names",
    "recipe_path",
    "recipes_folder",
    "upgrade",
]
