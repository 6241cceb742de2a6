"""Colors that all pictures share."""

INK = "#222222"
FAINT = "#a6a6a6"
# Okabe & Ito 2008, Color Universal Design: told apart under every common color blindness.
CYCLE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
