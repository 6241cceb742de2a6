"""Colors, markers and lines that all pictures share."""

INK = "#222222"
FAINT = "#a6a6a6"
# Okabe & Ito 2008, Color Universal Design: told apart under every common color blindness.
CYCLE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
# For what mixes to grey: no black, neighbours far apart, four of Tol's muted colors among them.
LATENTS = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#882255", "#56b4e9")
LATENTS = (*LATENTS, "#999933", "#332288", "#44aa99")
MARKERS = "osD^vP"  # told apart in print too
DASHES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
