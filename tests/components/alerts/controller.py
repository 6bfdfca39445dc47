from __future__ import annotations

from tests.components.alerts.model import Fault, owner, up
from tests.components.model.values import IMAGE

MODES = [{"image": IMAGE}, {"image": IMAGE, "namespaces": ["other"]}]
COMPONENT = {"image": IMAGE}
WELL = dict(
    [
        up("controller"),
    ]
)
CASES = {
    "EngineDown": [
        Fault({'up{namespace="shop",instance_name="controller"': None}, owner("controller")),
        Fault({'up{namespace="shop",instance_name="controller"': "0+0"}),
    ],
}
