"""A record in words."""


def summary(record: dict, folder: str) -> str:
    """What a run learned, as lines of text for a terminal."""
    lines = [
        f"{record['name']}: {record['step']:,} steps on {record['settings']['data']} "
        f"({record['data_source']})",
        f"  ELBO            {record['elbo']:9.2f} nats per image "
        f"(reconstruction {record['reconstruction']:.2f}, KL {record['kl']:.2f})",
        f"  active latents  {record['active_latents']:6.0f} of {record['settings']['latent_dim']}",
        *(
            f"  {name:14}  {value:9.3f}"
            for name, value in record["scores"].items()
            if name != "active_latents"  # there by the spread of codes; above by KL
        ),
    ]
    if "density" in record:
        lines.append(f"  density         {record['density']:9.3f} of all links are open; by layer:")
        width = max(map(len, record["densities"]))
        for name, value in record["densities"].items():
            lines.append(f"    {name:{width}}  {value:6.3f}  {'#' * round(40 * value)}")
    if "share_cut" in record:
        lines.append(
            f"  weights cut     {record['share_cut']['all']:9.3f} of all; "
            f"ELBO after the cut {record['elbo_after_cut']:.2f}"
        )
    lines.append(f"  pictures        {folder}/pictures, model {folder}/model.keras")
    return "\n".join(lines)
