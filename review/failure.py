"""Who must act: the family of `provenance.failure`, under the names this package has used from the start."""

from __future__ import annotations

from provenance.failure import ConfigError, Unavailable

__all__ = ["ConfigError", "Unavailable"]
