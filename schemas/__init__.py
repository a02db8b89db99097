"""What an event is: the JSON Schemas of everything that comes in and is kept, and their loader."""

from schemas.checker import Checker
from schemas.loader import Schemas, load
from schemas.parts import OWN, REFUSING, Parts
from schemas.plan import Fault, Plan, PlanError
from schemas.violation import CODES, Violation

__all__ = [
    "CODES",
    "OWN",
    "REFUSING",
    "Checker",
    "Fault",
    "Parts",
    "Plan",
    "PlanError",
    "Schemas",
    "Violation",
    "load",
]
