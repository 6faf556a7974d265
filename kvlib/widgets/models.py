"""The models that a figure offers: shipped ones by name, or layouts of the caller's own."""

from .. import configs
from ..layouts import CacheLayout


def layouts(models=None) -> dict[str, CacheLayout]:
    """`models` is None (every shipped model), a list of names, or a dict name -> CacheLayout.

    Raises ValueError for an unknown name, or no model at all.
    """
    if not isinstance(models, dict):
        names = configs.models() if models is None else [models] if isinstance(models, str) else models
        models = {name: configs.layout(name) for name in names}
    if not models:
        raise ValueError("models must name at least one model")
    return dict(models)
