"""Client of the SASQ service: submits jobs, follows them, fetches their scales (docs/python.md)."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any

from sasq.artifact import Artifact
from sasq.client import Client, SpecFields
from sasq.errors import (ApiError, CallTimeout, CannotApply, Conflict, DataLoss, Denied, InvalidPack, InvalidRequest,
                         InvalidSpec, JobCancelled, JobFailed, NotFound, QualityGateFailed, SasqError, Unavailable,
                         WaitTimeout)
from sasq.job import Job
from sasq.scale_pack import ScalePack, load_pack

if TYPE_CHECKING:
    from sasq.apply import apply_scales

__version__ = importlib.metadata.version("sasq")

__all__ = ["ApiError", "Artifact", "CallTimeout", "CannotApply", "Client", "Conflict", "DataLoss", "Denied",
           "InvalidPack", "InvalidRequest", "InvalidSpec", "Job", "JobCancelled", "JobFailed", "NotFound",
           "QualityGateFailed", "SasqError", "ScalePack", "SpecFields", "Unavailable", "WaitTimeout", "apply_scales",
           "load_pack"]


def __getattr__(name: str) -> Any:
    """`apply_scales` brings in torch, an extra, at its first use."""
    if name != "apply_scales":
        raise AttributeError(f"module 'sasq' has no attribute {name!r}")
    try:
        from sasq.apply import apply_scales
    except ImportError as error:
        raise ImportError("apply_scales needs PyTorch and transformers: pip install 'sasq[torch]'") from error
    return apply_scales
