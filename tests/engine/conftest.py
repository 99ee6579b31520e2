import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # so that tests and the processes they start share one toy
