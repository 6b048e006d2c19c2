"""The same seeded work on this process, on processes of this machine, or on a Ray cluster, with the same results."""

from barkyard.fleet.plan import Backend as Backend
from barkyard.fleet.plan import Failure as Failure
from barkyard.fleet.plan import Item as Item
from barkyard.fleet.plan import Plan as Plan
from barkyard.fleet.run import BACKENDS as BACKENDS
from barkyard.fleet.run import make_backend as make_backend
from barkyard.fleet.run import run as run
from barkyard.fleet.work import Work as Work
from barkyard.fleet.work import collect as collect
from barkyard.fleet.work import evaluate as evaluate
from barkyard.fleet.work import race as race
