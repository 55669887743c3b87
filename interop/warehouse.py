"""A local warehouse for a judge."""
import os
import re
import subprocess


class Warehouse:
    def __init__(self, *arguments):
        program = os.path.join(os.environ["DBSQL_BUILD"], "dbsql-warehouse")
        self.process = subprocess.Popen([program, "--port", "0", *arguments], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"dbsql-warehouse ready: ((https?)://token:([^@]+)@([^:]+):(\d+)(/\S*))\n", line)
        if not found:
            raise RuntimeError(f"the warehouse did not say that it is ready: {line!r}")
        self.dsn, self.scheme, self.token, self.host, port, self.path = found.groups()
        self.port = int(port)

    def stop(self):
        self.process.terminate()
        return self.process.wait(30)
