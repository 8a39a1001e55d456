"""For servers other than Gunicorn: switches the metrics on when Python starts.

A `.pth` file in the application's virtual environment holds two lines, the
folder of this package and `import monctl_metrics.autoload`. Without
MONCTL_METRICS in the environment (pip, a shell, manage.py) it does nothing.
"""

import os

if "MONCTL_METRICS" in os.environ:
    from . import activation

    activation.in_worker()
