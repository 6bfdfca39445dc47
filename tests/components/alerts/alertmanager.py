from __future__ import annotations

from tests.components.alerts.model import Fault, of, owner, up

TOLD = {"receivers": {"team": {"webhook": {"url": "https://hooks.example.com/x"}}}, "default": ["team"]}
MODES = [TOLD, {**TOLD, "members": 3}]
COMPONENT = {**TOLD, "members": 3}
WELL = dict(
    [
        up("alertmanager"),
        of("alertmanager", "alertmanager_cluster_members", "3+0"),
        of("alertmanager", "alertmanager_notifications_failed_total", "2+0", integration="webhook"),
    ]
)
CASES = {
    "AlertmanagerDown": [
        Fault({'up{namespace="shop",instance_name="alertmanager"': None}, owner("alertmanager")),
        Fault({'up{namespace="shop",instance_name="alertmanager"': "0+0"}),
    ],
    "AlertmanagerMembersMissing": [Fault({"alertmanager_cluster_members": "2+0"})],
    "AlertmanagerNotificationsFail": [
        Fault({"alertmanager_notifications_failed_total": "2+1"}, {"integration": "webhook"})
    ],
}
