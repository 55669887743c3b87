// The unmodified Databricks SQL driver for Go against our warehouse. Expectations are made here, by Go itself.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/apache/arrow/go/v12/arrow/ipc"
	_ "github.com/databricks/databricks-sql-go"
	dbsqlerr "github.com/databricks/databricks-sql-go/errors"
	dbsqlrows "github.com/databricks/databricks-sql-go/rows"
)

const million = 1000000

const statement = `SELECT id, id % 2 = 0 AS even, CAST(id % 100 AS TINYINT) AS tiny, CAST(id % 30000 AS SMALLINT) AS small, CAST(id AS INT) AS number,
  CAST(id % 1000 AS FLOAT) / 8 AS single, CAST(id AS DOUBLE) / 4 AS real, CAST(id AS DECIMAL(20,2)) AS money, concat('row ', CAST(id AS STRING)) AS name,
  CAST(concat('b', CAST(id AS STRING)) AS BINARY) AS bytes, DATE '2000-01-01' + CAST(id % 10000 AS INT) AS day, to_timestamp(id) AS moment,
  CASE WHEN id % 7 = 0 THEN NULL ELSE id END AS holes, array(id, NULL) AS list, map('k', id) AS pairs, named_struct('a', id) AS record
  FROM range(ROWS) ORDER BY id`

func query(rows int) string {
	return strings.Replace(statement, "ROWS", fmt.Sprint(rows), 1)
}

// Writes what a row must be.
func expect(out hash.Hash, id int64) {
	holes := fmt.Sprint(id)
	if id%7 == 0 {
		holes = "NULL"
	}
	fmt.Fprintf(out, "%d|%t|%d|%d|%d|%v|%v|%d.00|row %d|b%d|%s|%s|%s|[%d,null]|{\"k\":%d}|{\"a\":%d}\n", id, id%2 == 0, id%100, id%30000, id,
		float32(id%1000)/8, float64(id)/4, id, id, id, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(id%10000)).Format("2006-01-02"),
		time.Unix(id, 0).UTC().Format(time.RFC3339), holes, id, id, id)
}

// Reads all rows and writes them in the same form.
func read(rows *sql.Rows, out hash.Hash) (int, error) {
	var (
		id                               int64
		even                             bool
		tiny                             int8
		small                            int16
		number                           int32
		single                           float32
		real                             float64
		money, name, list, pairs, record string
		data                             []byte
		day, moment                      time.Time
		holes                            sql.NullInt64
	)
	count := 0
	for rows.Next() {
		err := rows.Scan(&id, &even, &tiny, &small, &number, &single, &real, &money, &name, &data, &day, &moment, &holes, &list, &pairs, &record)
		if err != nil {
			return count, err
		}
		hole := "NULL"
		if holes.Valid {
			hole = fmt.Sprint(holes.Int64)
		}
		fmt.Fprintf(out, "%d|%t|%d|%d|%d|%v|%v|%s|%s|%s|%s|%s|%s|%s|%s|%s\n", id, even, tiny, small, number, single, real, money, name, data,
			day.Format("2006-01-02"), moment.UTC().Format(time.RFC3339), hole, list, pairs, record)
		count++
	}
	return count, rows.Err()
}

func checksum(db *sql.DB, rows int) (string, error) {
	got := sha256.New()
	result, err := db.Query(query(rows))
	if err != nil {
		return "", err
	}
	defer result.Close()
	count, err := read(result, got)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d rows, %x", count, got.Sum(nil)), nil
}

func wanted(rows int) string {
	want := sha256.New()
	for id := int64(0); id < int64(rows); id++ {
		expect(want, id)
	}
	return fmt.Sprintf("%d rows, %x", rows, want.Sum(nil))
}

func open(w *warehouse, options string) *sql.DB {
	db, err := sql.Open("databricks", w.dsn+"?enableTelemetry=false"+options)
	if err != nil {
		panic(err)
	}
	return db
}

