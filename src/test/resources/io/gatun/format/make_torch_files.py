"""Makes torch_state.pt, torch_output.npy, torch_nested.pt and torch_code.pt with PyTorch 1.13."""
import os

import numpy as np
import torch

torch.manual_seed(3)


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(6, 3)
        self.lstm = torch.nn.LSTM(3, 4, bidirectional=True)
        self.head = torch.nn.Linear(8, 2)

    def forward(self, tokens):
        return self.head(self.lstm(self.embedding(tokens))[0])


class Code:
    """What it is pickled as would run a command when it is loaded."""

    def __reduce__(self):
        return os.system, ("touch /tmp/the-pickle-was-run",)


network = Network()
torch.save(network.state_dict(), "torch_state.pt")
tokens = torch.tensor([[1, 2], [0, 5], [4, 3], [2, 2]])
np.save("torch_output.npy", network(tokens).detach().numpy())
torch.save(
    {
        "epoch": 7,
        "rate": 0.5,
        "name": "a model",
        "model": {"half": torch.tensor([1.5, -2.0]).half(), "whole": torch.tensor([[1, -2], [3, 4]])},
        "views": [torch.arange(6.0).reshape(2, 3).t(), torch.arange(4.0)[1:3], torch.zeros(0, 3)],
        "parameter": torch.nn.Parameter(torch.tensor(2.5)),
    },
    "torch_nested.pt",
)
torch.save({"weight": torch.ones(2), "more": Code()}, "torch_code.pt")
