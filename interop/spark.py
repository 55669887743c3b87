"""Our library and shell against a real Spark Thrift Server. What is expected is written here or computed by Python, never by us."""
import csv
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from decimal import Decimal

from judge import Judge, Probe, shell

MILLION = 1_000_000

# name, statement, expected rows as JSON has them. Plain servers send dates, timestamps, decimals, intervals and nested values as text.
CASES = [
    ("int", "SELECT 1", [[1]]),
    ("tinyint-min-max", "SELECT CAST(-128 AS TINYINT), CAST(127 AS TINYINT)", [[-128, 127]]),
    ("smallint-min-max", "SELECT CAST(-32768 AS SMALLINT), CAST(32767 AS SMALLINT)", [[-(2**15), 2**15 - 1]]),
    ("int-min-max", "SELECT CAST(-2147483648 AS INT), 2147483647", [[-(2**31), 2**31 - 1]]),
    ("bigint-min-max", "SELECT CAST(-9223372036854775808 AS BIGINT), 9223372036854775807", [[-(2**63), 2**63 - 1]]),
    ("boolean", "SELECT true, false, CAST(NULL AS BOOLEAN)", [[True, False, None]]),
    ("float-shortest", "SELECT CAST(0.1 AS FLOAT), CAST(16777216 AS FLOAT)", [[Decimal("0.1"), Decimal("1.6777216E7")]]),
    ("double-shortest", "SELECT CAST(0.1 AS DOUBLE), 1e100, -2.5D", [[Decimal("0.1"), Decimal("1E100"), Decimal("-2.5")]]),
    ("double-extremes", "SELECT 4.9E-324D, 1.7976931348623157E308D", [[Decimal("4.9E-324"), Decimal("1.7976931348623157E308")]]),
    ("double-special", "SELECT double('NaN'), double('Infinity'), double('-Infinity')", [["NaN", "Infinity", "-Infinity"]]),
    ("decimal", "SELECT CAST(1.5 AS DECIMAL(10,2)), CAST(-0.05 AS DECIMAL(4,2))", [["1.50", "-0.05"]]),
    ("decimal-38", "SELECT CAST('12345678901234567890123456789012345678' AS DECIMAL(38,0))", [["12345678901234567890123456789012345678"]]),
    ("decimal-scale-38", "SELECT CAST('0.00000000000000000000000000000000000001' AS DECIMAL(38,38))", [["0." + "0" * 37 + "1"]]),
    ("decimal-null", "SELECT CAST(NULL AS DECIMAL(5,1))", [[None]]),
    ("string", "SELECT 'abc', ''", [["abc", ""]]),
    ("string-unicode", "SELECT 'Grüße, 世界 🎉'", [["Grüße, 世界 🎉"]]),
    ("string-quotes", "SELECT 'it''s', \"say \\\"x\\\"\"", [["it's", 'say "x"']]),
    ("string-escapes", "SELECT 'a\\nb\\\\c'", [["a\nb\\c"]]),
    ("string-long", "SELECT repeat('x', 100000)", [["x" * 100000]]),
    ("varchar-char", "SELECT CAST('ab' AS VARCHAR(5)), CAST('ab' AS CHAR(4))", [["ab", "ab"]]),
    ("binary", "SELECT X'00FF10', CAST('' AS BINARY), CAST(NULL AS BINARY)", [["AP8Q", "", None]]),
    ("date", "SELECT DATE '2024-02-29', DATE '1969-12-31', DATE '0001-01-01'", [["2024-02-29", "1969-12-31", "0001-01-01"]]),
    ("date-9999", "SELECT DATE '9999-12-31'", [["9999-12-31"]]),
    ("timestamp", "SELECT TIMESTAMP '2021-06-15 12:34:56.789', TIMESTAMP '2021-01-01 10:00:00'", [["2021-06-15 12:34:56.789", "2021-01-01 10:00:00"]]),
    ("timestamp-micros", "SELECT TIMESTAMP '1999-12-31 23:59:59.999999'", [["1999-12-31 23:59:59.999999"]]),
    ("timestamp-ntz", "SELECT TIMESTAMP_NTZ '2021-06-15 12:34:56'", [["2021-06-15 12:34:56"]]),
    ("interval-year-month", "SELECT INTERVAL '1-2' YEAR TO MONTH, INTERVAL '-3' MONTH", [["1-2", "-0-3"]]),
    ("interval-day-time", "SELECT INTERVAL '1 02:03:04.5' DAY TO SECOND", [["1 02:03:04.500000000"]]),
    ("void", "SELECT NULL", [[None]]),
    ("array", "SELECT array(1, NULL, 3)", [["[1,null,3]"]]),
    ("array-empty", "SELECT array()", [["[]"]]),
    ("array-strings", "SELECT array('a', 'b')", [['["a","b"]']]),
    ("map", "SELECT map('k', 1, 'l', 2)", [['{"k":1,"l":2}']]),
    ("struct", "SELECT named_struct('a', 1, 'b', 'x')", [['{"a":1,"b":"x"}']]),
    ("nested", "SELECT array(named_struct('m', map(1, array(2, 3))))", [['[{"m":{1:[2,3]}}]']]),
    ("null-everywhere", "SELECT CAST(NULL AS INT), CAST(NULL AS STRING), CAST(NULL AS DATE), CAST(NULL AS DOUBLE), CAST(NULL AS BIGINT)", [[None] * 5]),
    ("null-pattern", "SELECT IF(id % 3 = 0, NULL, id) FROM range(10) ORDER BY id", [[None if i % 3 == 0 else i] for i in range(10)]),
    ("null-first-8", "SELECT IF(id < 8, NULL, CAST(id AS STRING)) FROM range(12) ORDER BY id", [[None if i < 8 else str(i)] for i in range(12)]),
    ("empty-result", "SELECT id FROM range(10) WHERE id > 100", []),
    ("empty-result-many-types", "SELECT 'a' s, 1.5D d, DATE '2020-01-01' t WHERE false", []),
    ("one-column-many-rows", "SELECT id FROM range(1000) ORDER BY id", [[i] for i in range(1000)]),
    ("duplicate-column-names", "SELECT 1 AS a, 2 AS a", [[1, 2]]),
    ("odd-column-names", "SELECT 1 AS `a b`, 2 AS `ü``x`", [[1, 2]]),
    ("many-columns", "SELECT " + ", ".join(f"{i} AS c{i}" for i in range(500)), [list(range(500))]),
    ("expressions", "SELECT 7 % 3, 7 / 2, 7 div 2, -7 % 3", [[1, Decimal("3.5"), 3, -1]]),
    ("case-and-coalesce", "SELECT CASE WHEN 1 > 2 THEN 'x' ELSE 'y' END, coalesce(NULL, 4)", [["y", 4]]),
    ("union-all", "SELECT 1 AS x UNION ALL SELECT 2 ORDER BY x", [[1], [2]]),
    ("group-by", "SELECT id % 2 AS k, count(*), sum(id) FROM range(100) GROUP BY id % 2 ORDER BY k", [[0, 50, 2450], [1, 50, 2500]]),
    ("window", "SELECT id, row_number() OVER (ORDER BY id DESC) FROM range(3) ORDER BY id", [[0, 3], [1, 2], [2, 1]]),
    ("join", "SELECT a.id FROM range(5) a JOIN range(3, 8) b ON a.id = b.id ORDER BY 1", [[3], [4]]),
    ("with", "WITH t AS (SELECT 2 AS x) SELECT x * x FROM t", [[4]]),
    ("values", "SELECT * FROM VALUES (1, 'a'), (2, NULL) AS t(x, y) ORDER BY x", [[1, "a"], [2, None]]),
    ("explode", "SELECT explode(array(10, 20))", [[10], [20]]),
    ("create-table", "CREATE TABLE interop_t (i INT, s STRING, d DECIMAL(6,2)) USING parquet", []),
    ("insert", "INSERT INTO interop_t VALUES (1, 'one', 1.00), (2, NULL, -2.25), (3, 'drei', NULL)", []),
    ("select-table", "SELECT * FROM interop_t ORDER BY i", [[1, "one", "1.00"], [2, None, "-2.25"], [3, "drei", None]]),
    ("aggregate-decimal", "SELECT sum(d), max(d) FROM interop_t", [["-1.25", "1.00"]]),
    ("create-view", "CREATE VIEW interop_v AS SELECT i FROM interop_t WHERE s IS NOT NULL", []),
    ("select-view", "SELECT * FROM interop_v ORDER BY i", [[1], [3]]),
    ("set", "SET spark.sql.shuffle.partitions=3", [["spark.sql.shuffle.partitions", "3"]]),
    ("set-is-kept", "SET spark.sql.shuffle.partitions", [["spark.sql.shuffle.partitions", "3"]]),
    ("use", "USE default", []),
    ("current-schema", "SELECT current_schema()", [["default"]]),
    ("comment", "SELECT /* c */ 5", [[5]]),
    ("long-statement", "SELECT length('" + "y" * 1_000_000 + "')", [[1_000_000]]),
]

