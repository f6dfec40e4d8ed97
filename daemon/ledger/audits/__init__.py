"""Audits in the ledger: which photos were drawn, what people answered, and the figures that follow."""
