"""What each score asks, in a line."""

from collections.abc import Mapping

from sparsevae.report.run_folder import number

_VIEWS = ("_active", "_ceiling", "_low", "_high")

QUESTIONS = {
    "beta_vae": "Does the difference of two codes tell which factor both images share?",
    "factor_vae": "Does the latent that varies least tell which factor was kept fixed?",
    "mig": "Does one latent know much more of each factor than the next best one?",
    "mig_sup": "Does each latent know much more of one factor than of any other?",
    "jemmig": "As MIG, and does that latent know nothing of other factors?",
    "dcimig": "How far is each latent ahead for its one factor, of all there is to know?",
    "modularity": "Does each latent depend on one factor only?",
    "explicitness": "Can a simple classifier read every factor from the code?",
    "sap": "Is one latent alone much better at predicting each factor than the next best?",
    "dci_disentanglement": "Is each latent important for one factor only?",
    "dci_completeness": "Is each factor predicted by one latent only?",
    "dci_informativeness": "How well do boosted trees predict the factors from the code?",
    "dci_es_explicitness": "How small a probe is enough to read the factors?",
    "dci_es_size": "How few latents does the code have for the factors there are?",
    "infomec_m": "InfoModularity: does each latent know of one factor only?",
    "infomec_e": "InfoExplicitness: do linear probes read the factors?",
    "infomec_c": "InfoCompactness: does each factor stand in one latent only?",
    "irs": "Does a latent stay where it is when other factors change?",
    "med": "How strongly does each latent depend on a single factor, by mutual information?",
    "gaussian_total_correlation": "How dependent are latents on each other, were they Gaussian? "
    "0 is best.",
    "gaussian_wasserstein_correlation": "How far are the codes from independent ones? 0 is best.",
    "gaussian_wasserstein_correlation_norm": "The same, divided by the total variance. 0 is best.",
    "mutual_information_score": "How much do pairs of latents know of each other? 0 is best.",
    "spread_latents": "How many latents have codes that vary from image to image?",
}
_FIELDS = {
    "disentanglement": "is each latent tied to one factor",
    "completeness": "is each factor tied to one latent",
    "mig": "how far is the best latent ahead of the next",
    "sap": "how far is the best latent ahead of the next, as a difference",
    "modularity": "how little do latents share with other factors",
    "area_precision": "how well does one ranking of latents serve each factor",
}


def question(name: str) -> str:
    """What a score asks; empty for an unknown one."""
    if name in QUESTIONS:
        return QUESTIONS[name]
    if (other := name.replace("dci_fast_", "dci_")) in QUESTIONS:
        return QUESTIONS[other]
    if (other := name.replace("infomec_published", "infomec")) in QUESTIONS:
        return f"{QUESTIONS[other]} (as its authors estimate it)"
    for field, asks in _FIELDS.items():
        if name.startswith("unified_") and name.endswith(field):
            return f"From one matrix of importances: {asks}?"
    return ""


def score_rows(scores: Mapping[str, float]) -> list[dict]:
    """A row a score: of all latents, of active ones, its ceiling, its interval, its question."""
    rows = []
    for name in scores:
        if name.endswith(_VIEWS) and name.rsplit("_", 1)[0] in scores:
            continue
        value, ceiling = number(scores[name]), number(scores.get(f"{name}_ceiling"))
        rows.append(
            {
                "name": name,
                "value": value,
                "active": number(scores.get(f"{name}_active")),
                "ceiling": ceiling,
                "low": number(scores.get(f"{name}_low")),
                "high": number(scores.get(f"{name}_high")),
                "share": value / ceiling if value is not None and ceiling else None,
                "question": question(name),
            }
        )
    return rows