// A large result, whole; and by the way that it should have come.
func large(case_ string, rows int, links bool, options string, arguments ...string) {
	w, err := start(append([]string{"--control"}, arguments...)...)
	if err != nil {
		say(case_, "fail", err)
		return
	}
	defer w.stop(case_)
	db := open(w, options)
	defer db.Close()
	got, err := checksum(db, rows)
	check(case_, got, wanted(rows), err)
	stats, err := w.statistics()
	check(case_+"-path", fmt.Sprint(stats["downloads"] > 3 && stats["link_pages"] > 1), fmt.Sprint(links), err)
	check(case_+"-no-credentials", fmt.Sprint(stats["authorizations"]), "0", err)
}

// The driver's own way to Arrow: streams that a reader of Apache Arrow decodes.
func streams(w *warehouse) {
	db := open(w, "&useCloudFetch=true")
	defer db.Close()
	connection, err := db.Conn(context.Background())
	if err != nil {
		say("ipc-streams", "fail", err)
		return
	}
	defer connection.Close()
	count := int64(0)
	err = connection.Raw(func(raw any) error {
		rows, err := raw.(driver.QueryerContext).QueryContext(context.Background(), query(100000), nil)
		if err != nil {
			return err
		}
		defer rows.Close()
		all, err := rows.(dbsqlrows.Rows).GetArrowIPCStreams(context.Background())
		if err != nil {
			return err
		}
		defer all.Close()
		for all.HasNext() {
			stream, err := all.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			reader, err := ipc.NewReader(stream)
			if err != nil {
				return err
			}
			for reader.Next() {
				count += reader.Record().NumRows()
			}
			if reader.Err() != nil {
				return reader.Err()
			}
			reader.Release()
		}
		return nil
	})
	check("ipc-streams", fmt.Sprint(count), "100000", err)
}

func values(w *warehouse) {
	db := open(w, "")
	defer db.Close()
	var text string
	var number int64
	err := db.QueryRow("SELECT CAST(? AS BIGINT) + 1, ?", 41, "it's").Scan(&number, &text)
	check("parameters", fmt.Sprint(number, text), "42it's", err)
	var empty int
	rows, err := db.Query("SELECT id FROM range(5) WHERE id > 9")
	for err == nil && rows.Next() {
		empty++
	}
	check("empty", fmt.Sprint(empty), "0", err)
	_, err = db.Exec("CREATE OR REPLACE TABLE go_numbers (id INT, name STRING)")
	if err == nil {
		var done sql.Result
		done, err = db.Exec("INSERT INTO go_numbers VALUES (1, 'one'), (2, NULL)")
		if err == nil {
			number, err = done.RowsAffected()
		}
	}
	check("insert", fmt.Sprint(number), "2", err)
	var name sql.NullString
	err = db.QueryRow("SELECT name FROM go_numbers WHERE id = 2").Scan(&name)
	check("null", fmt.Sprint(name.Valid), "false", err)
}

func failures(w *warehouse) {
	db := open(w, "")
	defer db.Close()
	for _, one := range []struct{ name, statement, state, text string }{
		{"error-syntax", "SELEC 1", "42601", "PARSE_SYNTAX_ERROR"},
		{"error-table", "SELECT * FROM no_such_table", "42P01", "TABLE_OR_VIEW_NOT_FOUND"},
		{"error-column", "SELECT nope FROM range(1)", "42703", "UNRESOLVED_COLUMN"},
		{"error-cast", "SELECT CAST('abc' AS INT)", "22018", "CAST_INVALID_INPUT"},
	} {
		rows, err := db.Query(one.statement)
		if err == nil {
			rows.Close()
			say(one.name, "fail", "no error")
			continue
		}
		var execution dbsqlerr.DBExecutionError
		if !errors.As(err, &execution) {
			say(one.name, "fail", fmt.Sprintf("%T: %v", err, err))
			continue
		}
		check(one.name, fmt.Sprint(execution.SqlState(), strings.Contains(err.Error(), one.text)), one.state+"true", nil)
	}
	var one int
	err := db.QueryRow("SELECT 1").Scan(&one)
	check("error-connection-lives", fmt.Sprint(one), "1", err)
	wrong, _ := sql.Open("databricks", strings.Replace(w.dsn, "token:", "token:x", 1)+"?enableTelemetry=false")
	defer wrong.Close()
	if err := wrong.Ping(); err == nil {
		say("wrong-token", "fail", "no error")
	} else {
		say("wrong-token", "pass", "")
	}
}

const slow = "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE (a.id * b.id) % 7 = 3"

