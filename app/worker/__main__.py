"""`python -m app.worker ID`: the worker process that `app.worker.engine` starts."""

import sys

from app.logs import configure_logs
from app.settings import Settings
from app.worker.process import run_worker

if __name__ == "__main__":
    settings = Settings()
    configure_logs(settings.log_level, settings.log_format)
    run_worker(settings, sys.argv[1])
