"""Networks: torch modules and their registry. There is no training code here."""
