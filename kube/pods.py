"""What a pod says: HTTP to it through the API server, and the lines it wrote."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from kube.errors import UnsentError
from kube.kinds import POD
from kube.requests import SECONDS, Requests

MOST_TEXT_BYTES = 16 * 2**20
_PATH = re.compile(r"/[!-~]{0,4096}")


class Pods(Requests):
    """Pages and logs of pods."""

    async def pod_text(
        self, namespace: str, pod: str, port: int, path: str, *, seconds: float = 5.0, most_bytes: int = MOST_TEXT_BYTES
    ) -> str:
        """GET ``path`` of a pod through the API server's proxy: works from wherever the API server does.

        Raises:
            InvalidError: the path would leave the pod.
            TooLargeError: the answer has more than ``most_bytes``.
            KubeError: the pod does not answer, or answers with an error.
        """
        what = f"GET {path[:200]!r} of pod {namespace}/{pod}:{port}"
        route, _, query = path.partition("?")
        parts = route.split("/")
        packed = any(sign in route.lower() for sign in ("%2e", "%2f", "%5c", "\\", "//"))
        if (
            packed
            or parts[0]
            or {"..", "."} & set(parts)
            or not _PATH.fullmatch(route)
            or not _PATH.fullmatch(f"/{query}")
        ):
            raise UnsentError(f"{what}: a path begins with / and stays in the pod, for example /metrics", status=400)
        url = f"{POD.path(namespace, pod)}:{int(port)}/proxy{path}"
        return await self._text(url, what, seconds, most_bytes)

    async def logs(self, namespace: str, pod: str, *, container: str = "", tail: int = 200) -> str:
        """The last ``tail`` lines a container wrote.

        Raises:
            KubeError: no such pod, or it has not started.
        """
        query = f"?{urlencode({'tailLines': tail, **({'container': container} if container else {})})}"
        return await self.log_text(namespace, pod, query, seconds=SECONDS)

    async def log_text(
        self, namespace: str, pod: str, query: str, *, seconds: float, most_bytes: int = MOST_TEXT_BYTES
    ) -> str:
        """What a container wrote, as a query of the pod's ``log`` (``?sinceTime=…``) asks for it.

        Raises:
            KubeError: no such pod, it has not started, or it has several containers and none is named.
        """
        url = f"{POD.path(namespace, pod, 'log')}{query}"
        return await self._text(url, f"logs of {namespace}/{pod}", seconds, most_bytes)
