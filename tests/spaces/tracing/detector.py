"""A small anchor-free detector with its data, loss and measure, as today's detectors are written.

Growing lists of maps that are concatenated, pooling pyramids, a top-down and a bottom-up neck, and a head that works
out where its cells are from the sizes of the maps. It imports nothing of this repository: runs copy it.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

SIZE, CLASSES, MOST = 32, 2, 2
STRIDES = (4, 8, 16)


class Conv(nn.Module):
    def __init__(self, inputs, outputs, kernel=1, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.act = nn.SiLU(inplace=True)

    def forward(self, x):
        return self.act(self.norm(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, channels, shortcut):
        super().__init__()
        self.conv1, self.conv2 = Conv(channels, channels, 3), Conv(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x):
        return x + self.conv2(self.conv1(x)) if self.shortcut else self.conv2(self.conv1(x))


class Split(nn.Module):
    """Halves of a map, and whatever the blocks make of the second one, all concatenated."""

    def __init__(self, inputs, outputs, blocks=1, shortcut=False):
        super().__init__()
        self.width = outputs // 2
        self.conv1 = Conv(inputs, 2 * self.width)
        self.conv2 = Conv((2 + blocks) * self.width, outputs)
        self.blocks = nn.ModuleList(Bottleneck(self.width, shortcut) for _ in range(blocks))

    def forward(self, x):
        y = list(self.conv1(x).chunk(2, 1))
        y.extend(block(y[-1]) for block in self.blocks)
        return self.conv2(torch.cat(y, 1))


class Pooling(nn.Module):
    """One pooling again and again, every result kept."""

    def __init__(self, channels):
        super().__init__()
        self.conv1, self.conv2 = Conv(channels, channels // 2), Conv(2 * channels, channels)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x):
        y = [self.conv1(x)]
        for _ in range(3):
            y.append(self.pool(y[-1]))
        return self.conv2(torch.cat(y, dim=1))


class Head(nn.Module):
    """Four distances and the classes' logits of every cell; boxes in pixels in evaluation.

    Where the cells are is worked out once for each size of the maps, and kept.
    """

    def __init__(self, channels):
        super().__init__()
        self.boxes = nn.ModuleList(nn.Sequential(Conv(c, c, 3), nn.Conv2d(c, 4, 1)) for c in channels)
        self.classes = nn.ModuleList(nn.Sequential(Conv(c, c, 3), nn.Conv2d(c, CLASSES, 1)) for c in channels)
        self.shape = self.cells = None

    def forward(self, maps):
        raw = []
        for index in range(len(maps)):
            raw += [torch.cat((self.boxes[index](maps[index]), self.classes[index](maps[index])), 1)]
        if self.training:
            return raw
        return self.decoded(raw), raw

    def decoded(self, raw):
        shape = raw[0].shape
        if self.shape != shape:
            self.shape, self.cells = shape, centres(raw)
        flat = torch.cat([one.view(shape[0], 4 + CLASSES, -1) for one in raw], 2)
        cells, strides = self.cells
        distances = flat[:, :4].exp() * strides
        low, high = cells - distances[:, :2], cells + distances[:, 2:]
        return torch.cat((low, high, flat[:, 4:].sigmoid()), 1)


def centres(raw):
    """Return the centres of all cells in pixels, (2, cells), and their strides, (1, cells)."""
    cells, strides = [], []
    for stride, one in zip(STRIDES, raw, strict=True):
        _, _, height, width = one.shape
        x = torch.arange(width, device=one.device, dtype=one.dtype) + 0.5
        y = torch.arange(height, device=one.device, dtype=one.dtype) + 0.5
        y, x = torch.meshgrid(y, x, indexing="ij")
        cells.append(torch.stack((x, y), 0).view(2, -1) * stride)
        strides.append(torch.full((1, height * width), float(stride), device=one.device, dtype=one.dtype))
    return torch.cat(cells, 1), torch.cat(strides, 1)


class Detector(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        w = width
        self.stem = Conv(3, w, 3, 2)
        self.down3, self.split3 = Conv(w, 2 * w, 3, 2), Split(2 * w, 2 * w, shortcut=True)
        self.down4, self.split4 = Conv(2 * w, 4 * w, 3, 2), Split(4 * w, 4 * w, 2, shortcut=True)
        self.down5, self.split5 = Conv(4 * w, 8 * w, 3, 2), Split(8 * w, 8 * w, shortcut=True)
        self.pooling = Pooling(8 * w)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.top4, self.top3 = Split(12 * w, 4 * w), Split(6 * w, 2 * w)
        self.low4, self.low5 = Conv(2 * w, 2 * w, 3, 2), Conv(4 * w, 4 * w, 3, 2)
        self.bottom4, self.bottom5 = Split(6 * w, 4 * w), Split(12 * w, 8 * w)
        self.head = Head((2 * w, 4 * w, 8 * w))

    def forward(self, images):
        third = self.split3(self.down3(self.stem(images)))
        fourth = self.split4(self.down4(third))
        fifth = self.pooling(self.split5(self.down5(fourth)))
        top4 = self.top4(torch.cat([self.up(fifth), fourth], 1))
        top3 = self.top3(torch.cat([self.up(top4), third], 1))
        bottom4 = self.bottom4(torch.cat([self.low4(top3), top4], 1))
        bottom5 = self.bottom5(torch.cat([self.low5(bottom4), fifth], 1))
        return self.head([top3, bottom4, bottom5])


def create(width=8):
    return Detector(width)


def images(count=240, seed=0):
    """Bright rectangles and discs on noise; labels (N, MOST, 5): class (-1 for none), then a box in pixels."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 60, (count, 3, SIZE, SIZE), dtype=np.uint8)
    labels = np.full((count, MOST, 5), -1, dtype=np.float32)
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    for picture, found in zip(pictures, labels, strict=True):
        for index in range(rng.integers(1, MOST + 1)):
            kind, half = rng.integers(CLASSES), rng.uniform(4, 8)
            x, y = rng.uniform(half, SIZE - half, 2)
            inside = (abs(columns - x) < half) & (abs(rows - y) < half)
            if kind:
                inside = (columns - x) ** 2 + (rows - y) ** 2 < half**2
            picture[:, inside] = rng.integers(120, 255, (3, 1))
            found[index] = (kind, x - half, y - half, x + half, y + half)
    return {"train": (pictures[40:], labels[40:]), "validation": (pictures[:20], labels[:20]),
            "test": (pictures[20:40], labels[20:40])}  # fmt: skip


