"""The unmodified Databricks SQL connector for Python against our warehouse. Expectations are Python's own values."""
import datetime
import os
import tempfile
import threading
import time
from decimal import Decimal

from databricks import sql
from databricks.sql.parameters import BigIntegerParameter, DecimalParameter, StringParameter

from judge import Judge
from python_cloudfetch import cloudfetch
from warehouse import Warehouse

UTC = datetime.timezone.utc

TYPES = [
    ("boolean", "SELECT true, false, CAST(NULL AS BOOLEAN)", (True, False, None)),
    ("tinyint", "SELECT CAST(-128 AS TINYINT), CAST(127 AS TINYINT)", (-128, 127)),
    ("smallint", "SELECT CAST(-32768 AS SMALLINT), CAST(32767 AS SMALLINT)", (-32768, 32767)),
    ("int", "SELECT CAST(-2147483648 AS INT), CAST(2147483647 AS INT)", (-(2**31), 2**31 - 1)),
    ("bigint", "SELECT CAST(-9223372036854775808 AS BIGINT), CAST(9223372036854775807 AS BIGINT)", (-(2**63), 2**63 - 1)),
    ("float", "SELECT CAST(0.5 AS FLOAT)", (0.5,)),
    ("double", "SELECT CAST(0.1 AS DOUBLE), CAST(1e100 AS DOUBLE)", (0.1, 1e100)),
    ("decimal", "SELECT CAST(1.5 AS DECIMAL(10,2)), CAST('-0.05' AS DECIMAL(4,2))", (Decimal("1.50"), Decimal("-0.05"))),
    ("decimal-38", "SELECT CAST('12345678901234567890123456789012345678' AS DECIMAL(38,0))", (Decimal("12345678901234567890123456789012345678"),)),
    ("string", "SELECT 'abc', '', CAST(NULL AS STRING)", ("abc", "", None)),
    ("string-unicode", "SELECT 'Grüße, 世界 🎉'", ("Grüße, 世界 🎉",)),
    ("binary", "SELECT CAST('abc' AS BINARY)", (b"abc",)),
    ("date", "SELECT DATE '2024-02-29', DATE '1969-12-31'", (datetime.date(2024, 2, 29), datetime.date(1969, 12, 31))),
    ("timestamp", "SELECT CAST('2021-06-15 12:34:56.789' AS TIMESTAMP)", (datetime.datetime(2021, 6, 15, 12, 34, 56, 789000, UTC),)),
    ("timestamp-ntz", "SELECT CAST('2021-06-15 12:34:56' AS TIMESTAMP_NTZ)", (datetime.datetime(2021, 6, 15, 12, 34, 56),)),
    ("expression", "SELECT 1 + 1 AS two", (2,)),
    ("null", "SELECT NULL", (None,)),
]


