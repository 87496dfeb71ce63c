from __future__ import annotations

import importlib.util
import os

from hypothesis import HealthCheck, Phase, settings

# The reference is installed for the main Python only.
collect_ignore_glob = [] if importlib.util.find_spec("langgraph") else ["test_*.py", "agents/test_*.py"]

# Making a failing graph small takes minutes; ask for it with ORACLE_SHRINK=1 and -o faulthandler_timeout=0.
PHASES = tuple(Phase) if os.environ.get("ORACLE_SHRINK") else (Phase.explicit, Phase.generate)
HEALTH = list(HealthCheck)

# Derandomised, so that a run that was green stays so; the slow test draws anew.
settings.register_profile(
    "ci", max_examples=60, deadline=None, derandomize=True, phases=PHASES, suppress_health_check=HEALTH
)
settings.register_profile("slow", max_examples=200, deadline=None, phases=PHASES, suppress_health_check=HEALTH)
