"""Writes model.pth, a TorchScript model of three inputs: python make_model.py

It is a logistic regression with known weights, so that its results can be checked by hand."""
import pathlib

import torch

WEIGHTS = [0.5, -1.0, 0.25]
BIAS = 0.1


def main():
    model = torch.nn.Sequential(torch.nn.Linear(len(WEIGHTS), 1), torch.nn.Sigmoid())
    with torch.no_grad():
        model[0].weight[:] = torch.tensor([WEIGHTS])
        model[0].bias[:] = BIAS
    torch.jit.script(model).save(pathlib.Path(__file__).parent / "model.pth")


if __name__ == "__main__":
    main()
