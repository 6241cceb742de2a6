"""The images of a run: its data set, and which part of it training sees."""

from sparsevae import data as data_sets
from sparsevae.data import FactorDistribution, ImageData
from sparsevae.study.settings import RunSettings


def load_data(settings: RunSettings, source: str | None = None) -> ImageData:
    """The whole data set of a run; `source` says where from if it is known from a record."""
    return data_sets.load(
        settings.data,
        settings.data_dir,
        source or settings.data_source,
        factors=settings.factors,
        image_size=settings.image_size,
        background=settings.background,
    )


def training_distribution(settings: RunSettings, data: ImageData) -> FactorDistribution | None:
    """Which images a run trains on, and how often; None for all alike.

    Raises:
        ValueError: if the set has no factors, a factor is unknown, a value is out of range, or no
            image is left.
    """
    conditions = settings.training_conditions()
    if not conditions:
        return None
    if not hasattr(data, "factors"):
        raise ValueError(
            f"`{next(iter(conditions))}` needs a set with factors, and {data.name} has none; "
            "`factors` gives it some"
        )
    return FactorDistribution(data, **conditions)