def rows_of(connection, statement, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [tuple(row) for row in cursor.fetchall()]


def plain(value):
    """Arrays come as numpy arrays, maps as pair lists: comparable forms."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def attempt(judge, case, function, *arguments):
    """Runs one group of checks; what goes wrong in it is one failure and not the end."""
    try:
        function(judge, *arguments)
    except Exception as error:  # a judge reports everything
        judge.say(case, "fail", f"{type(error).__name__}: {error}")


def types(judge, connection, prefix):
    for name, statement, expected in TYPES:
        try:
            judge.check(prefix + name, rows_of(connection, statement), [expected])
        except Exception as error:
            judge.say(prefix + name, "fail", f"{type(error).__name__}: {error}")


def nested(judge, connection):
    # As Arrow: row by row the connector goes through numpy, which has no NULL for integers.
    with connection.cursor() as cursor:
        cursor.execute("SELECT array(1, NULL, 3) AS a, named_struct('a', 1, 'b', 'x') AS s, map('k', 1, 'l', 2) AS m, array(named_struct('d', DATE '2020-02-29')) AS n")
        row = cursor.fetchall_arrow().to_pylist()[0]
    judge.check("array", row["a"], [1, None, 3])
    judge.check("struct", row["s"], {"a": 1, "b": "x"})
    judge.check("map", row["m"], [("k", 1), ("l", 2)])
    judge.check("array-of-structs", row["n"], [{"d": datetime.date(2020, 2, 29)}])
    judge.check("struct-as-row", plain(rows_of(connection, "SELECT named_struct('a', 1, 'b', 'x')")[0][0]), {"a": 1, "b": "x"})


def shapes(judge, connection):
    judge.check("empty", rows_of(connection, "SELECT * FROM range(5) WHERE id > 9"), [])
    judge.check("thousand", rows_of(connection, "SELECT id FROM range(1000) ORDER BY id"), [(i,) for i in range(1000)])
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, CAST(id AS STRING) AS s FROM range(300000)")
        judge.check("description", [(column[0], column[1]) for column in cursor.description], [("id", "bigint"), ("s", "string")])
        table = cursor.fetchall_arrow()
        judge.check("fetchall-arrow-rows", table.num_rows, 300000)
        judge.check("fetchall-arrow-sum", sum(table.column(0).to_pylist()), 300000 * 299999 // 2)
        judge.check("fetchall-arrow-types", [str(field.type) for field in table.schema], ["int64", "string"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM range(10)")
        judge.check("fetchone", cursor.fetchone()[0], 0)
        judge.check("fetchmany", [row[0] for row in cursor.fetchmany(4)], [1, 2, 3, 4])
        judge.check("fetchall-rest", [row[0] for row in cursor.fetchall()], [5, 6, 7, 8, 9])
    with connection.cursor() as cursor:
        cursor.arraysize = 1000
        cursor.execute("SELECT id FROM range(25000)")
        judge.check("small-pages", sum(row[0] for row in cursor.fetchall()), 25000 * 24999 // 2)


def statements(judge, connection):
    rows_of(connection, "CREATE OR REPLACE TABLE people (id INT, name STRING, born DATE, money DECIMAL(10,2))")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO people VALUES (1, 'Ada', DATE '1815-12-10', 1.50), (2, NULL, NULL, NULL)")
        judge.check("insert-rowcount", cursor.rowcount, 2)
    judge.check("select-back", rows_of(connection, "SELECT * FROM people ORDER BY id"),
                [(1, "Ada", datetime.date(1815, 12, 10), Decimal("1.50")), (2, None, None, None)])
    judge.check("backquotes", rows_of(connection, "SELECT `name` FROM `default`.`people` WHERE `id` = 1"), [("Ada",)])
    judge.check("use-schema", (rows_of(connection, "CREATE SCHEMA IF NOT EXISTS other"), rows_of(connection, "USE other"),
                               rows_of(connection, "SELECT current_schema()"))[2], [("other",)])
    rows_of(connection, "USE default")


def parameters(judge, connection):
    judge.check("parameters-positional", rows_of(connection, "SELECT ?, ?, ?", [7, "it's", None]), [(7, "it's", None)])
    judge.check("parameters-named", rows_of(connection, "SELECT :a + 1 AS x, :b AS y", {"a": 41, "b": "text"}), [(42, "text")])
    judge.check("parameters-typed", rows_of(connection, "SELECT :p, :q, :r", [BigIntegerParameter(2**40, name="p"), StringParameter("s", name="q"),
                                                                          DecimalParameter(Decimal("1.25"), name="r")]), [(2**40, "s", Decimal("1.25"))])


def metadata(judge, connection):
    with connection.cursor() as cursor:
        catalogs = [row[0] for row in cursor.catalogs().fetchall()]
        judge.check("catalogs", len(catalogs) >= 1, True)
        judge.check("schemas", "default" in [row[0] for row in cursor.schemas(catalog_name=catalogs[0]).fetchall()], True)
        tables = cursor.tables(schema_name="default", table_name="peopl_").fetchall()
        judge.check("tables", [(row[1], row[2], row[3]) for row in tables], [("default", "people", "TABLE")])
        columns = cursor.columns(schema_name="default", table_name="people").fetchall()
        judge.check("columns", [(row[3], row[4]) for row in columns], [("id", 4), ("name", 12), ("born", 91), ("money", 3)])


def errors(judge, connection):
    for case, statement, text in (("error-syntax", "SELEC 1", "PARSE_SYNTAX_ERROR"), ("error-table", "SELECT * FROM no_such_table", "TABLE_OR_VIEW_NOT_FOUND"),
                                  ("error-column", "SELECT nope FROM range(1)", "UNRESOLVED_COLUMN"), ("error-cast", "SELECT CAST('abc' AS INT)", "CAST_INVALID_INPUT")):
        try:
            rows_of(connection, statement)
            judge.say(case, "fail", "no error")
        except sql.exc.Error as error:
            judge.check(case, text in str(error), True)
    judge.check("error-connection-lives", rows_of(connection, "SELECT 1"), [(1,)])


def cancel(judge, connection):
    slow = "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE (a.id * b.id) % 7 = 3"
    with connection.cursor() as cursor:
        timer = threading.Timer(1.0, cursor.cancel)
        timer.start()
        started = time.monotonic()
        try:
            cursor.execute(slow)
            judge.say("cancel", "fail", "the statement finished")
        except sql.exc.Error as error:
            judge.say("cancel", "pass", type(error).__name__)
        judge.check("cancel-in-time", time.monotonic() - started < 20, True)
        timer.join()
    judge.check("cancel-connection-lives", rows_of(connection, "SELECT 1"), [(1,)])
    with connection.cursor() as cursor:
        cursor.execute_async("SELECT id FROM range(10)")
        while cursor.is_query_pending():
            time.sleep(0.05)
        cursor.get_async_execution_result()
        judge.check("execute-async", len(cursor.fetchall()), 10)


def wrong_token(judge, common):
    try:
        sql.connect(**dict(common, access_token="wrong"))
        judge.say("wrong-token", "fail", "no error")
    except Exception as error:
        judge.say("wrong-token", "pass", type(error).__name__)


def main():
    judge = Judge("python")
    with tempfile.TemporaryDirectory() as folder:
        ca = os.path.join(folder, "ca.pem")
        warehouse = Warehouse("--tls", "--tls-ca-out", ca, "--sync-wait-ms", "200")
        common = {"server_hostname": warehouse.host, "_port": warehouse.port, "http_path": warehouse.path, "access_token": warehouse.token,
                  "_tls_trusted_ca_file": ca, "enable_telemetry": False, "_retry_stop_after_attempts_count": 2}
        try:
            connection = sql.connect(**common)
            judge.say("connect", "pass")
            types(judge, connection, "")
            for name, group in (("nested", nested), ("shapes", shapes), ("statements", statements), ("parameters", parameters), ("metadata", metadata),
                                ("errors", errors), ("cancel", cancel)):
                attempt(judge, name, group, connection)
            connection.close()
            judge.say("close", "pass")
            for option, value in (("use_cloud_fetch", False), ("enable_query_result_lz4_compression", False)):
                with sql.connect(**dict(common, **{option: value})) as other:
                    types(judge, other, f"{option}={value}-")
                    attempt(judge, f"{option}-shapes", lambda j, c: j.check(f"{option}={value}-rows", len(rows_of(c, "SELECT id FROM range(200000)")), 200000), other)
            with sql.connect(**dict(common, session_configuration={"ansi_mode": "true"}, catalog="main", schema="default")) as other:
                judge.check("session-options", rows_of(other, "SELECT current_catalog(), current_schema()"), [("main", "default")])
            wrong_token(judge, common)
        finally:
            judge.check("warehouse-stops-well", warehouse.stop(), 0)
    cloudfetch(judge)
    judge.done()


if __name__ == "__main__":
    main()