func cancelling(w *warehouse) {
	db := open(w, "")
	defer db.Close()
	started := time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	timer := time.AfterFunc(time.Second, cancel)
	rows, err := db.QueryContext(ctx, slow)
	timer.Stop()
	if err == nil {
		rows.Close()
		say("cancel", "fail", "the statement finished")
	} else {
		check("cancel", fmt.Sprint(errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "cancel")), "true", nil)
	}
	check("cancel-in-time", fmt.Sprint(time.Since(started) < 20*time.Second), "true", nil)
	ctx, cancel = context.WithTimeout(context.Background(), time.Second)
	rows, err = db.QueryContext(ctx, slow)
	cancel()
	if err == nil {
		rows.Close()
		say("deadline", "fail", "the statement finished")
	} else {
		say("deadline", "pass", "")
	}
	var one int
	err = db.QueryRow("SELECT 1").Scan(&one)
	check("cancel-connection-lives", fmt.Sprint(one), "1", err)
	// Nothing goes on running: the warehouse has no operation left when the pool is closed.
	rows, err = db.Query(query(1000000))
	if err == nil {
		for i := 0; i < 10; i++ {
			rows.Next()
		}
		err = rows.Close()
	}
	check("close-in-the-middle", "", "", err)
}

// What the driver is expected to survive, and what it must at least not turn into a short result.
func faults() {
	for _, one := range []struct {
		name, fault string
		survives    bool
	}{
		{"storage-503", `{"name": "storage-503", "file": 2, "count": 2, "retry_after": 0}`, true},
		{"storage-truncated", `{"name": "storage-truncated", "file": 2}`, true},
		{"padding-rows", `{"name": "padding-rows", "count": -1}`, true},
		{"stale-names", `{"name": "stale-names", "count": -1}`, true},
		{"link-403", `{"name": "link-403", "file": 2, "count": -1}`, false},
		{"storage-corrupt-batch", `{"name": "storage-corrupt-batch", "file": 2, "count": -1}`, false},
	} {
		w, err := start("--control", "--file-bytes", "2000000", "--links-per-page", "4")
		if err != nil {
			say(one.name, "fail", err)
			continue
		}
		answer, err := http.Post(w.control+"/faults", "application/json", bytes.NewBufferString(one.fault))
		if err == nil {
			answer.Body.Close()
		}
		db := open(w, "&useCloudFetch=true")
		got, err := checksum(db, 200000)
		if one.survives {
			check("fault-"+one.name, got, wanted(200000), err)
		} else if err == nil && got != wanted(200000) {
			say("fault-"+one.name, "fail", "a wrong result without an error: "+got)
		} else {
			say("fault-"+one.name, "pass", "")
		}
		db.Close()
		w.stop("fault-" + one.name)
	}
}

func main() {
	large("cloudfetch-million", million, true, "&useCloudFetch=true", "--file-bytes", "4000000", "--links-per-page", "8")
	large("cloudfetch-one-frame", 200000, true, "&useCloudFetch=true", "--file-bytes", "2000000", "--links-per-page", "4", "--lz4-writer", "frame")
	large("cloudfetch-checksums", 200000, true, "&useCloudFetch=true", "--file-bytes", "2000000", "--links-per-page", "4", "--lz4-writer", "checksums")
	large("cloudfetch-headers", 200000, true, "&useCloudFetch=true", "--file-bytes", "2000000", "--links-per-page", "4", "--storage-require-header", "x-amz-key:abc")
	large("cloudfetch-one-thread", 200000, true, "&useCloudFetch=true&maxDownloadThreads=1", "--file-bytes", "2000000", "--links-per-page", "4")
	large("inline-arrow", 200000, false, "&useCloudFetch=false")
	large("inline-small-pages", 50000, false, "&useCloudFetch=false&maxRows=1000")
	w, err := start()
	if err != nil {
		say("warehouse", "fail", err)
	} else {
		streams(w)
		values(w)
		failures(w)
		cancelling(w)
		w.stop("warehouse")
	}
	faults()
	fmt.Printf("go: %d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

func (w *warehouse) statistics() (map[string]int64, error) {
	answer, err := http.Get(w.control + "/stats")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var all struct{ Storage map[string]int64 }
	err = json.NewDecoder(answer.Body).Decode(&all)
	return all.Storage, err
}
