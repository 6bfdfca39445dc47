"""A kubeconfig for a server on this machine, with a second context for it under another name."""

TEXT = """
apiVersion: v1
kind: Config
current-context: test
clusters: [{{name: test, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: test, user: {{token: t}}}}]
contexts:
- {{name: test, context: {{cluster: test, user: test, namespace: shop}}}}
- {{name: other, context: {{cluster: test, user: test}}}}
"""


def kubeconfig_for(port: int) -> str:
    return TEXT.format(port=port)
