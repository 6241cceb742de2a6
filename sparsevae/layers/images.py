"""Where a layer's input or output has its spatial axes."""


def spatial(shape: tuple[int | None, ...], data_format: str) -> tuple[int | None, ...]:
    """Sizes of the axes of `shape` that are neither batch nor channels; None where unknown."""
    return tuple(shape[2:] if data_format == "channels_first" else shape[1:-1])
