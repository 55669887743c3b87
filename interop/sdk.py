"""The unmodified Databricks SDK for Python against our warehouse's OAuth: what it gets must let it in, and what it should not get it must not."""
import base64
import json
import os
import tempfile
import threading
import urllib.error
import urllib.request
import webbrowser

from databricks.sdk.core import Config

from judge import Judge
from warehouse import Warehouse

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Server:
    def __init__(self, warehouse):
        self.base = f"{warehouse.scheme}://{warehouse.host}:{warehouse.port}"
        self.path = warehouse.path

    def order(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with DIRECT.open(urllib.request.Request(f"{self.base}/control/{path}", data=data), timeout=30) as answer:
            return json.load(answer)

    def issued(self):
        return self.order("stats")["oauth"]["issued"]

    def status(self, headers):
        """What a Thrift request with these headers is answered; its body is none, but that is looked at later."""
        try:
            with DIRECT.open(urllib.request.Request(self.base + self.path, data=b"-", headers=headers), timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code


def sign_in(server, **settings):
    """The way it took, whether the warehouse lets it in, and for whom."""
    config = Config(host=server.base, **settings)
    headers = config.authenticate()
    part = headers["Authorization"].removeprefix("Bearer ").split(".")[1]
    subject = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["sub"]
    return config.auth_type, server.status(headers), subject


def refused(server, **settings):
    try:
        return sign_in(server, **settings)
    except Exception as error:  # noqa: BLE001 whatever the SDK raises
        return str(error)


def secrets(judge, server):
    judge.check("oauth-m2m", sign_in(server, client_id="sp-1", client_secret="s3cret"), ("oauth-m2m", 200, "sp-1"))
    judge.check("oauth-m2m: scopes", sign_in(server, client_id="sp-1", client_secret="s3cret", scopes="sql"), ("oauth-m2m", 200, "sp-1"))
    judge.check("oauth-m2m: scopes that do not reach", sign_in(server, client_id="sp-1", client_secret="s3cret", scopes="clusters")[1], 403)
    judge.check("oauth-m2m: wrong secret", "invalid_client" in str(refused(server, client_id="sp-1", client_secret="no")), True)
    judge.check("pat", Config(host=server.base, token="dapi-test").authenticate(), {"Authorization": "Bearer dapi-test"})


def workloads(judge, server, folder):
    os.environ["DATABRICKS_OIDC_TOKEN"] = server.order("mint", {"sub": "build@example.com"})["token"]
    judge.check("env-oidc: the account's policy", sign_in(server, auth_type="env-oidc"), ("env-oidc", 200, "build@example.com"))
    judge.check("env-oidc: a service principal's policy", sign_in(server, auth_type="env-oidc", client_id="sp-1"), ("env-oidc", 200, "sp-1"))
    path = os.path.join(folder, "token")
    with open(path, "w", encoding="ascii") as file:
        file.write(os.environ.pop("DATABRICKS_OIDC_TOKEN"))
    judge.check("file-oidc", sign_in(server, auth_type="file-oidc", oidc_token_filepath=path), ("file-oidc", 200, "build@example.com"))
    os.environ["DATABRICKS_OIDC_TOKEN"] = server.order("mint", {"bad_signature": True})["token"]
    judge.check("env-oidc: bad signature", "invalid_grant" in str(refused(server, auth_type="env-oidc")), True)
    del os.environ["DATABRICKS_OIDC_TOKEN"]


def person(judge, server):
    def visit(url, *_, **__):
        threading.Thread(target=lambda: DIRECT.open(url, timeout=30).read(), daemon=True).start()
        return True

    webbrowser.open = webbrowser.open_new = visit
    server.order("oauth", {"auto_consent": True})
    judge.check("external-browser", sign_in(server, auth_type="external-browser"), ("external-browser", 200, "user@example.com"))
    judge.check("external-browser: one code", server.issued()["authorization_code"], 1)


def main():
    judge = Judge("sdk")
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "ARM_", "GOOGLE_"))]:
        del os.environ[name]
    os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    warehouse = Warehouse("--oauth", "--control", "--token", "dapi-test", "--oauth-client", "sp-1:s3cret")
    try:
        with tempfile.TemporaryDirectory(prefix="dbsql-home-") as home:
            os.environ["HOME"] = home
            server = Server(warehouse)
            secrets(judge, server)
            workloads(judge, server, home)
            person(judge, server)
    finally:
        warehouse.stop()
    judge.done()


if __name__ == "__main__":
    main()
