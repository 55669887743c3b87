"""CloudFetch of the unmodified connector: a large result of many types, compared value by value with one that Python makes itself."""
import hashlib
import json
import urllib.request

import pyarrow as pa
import pyarrow.compute as pc
from databricks import sql

from warehouse import Warehouse

ROWS = 3_000_000
STATEMENT = f"""
SELECT id, CAST(id % 100 AS TINYINT) AS tiny, CAST(id % 30000 AS SMALLINT) AS small, CAST(id AS INT) AS number, CAST(id AS DOUBLE) / 4 AS real,
       CAST(id AS DECIMAL(21,2)) AS money, concat('row ', CAST(id AS STRING)) AS name, id % 2 = 0 AS even,
       CASE WHEN id % 7 = 0 THEN NULL ELSE id END AS holes
FROM range({ROWS}) ORDER BY id"""


def expected():
    numbers = pa.array(range(ROWS), pa.int64())

    def modulo(of):
        return pc.subtract(numbers, pc.multiply(pc.divide(numbers, of), of))

    return pa.table({
        "id": numbers,
        "tiny": pc.cast(modulo(100), pa.int8()),
        "small": pc.cast(modulo(30000), pa.int16()),
        "number": pc.cast(numbers, pa.int32()),
        "real": pc.divide(pc.cast(numbers, pa.float64()), 4.0),
        "money": pc.cast(numbers, pa.decimal128(21, 2)),
        "name": pa.array([f"row {i}" for i in range(ROWS)]),
        "even": pc.equal(modulo(2), 0),
        "holes": pc.if_else(pc.equal(modulo(7), 0), None, numbers),
    })


def checksum(table):
    """Over all values, whatever the batches are."""
    digest = hashlib.sha256()
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        column = pc.fill_null(column, -1) if column.null_count else column
        for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
            sink = pa.BufferOutputStream()
            batch = pa.record_batch([chunk], names=["c"])
            with pa.ipc.new_stream(sink, batch.schema) as writer:
                writer.write_batch(batch)
            digest.update(sink.getvalue())
    return digest.hexdigest()


def statistics(warehouse):
    with urllib.request.urlopen(f"http://{warehouse.host}:{warehouse.port}/control/stats") as answer:
        return json.load(answer)["storage"]


def arm(warehouse, fault):
    request = urllib.request.Request(f"http://{warehouse.host}:{warehouse.port}/control/faults", json.dumps(fault).encode(), method="POST")
    urllib.request.urlopen(request).close()


def fetch(warehouse, statement=STATEMENT, **options):
    with sql.connect(server_hostname=warehouse.host, http_path=warehouse.path, access_token=warehouse.token, enable_telemetry=False,
                     _connection_uri=f"{warehouse.scheme}://{warehouse.host}:{warehouse.port}{warehouse.path}", **options) as connection:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall_arrow()


def one(judge, case, wanted, *arguments, faults=(), by_links=True, **options):
    warehouse = Warehouse("--control", "--file-bytes", "4000000", "--links-per-page", "8", *arguments)
    try:
        for fault in faults:
            arm(warehouse, fault)
        table = fetch(warehouse, **options)
        judge.check(case, checksum(table), wanted)
        stats = statistics(warehouse)
        judge.check(f"{case}-path", (stats["link_pages"] > 2, stats["downloads"] > 20), (by_links, by_links))
        judge.check(f"{case}-no-credentials", stats["authorizations"], 0)
    except Exception as error:  # a judge reports everything
        judge.say(case, "fail", f"{type(error).__name__}: {error}")
    finally:
        judge.check(f"{case}-stops-well", warehouse.stop(), 0)


def cloudfetch(judge):
    wanted = checksum(expected())
    one(judge, "cloudfetch", wanted, use_cloud_fetch=True)
    one(judge, "cloudfetch-one-frame", wanted, "--lz4-writer", "frame", use_cloud_fetch=True)
    one(judge, "cloudfetch-checksums", wanted, "--lz4-writer", "checksums", use_cloud_fetch=True)
    one(judge, "cloudfetch-plain", wanted, use_cloud_fetch=True, enable_query_result_lz4_compression=False)
    one(judge, "cloudfetch-headers", wanted, "--storage-require-header", "x-amz-server-side-encryption-customer-key: a2V5", use_cloud_fetch=True)
    one(judge, "cloudfetch-off", wanted, by_links=False, use_cloud_fetch=False)
    one(judge, "cloudfetch-storm", wanted, faults=[{"name": "storage-503", "file": 3, "count": 2, "retry_after": 0}], use_cloud_fetch=True)
    one(judge, "cloudfetch-padding", wanted, faults=[{"name": "padding-rows", "count": -1}], use_cloud_fetch=True)
