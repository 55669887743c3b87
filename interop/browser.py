"""A person signs in with Chromium: `dbsql auth login`, the warehouse's page, the page that the shell serves, and SQL with what came of it."""
import base64
import json
import os
import stat
import subprocess
import tempfile
import urllib.parse
import urllib.request

from judge import Judge
from warehouse import Warehouse
from webdriver import Browser

PICTURES = os.path.join("build", "browser")


class Shell:
    """The shell of one person: a home of their own."""

    def __init__(self, warehouse, home):
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("DATABRICKS_", "DBSQL_DSN", "XDG_", "ARM_"))}
        keep.pop("DISPLAY", None)
        keep.pop("WAYLAND_DISPLAY", None)
        self.home = home
        self.environment = dict(keep, HOME=home, DBSQL_DSN=f"{warehouse.scheme}://{warehouse.host}:{warehouse.port}{warehouse.path}")
        self.program = os.path.join(os.environ["DBSQL_BUILD"], "dbsql")

    def start(self, *arguments):
        return subprocess.Popen([self.program, *arguments], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, encoding="utf-8")

    def run(self, *arguments):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def login(self):
        """The process, and the address of the page that it asks for."""
        process = self.start("auth", "login", "--no-browser", "-o", "oauth_redirect_port=0")
        line = process.stderr.readline()
        mark = "open this page to sign in: "
        if mark not in line:
            raise RuntimeError(f"login said {line!r} {process.communicate()!r}")
        return process, line.split(mark, 1)[1].strip()

    def token_files(self):
        folder = os.path.join(self.home, ".cache", "dbsql", "oauth")
        return [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".json")] if os.path.isdir(folder) else []


def control(warehouse, path, body=None):
    request = urllib.request.Request(f"{warehouse.scheme}://{warehouse.host}:{warehouse.port}/control/{path}",
                                     data=None if body is None else json.dumps(body).encode())
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return json.load(answer)


def oauth_stats(warehouse):
    return control(warehouse, "stats")["oauth"]


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def end(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def sign_in(judge, warehouse, shell, browser):
    process, url = shell.login()
    browser.open(url)
    judge.check("consent page", browser.title(), "Sign in - dbsql-warehouse")
    judge.check("consent page names the program", "databricks-sql-connector" in browser.text(), True)
    judge.check("consent page has no scripts", browser.script("return document.scripts.length"), 0)
    browser.picture(os.path.join(PICTURES, "consent.png"))
    browser.type("#user", "ada@example.com")
    browser.click("#allow")
    judge.check("listener page", browser.wait_title("Signed in"), "Signed in")
    judge.check("listener page tells to go back", "go back to the program" in browser.text(), True)
    judge.check("listener page loads nothing else", browser.script("return performance.getEntriesByType('resource').length"), 0)
    judge.check("listener page shows nothing of the request", "code=" in browser.script("return document.documentElement.outerHTML"), False)
    browser.picture(os.path.join(PICTURES, "signed_in.png"))
    code, out, err = end(process)
    judge.check("login ends well", (code, out.startswith("signed in to 127.0.0.1 (oauth-u2m)"), err), (0, True, ""))
    files = shell.token_files()
    judge.check("tokens are kept, for the user alone", [stat.S_IMODE(os.stat(name).st_mode) for name in files], [0o600])
    judge.check("one code was given", oauth_stats(warehouse)["issued"]["authorization_code"], 1)


def use(judge, warehouse, shell):
    person = ["-o", "auth_type=oauth-u2m", "-o", "token_cache=true"]
    judge.check("SQL without another page", shell.run(*person, "-F", "csv", "--no-header", "-c", "SELECT 41 + 1"), (0, "42\n", ""))
    code, token, _ = shell.run("auth", "token")
    judge.check("token", (code, claims(token)["sub"]), (0, "ada@example.com"))
    code, variables, _ = shell.run("auth", "env")
    judge.check("env", (code, f"export DATABRICKS_TOKEN='{token.strip()}'" in variables), (0, True))
    code, text, _ = shell.run("auth", "describe", *person)
    judge.check("describe", (code, text.splitlines()[:2]), (0, ["auth_type: oauth-u2m", "because: auth_type is set (option)"]))
    judge.check("describe hides secrets", token.strip() in text, False)
    before = oauth_stats(warehouse)["issued"]["refresh_token"]
    control(warehouse, "revoke", {"token": token.strip()})
    judge.check("a revoked token is renewed, and no page is shown", shell.run(*person, "-F", "csv", "--no-header", "-c", "SELECT 1"), (0, "1\n", ""))
    judge.check("by its refresh token", oauth_stats(warehouse)["issued"]["refresh_token"], before + 1)


def refuse(judge, warehouse, shell, browser):
    process, url = shell.login()
    browser.open(url)
    browser.click("#deny")
    judge.check("denied: page", browser.wait_title("Sign-in failed"), "Sign-in failed")
    browser.picture(os.path.join(PICTURES, "denied.png"))
    code, out, err = end(process)
    judge.check("denied: login", (code, out, "access_denied" in err), (3, "", True))

    # Whoever comes back with another state is not the one who was sent; the right one still can.
    control(warehouse, "faults", {"name": "oidc-wrong-state"})
    process, url = shell.login()
    browser.open(url)
    browser.click("#allow")
    wrong = browser.wait_title("Signed in", 2)
    judge.check("wrong state: page", wrong == "Signed in", False)
    judge.check("wrong state: the shell still waits", process.poll(), None)
    browser.open(url)
    browser.click("#allow")
    judge.check("then the right one: page", browser.wait_title("Signed in"), "Signed in")
    judge.check("then the right one: login", end(process)[0], 0)

    # The way back is the only one: other paths, and favicons, end nothing.
    process, url = shell.login()
    back = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["redirect_uri"][0]
    browser.open(back + "/favicon.ico")
    browser.open(back + "/?code=x&state=y")
    judge.check("strangers end nothing", process.poll(), None)
    browser.open(url)
    browser.click("#allow")
    browser.wait_title("Signed in")
    judge.check("and the browser still comes through", end(process)[0], 0)


def leave(judge, shell):
    judge.check("logout", shell.run("auth", "logout"), (0, "the tokens are removed\n", ""))
    judge.check("nothing is left", shell.token_files(), [])
    judge.check("logout again", shell.run("auth", "logout"), (0, "there were no tokens\n", ""))
    code, out, err = shell.run("auth", "token")
    judge.check("token without a login", (code, out, "dbsql auth login" in err), (3, "", True))


def main():
    judge = Judge("browser")
    os.makedirs(PICTURES, exist_ok=True)
    warehouse = Warehouse("--oauth", "--control")
    browser = None
    try:
        with tempfile.TemporaryDirectory(prefix="dbsql-home-") as home:
            shell = Shell(warehouse, home)
            browser = Browser()
            sign_in(judge, warehouse, shell, browser)
            use(judge, warehouse, shell)
            refuse(judge, warehouse, shell, browser)
            leave(judge, shell)
    finally:
        if browser is not None:
            browser.close()
        warehouse.stop()
    judge.done()


if __name__ == "__main__":
    main()
