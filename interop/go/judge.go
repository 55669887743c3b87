package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

var passed, failed int

// Prints `interop go CASE pass|fail REASON`, separated by tabs.
func say(name, outcome string, reason any) {
	text := strings.Join(strings.Fields(fmt.Sprint(reason)), " ")
	if len(text) > 500 {
		text = text[:500]
	}
	fmt.Printf("interop\tgo\t%s\t%s\t%s\n", name, outcome, text)
	if outcome == "fail" {
		failed++
	} else {
		passed++
	}
}

func check(name, got, wanted string, err error) {
	switch {
	case err != nil:
		say(name, "fail", err)
	case got != wanted:
		say(name, "fail", fmt.Sprintf("got %s, wanted %s", got, wanted))
	default:
		say(name, "pass", "")
	}
}

type warehouse struct {
	process *exec.Cmd
	dsn     string
	control string
}

func start(arguments ...string) (*warehouse, error) {
	program := filepath.Join(os.Getenv("DBSQL_BUILD"), "dbsql-warehouse")
	w := &warehouse{process: exec.Command(program, append([]string{"--port", "0"}, arguments...)...)}
	w.process.Stderr = os.Stderr
	output, err := w.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := w.process.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the warehouse did not say that it is ready: %w", err)
	}
	found := regexp.MustCompile(`ready: ((https?://)token:[^@]+@([^/]+)/\S+)`).FindStringSubmatch(line)
	if found == nil {
		return nil, fmt.Errorf("the warehouse did not say that it is ready: %q", line)
	}
	w.dsn = found[1]
	w.control = found[2] + found[3] + "/control"
	return w, nil
}

// Stops it, and says so if it did not stop well.
func (w *warehouse) stop(name string) {
	w.process.Process.Signal(syscall.SIGTERM)
	if err := w.process.Wait(); err != nil {
		say(name+"-stops-well", "fail", err)
	}
}
