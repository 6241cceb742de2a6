"""What every score promises, from one list; each score is called as `evaluate` calls it."""

from dataclasses import dataclass, field

SIZES = (3, 4, 5)
N_IMAGES = 900


@dataclass(frozen=True)
class Claims:
    """What the docstring of a value promises.

    Attributes:
        least, most: Bounds.
        perfect, noise, duplicated, rotated: Range of the value of a code where each latent is one
            factor, that ignores the factors, that holds each factor twice, that turns two factors
            by 45 degrees.
        order, sign, scale: Whether it keeps its value when latents are permuted, negated, scaled.
        dead: Whether constant latents beside the others leave it as it is.
        precision: Largest change from float64 to float32 codes.
    """

    perfect: tuple[float, float]
    noise: tuple[float, float]
    duplicated: tuple[float, float]
    rotated: tuple[float, float]
    least: float = 0.0
    most: float = 1.0
    order: bool = True
    sign: bool = True
    scale: bool = True
    dead: bool = True
    precision: float = 0.01
    tolerance: float = field(default=1e-9)