def loss(outputs, labels):
    """Every cell says its classes; those within an object say how far its sides are."""
    cells, strides = centres(outputs)
    flat = torch.cat([one.flatten(2) for one in outputs], 2).float()
    low, high = labels[:, :, 1:3, None], labels[:, :, 3:5, None]
    inside = ((cells > low) & (cells < high)).all(2) & (labels[:, :, :1] >= 0)  # (B, MOST, cells)
    wanted = torch.stack([(inside & (labels[:, :, :1] == k)).any(1) for k in range(CLASSES)], 1)
    value = functional.binary_cross_entropy_with_logits(flat[:, 4:], wanted.float())
    distances = torch.cat((cells - low, high - cells), 2).clamp(min=0.1) / strides  # (B, MOST, 4, cells)
    error = (flat[:, None, :4] - distances.log()).abs().mean(2)
    return value + (error * inside).sum() / inside.sum().clamp(min=1)


def overlap(outputs, labels):
    """Mean, over the objects, of the largest overlap (IoU) with one of the ten most certain boxes of that class."""
    boxes = outputs[0]
    found = []
    for predicted, objects in zip(boxes, labels, strict=True):
        for kind, *box in objects[objects[:, 0] >= 0]:
            best = predicted[4 + int(kind)].topk(10).indices
            found.append(_iou(predicted[:4, best], torch.stack(box)[:, None]).max())
    return torch.stack(found).mean()


def _iou(first, second):
    low, high = torch.maximum(first[:2], second[:2]), torch.minimum(first[2:], second[2:])
    common = (high - low).clamp(min=0).prod(0)
    areas = [(box[2:] - box[:2]).clamp(min=0).prod(0) for box in (first, second)]
    return common / (areas[0] + areas[1] - common).clamp(min=1e-6)
