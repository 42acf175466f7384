"""Trains the network from scratch on the images of `search.yaml` and writes `weights.pt`: half a minute."""

from pathlib import Path

import torch
from my_network import WEIGHTS, create
from torch import nn

from search.config import SearchConfig
from search.training import data

EPOCHS, BATCH, PEAK = 12, 32, 0.1

config = SearchConfig.load(Path(__file__).with_name("search.yaml"))
dataset = data.load(config.data)
mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (dataset.mean, dataset.std))


def shown(images):
    return (images / 255 - mean) / std


WEIGHTS.unlink(missing_ok=True)
torch.manual_seed(0)
network, train = create(), dataset.train
optimizer = torch.optim.SGD(network.parameters(), lr=PEAK, momentum=0.9, weight_decay=5e-4, nesterov=True)
steps = EPOCHS * (len(train) // BATCH)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, total_steps=steps)
loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
for _ in range(EPOCHS):
    for batch in torch.randperm(len(train)).split(BATCH)[: len(train) // BATCH]:
        loss = loss_of(network(shown(train.images[batch])), train.labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
network.eval()
with torch.no_grad():
    right = network(shown(dataset.validation.images)).argmax(1) == dataset.validation.labels
print(f"validation accuracy {right.float().mean():.2%}")
torch.save(network.state_dict(), WEIGHTS)
