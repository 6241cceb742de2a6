"""Many runs from one file: `python scripts/study.py run FILE`, `status FILE`, `table FILE`."""

from sparsevae.commands.study import main

if __name__ == "__main__":
    main()
