from __future__ import annotations

import spaces
from fusion_ops import FusionChoice
from spaces.alone import every_choice_alone


def test_every_choice_of_every_slot_stands_alone_in_the_network_as_it_is() -> None:
    space = spaces.create("resnet", depth=8, width=8, num_classes=10, in_channels=1, ops=["sum", "aff"], reductions=[2])
    original = space.original()
    found = list(every_choice_alone(space))
    assert [(one.slot, one.choice) for one in found] == [
        (index, choice) for index, slot in enumerate(space.slots) for choice in slot.choices
    ]
    for one in found:
        differ = [name for name, choice in one.architecture.choices if choice != original[name]]
        assert differ == ([] if one.choice.name == "sum" else [space.slots[one.slot].points[0].name])


def test_tied_points_are_changed_together() -> None:
    space = spaces.create("resnet", depth=14, width=8, num_classes=10, in_channels=1, ops=["sum", "aff"], tie="stage")
    aff = next(one for one in every_choice_alone(space) if one.choice.name == "aff")
    changed = {name for name, choice in aff.architecture.choices if choice != FusionChoice("sum")}
    assert changed == {point.name for point in space.slots[0].points}
    assert len(changed) == 2
