"""What the judges share: one line a case, the process that drives the library, and the shell."""
import json
import os
import subprocess
import sys
from decimal import Decimal


class Judge:
    """Prints `interop JUDGE CASE pass|fail|skip REASON`, separated by tabs, and remembers what failed."""

    def __init__(self, name):
        self.name = name
        self.counts = {"pass": 0, "fail": 0, "skip": 0}

    def say(self, case, outcome, reason=""):
        self.counts[outcome] += 1
        reason = " ".join(str(reason).split())[:500]
        print("interop", self.name, case, outcome, reason, sep="\t", flush=True)

    def check(self, case, got, wanted):
        if got == wanted:
            self.say(case, "pass")
        else:
            self.say(case, "fail", f"got {got!r}, wanted {wanted!r}")

    def done(self):
        print(f"{self.name}: {self.counts['pass']} passed, {self.counts['fail']} failed, {self.counts['skip']} skipped", flush=True)
        sys.exit(1 if self.counts["fail"] or not self.counts["pass"] else 0)


class Probe:
    """interop/probe.c: one connection of the library."""

    def __init__(self, dsn):
        self.process = subprocess.Popen([os.environ["PROBE"], dsn], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def ask(self, *parts):
        self.process.stdin.write("\t".join(parts) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the probe ended with {self.process.wait()}")
        # Numbers stay what they are on paper: a double is not allowed to hide a wrong digit.
        return json.loads(line, parse_float=Decimal, object_pairs_hook=list)

    def rows(self, *parts):
        answer = dict(self.ask(*parts))
        if "error" in answer:
            return "error " + answer["sqlstate"] + " " + answer["error"]
        if "failed" in answer:
            return "failed while reading " + str(answer["failed"])
        return answer["rows"]

    def close(self):
        self.process.stdin.close()
        return self.process.wait(30)


def shell(dsn, *arguments, stdin=""):
    """The shell; answers exit code, output and error output."""
    environment = dict(os.environ, DBSQL_DSN=dsn)
    done = subprocess.run([os.path.join(os.environ["DBSQL_BUILD"], "dbsql"), *arguments], env=environment, input=stdin, capture_output=True,
                          text=True, encoding="utf-8", timeout=300, check=False)
    return done.returncode, done.stdout, done.stderr
