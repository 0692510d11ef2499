"""The old name of `python app.py export`, for one version more."""

import sys

from services.commands.export import main

if __name__ == "__main__":
    print("python -m services.store.export is now python app.py export", file=sys.stderr)
    sys.exit(main(sys.argv[1:]))
