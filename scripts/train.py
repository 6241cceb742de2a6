"""Train one VAE: `python scripts/train.py --name first --gate hard_concrete --strength 300`."""

from sparsevae.commands.train import main

if __name__ == "__main__":
    main()
