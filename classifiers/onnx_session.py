"""ONNX models as a screening process runs them: one thread, no spinning, made in the process that uses them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # on by default since 1.29: nothing here tells anybody anything

import onnxruntime

from classifiers.weights import WeightsMissing

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

_sessions: dict[tuple[int, str, int, str], Any] = {}


def session(path: Path, device: str = "cpu") -> Any:
    """The onnxruntime session of the model at `path`, loaded once per process and device.

    One thread and no spinning: several workers share a machine, and spinning doubled latency under load
    (measured 2026-11-20: 11 ms against 19-23 ms with two spinning threads). A session does not survive a
    fork, so a forked worker makes its own. Raises WeightsMissing where `device` cannot run here or the
    file is not a model.
    """
    device = device.partition(":")[0]
    key = (os.getpid(), str(path), path.stat().st_mtime_ns, device)
    if key not in _sessions:
        _sessions[key] = _load(path, device)
    return _sessions[key]


def options() -> Any:
    """onnxruntime.SessionOptions: one thread, no spinning, silent."""
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = 1
    chosen.inter_op_num_threads = 1
    chosen.add_session_config_entry("session.intra_op.allow_spinning", "0")
    chosen.log_severity_level = 3
    return chosen


def _load(path: Path, device: str) -> Any:
    provider = PROVIDERS.get(device)
    if provider is None or provider not in onnxruntime.get_available_providers():
        raise WeightsMissing(
            f"the device {device!r} cannot run {path.parent.name}/{path.name}: "
            f"onnxruntime here offers {', '.join(onnxruntime.get_available_providers())}",
            "pip uninstall onnxruntime && pip install onnxruntime-gpu, or choose the device cpu",
        )
    chosen = [provider] if device == "cpu" else [provider, PROVIDERS["cpu"]]
    try:
        return onnxruntime.InferenceSession(str(path), options(), providers=chosen)
    except Exception as wrong:  # onnxruntime raises its own kinds; this is their only base
        raise WeightsMissing(
            f"{path.parent.name}/{path.name} cannot be loaded: {wrong}", f"dramagate models pull {path.parent.name}"
        ) from wrong