ERRORS = [
    ("error-syntax", "SELEC 1", "42601"),
    ("error-no-table", "SELECT * FROM no_such_table", "42P01"),
    ("error-no-column", "SELECT nope FROM range(1)", "42703"),
    ("error-no-function", "SELECT no_such_function(1)", "42883"),
    ("error-divide-by-zero", "SELECT 1 / 0 FROM range(1)", "22012"),
    ("error-bad-cast", "SELECT CAST('abc' AS INT)", "22018"),
    ("error-overflow", "SELECT CAST(2147483647 AS INT) + 1", "22003"),
    ("error-late", "SELECT IF(id = 500000, raise_error('late'), id) FROM range(1000000)", "P0001"),
]


def start_spark(folder):
    spark = os.path.join(os.path.dirname(__import__("pyspark").__file__))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = dict(os.environ, SPARK_HOME=spark, SPARK_LOCAL_IP="127.0.0.1", PYSPARK_PYTHON=sys.executable)
    with open(os.path.join(folder, "spark.log"), "wb") as log:
        process = subprocess.Popen(
            [os.path.join(spark, "bin", "spark-submit"), "--master", "local[2]", "--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2",
             "--driver-memory", "2g", "--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1",
             "--conf", "spark.sql.session.timeZone=UTC", "--conf", "spark.sql.warehouse.dir=" + os.path.join(folder, "warehouse"), "spark-internal",
             "--hiveconf", "hive.server2.transport.mode=http", "--hiveconf", f"hive.server2.thrift.http.port={port}",
             "--hiveconf", "hive.server2.thrift.bind.host=127.0.0.1", "--hiveconf", "hive.server2.authentication=NOSASL",
             "--hiveconf", f"javax.jdo.option.ConnectionURL=jdbc:derby:;databaseName={folder}/metastore;create=true"],
            cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    until = time.monotonic() + 180
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
        time.sleep(0.2)
    with open(os.path.join(folder, "spark.log"), encoding="utf-8", errors="replace") as log:
        sys.exit("the Spark Thrift Server did not start:\n" + "".join(log.readlines()[-30:]))


def metadata_cases(judge, probe):
    names = lambda rows, column: [row[column] for row in rows]
    judge.check("metadata-schemas", names(probe.rows("schemas", "", "default"), 0), ["default"])
    tables = probe.rows("tables", "", "default", "interop_%", "")
    judge.check("metadata-tables", sorted((row[2], row[3]) for row in tables), [("interop_t", "TABLE"), ("interop_v", "VIEW")])
    judge.check("metadata-tables-by-type", names(probe.rows("tables", "", "default", "interop_%", "VIEW"), 2), ["interop_v"])
    judge.check("metadata-tables-escaped-pattern", names(probe.rows("tables", "", "default", "interop\\_t", ""), 2), ["interop_t"])
    columns = probe.rows("columns", "", "default", "interop_t", "")
    judge.check("metadata-columns", [(row[3], row[4], row[16]) for row in columns], [("i", 4, 1), ("s", 12, 2), ("d", 3, 3)])
    judge.check("metadata-columns-pattern", names(probe.rows("columns", "", "default", "interop_t", "s"), 3), ["s"])
    functions = probe.rows("functions", "", "", "abs")
    judge.check("metadata-functions", "abs" in str(functions).lower(), True)
    judge.check("metadata-table-types", sorted(names(probe.rows("types"), 0)), ["TABLE", "VIEW"])
    types = {row[0]: row[1] for row in probe.rows("typeinfo")}
    judge.check("metadata-type-info", (types.get("BIGINT"), types.get("STRING"), types.get("DECIMAL")), (-5, 12, 3))
    catalogs = probe.ask("catalogs")
    judge.check("metadata-catalogs", dict(catalogs).get("columns") and [column[0] for column in dict(catalogs)["columns"]], ["TABLE_CAT"])
    judge.check("ping", dict(probe.ask("ping")), {"ok": True})


def parameter_cases(judge, probe):
    """A plain server takes no parameters, and it says so; but its casts read the texts that parameters travel as."""
    answer = dict(probe.ask("bound", "INT", "3", "SELECT ?"))
    judge.check("parameters-refused", (answer.get("sqlstate"), "not supported by this server" in answer.get("error", "")), ("HYC00", True))
    judge.check("parameters-connection-lives", probe.rows("sql", "SELECT 1"), [[1]])
    casts = (("interval-months", "CAST('-1-2' AS INTERVAL YEAR TO MONTH) = INTERVAL '-14' MONTH"),
             ("interval-micros", "CAST('-1 02:03:04.500000000' AS INTERVAL DAY TO SECOND) = INTERVAL '-1 02:03:04.5' DAY TO SECOND"),
             ("timestamp", "CAST('2024-02-29 12:34:56.789Z' AS TIMESTAMP) = timestamp_micros(1709210096789000)"),
             ("timestamp-ntz", "CAST('0001-01-01 00:00:00' AS TIMESTAMP_NTZ) = TIMESTAMP_NTZ '0001-01-01 00:00:00'"),
             ("double", "CAST('4.9E-324' AS DOUBLE) = 4.9E-324D AND CAST('1.0E20' AS DOUBLE) = 1E20D AND isnan(CAST('NaN' AS DOUBLE))"),
             ("infinity", "CAST('-Infinity' AS DOUBLE) = -CAST('Infinity' AS DOUBLE) AND CAST('Infinity' AS FLOAT) > 3e38F"),
             ("decimal", "CAST('-0.05' AS DECIMAL(2,2)) = -0.05BD"))
    for name, sql in casts:
        judge.check("parameter-text-" + name, probe.rows("sql", "SELECT " + sql), [[True]])


def cancel_cases(judge, probe):
    slow = "SELECT count(*) FROM range(1000000) a CROSS JOIN range(1000000) b WHERE a.id * b.id % 7 = 3"
    for case, command, kind in (("cancel-handle", "cancel", "DBSQL_ERROR_CANCELLED"), ("cancel-statement", "statement-cancel", "DBSQL_ERROR_CANCELLED"),
                                ("deadline", "timeout", "DBSQL_ERROR_TIMEOUT")):
        started = time.monotonic()
        answer = dict(probe.ask(command, "1000", slow))
        judge.check(case, answer.get("kind"), kind)
        judge.check(case + "-in-time", time.monotonic() - started < 10, True)
        judge.check(case + "-connection-lives", probe.rows("sql", "SELECT 1"), [[1]])


def shell_cases(judge, dsn):
    code, out, _ = shell(dsn, "-F", "csv", "-c", "SELECT id, CAST(id AS STRING) AS s, id * 0.5D AS d, IF(id % 10 = 0, NULL, id) AS n FROM range(1000000)")
    rows = list(csv.reader(io.StringIO(out, newline="")))
    judge.check("shell-million-exit", code, 0)
    judge.check("shell-million-rows", len(rows) - 1, MILLION)
    judge.check("shell-million-sum", sum(int(row[0]) for row in rows[1:]), MILLION * (MILLION - 1) // 2)
    judge.check("shell-million-text", all(row[0] == row[1] and float(row[2]) == int(row[0]) * 0.5 for row in rows[1:]), True)
    judge.check("shell-million-nulls", sum(1 for row in rows[1:] if row[3] == ""), MILLION // 10)
    code, _, err = shell(dsn, "-c", "SELECT * FROM no_such_table")
    judge.check("shell-error-exit", (code, "42P01" in err), (1, True))
    code, out, _ = shell(dsn, "-F", "json", "-c", "SELECT 1 AS a, 'x' AS b")
    judge.check("shell-json", out.replace(" ", "").replace("\n", ""), '[{"a":1,"b":"x"}]')
    code, _, _ = shell(dsn.replace("127.0.0.1", "127.0.0.2").replace("/cliservice", "/nothing"), "-c", "SELECT 1")
    judge.check("shell-wrong-path-exit", code, 3)


def main():
    judge = Judge("spark")
    folder = tempfile.mkdtemp(prefix="dbsql-spark-")
    process, port = start_spark(folder)
    dsn = f"http://127.0.0.1:{port}/cliservice"
    try:
        probe = Probe(dsn)
        for name, sql, expected in CASES:
            judge.check(name, probe.rows("sql", sql), expected)
        for name, sql, sqlstate in ERRORS:
            answer = dict(probe.ask("sql", sql))
            inner = dict(answer["failed"]) if "failed" in answer else answer
            judge.check(name, inner.get("sqlstate"), sqlstate)
        judge.check("million-batches", dict(probe.ask("count", "SELECT id FROM range(1000000)")), {"count": MILLION, "sum": MILLION * (MILLION - 1) // 2})
        metadata_cases(judge, probe)
        parameter_cases(judge, probe)
        cancel_cases(judge, probe)
        judge.check("probe-leaves-well", probe.close(), 0)
        shell_cases(judge, dsn)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
    judge.done()


if __name__ == "__main__":
    main()
